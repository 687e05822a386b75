"""The real servers that the tests of this folder talk to; `make test-engines` starts them and says where they are."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

import httpx2
import pytest

from engines.serving import Kind

_KINDS: tuple[Kind, ...] = ("sglang", "vllm")


class Pair(NamedTuple):
    """A server for the policy, and one for the reward, as engines are named."""

    policy: str
    reward: str


def pairs() -> list[object]:
    """Parameters: the servers of each kind, where they run."""
    return [pytest.param(_pair(kind), id=kind, marks=_needed(f"SPEX_{kind.upper()}_URL")) for kind in _KINDS]


def kinds() -> list[object]:
    """Parameters: each kind of which servers can be started, from the folder of `folder_of`."""
    return [pytest.param(kind, id=kind, marks=_needed(f"SPEX_{kind.upper()}_FOLDER")) for kind in _KINDS]


def folder_of(kind: Kind) -> str:
    return os.environ[f"SPEX_{kind.upper()}_FOLDER"]


def _pair(kind: Kind) -> Pair:
    names = (f"SPEX_{kind.upper()}_URL", f"SPEX_{kind.upper()}_REWARD_URL")
    return Pair(*(f"{kind}:{os.environ.get(name, '')}" for name in names))


def _needed(variable: str) -> list[pytest.MarkDecorator]:
    told = f"{variable} is not set (see: make test-engines)"
    return [pytest.mark.live, pytest.mark.skipif(not os.environ.get(variable), reason=told)]


def keeps_prefixes(engine: str) -> bool:
    """Whether the server of `engine` finds prefixes again: SGLang does, vLLM says whether it was started so."""
    kind, _, url = engine.partition(":")
    if kind == "sglang":
        return True
    told = httpx2.get(f"{url}/metrics", timeout=30.0).raise_for_status().text
    found = re.search(r'^vllm:cache_config_info\{.*\benable_prefix_caching="(True|False)"', told, re.MULTILINE)
    assert found is not None, told
    return found[1] == "True"


def at_work(engine: str) -> int:
    """How many requests the server of `engine` (`sglang:URL` or `vllm:URL`) runs or lets wait, as it says itself."""
    kind, _, url = engine.partition(":")
    if kind == "sglang":
        load = httpx2.get(f"{url}/v1/loads", params={"include": "core,queues"}, timeout=30.0).raise_for_status().json()
        return sum(int(one["num_running_reqs"]) + int(one["num_waiting_reqs"]) for one in load["loads"])
    told = httpx2.get(f"{url}/metrics", timeout=30.0).raise_for_status().text
    found = re.findall(r"^vllm:num_requests_(?:running|waiting)(?:\{.*\})? (\S+)$", told, re.MULTILINE)
    assert len(found) >= 2, told
    return int(sum(map(float, found)))
