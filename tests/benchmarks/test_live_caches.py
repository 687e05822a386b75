"""Caches that are emptied between two runs, and prefixes that are found again in blocks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import httpx2
import pytest

from benchmarks.live_caches import NotEmptied, emptied
from benchmarks.live_clairvoyant import Blocks
from spex.control.clock import run_virtual
from spex.engine.kv_pool import KvPool
from spex.prompt import Prompt

ADDRESS = "http://127.0.0.1:1/reset_prefix_cache"


def served(monkeypatch: pytest.MonkeyPatch, answer: Callable[[int], httpx2.Response]) -> list[str]:
    """What is asked of a server that answers so, by how often it was asked before."""
    asked: list[str] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        asked.append(f"{request.method} {request.url}")
        return answer(len(asked) - 1)

    client = partial(httpx2.AsyncClient, transport=httpx2.MockTransport(handle))
    monkeypatch.setattr("benchmarks.live_caches.httpx2.AsyncClient", client)
    return asked


def test_a_server_is_asked_until_it_has_emptied_its_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [httpx2.Response(400, text="a request runs"), httpx2.Response(200, json={"success": False})]
    asked = served(monkeypatch, lambda before: [*answers, httpx2.Response(200, json={"success": True})][before])
    run_virtual(emptied([ADDRESS]))
    assert asked == [f"POST {ADDRESS}"] * 3


def test_a_server_that_never_does_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    served(monkeypatch, lambda before: httpx2.Response(404, text=f"no such path {before}"))
    with pytest.raises(NotEmptied, match=f"{ADDRESS}: 404 no such path"):
        run_virtual(emptied([ADDRESS]))


def test_a_prefix_is_found_again_in_whole_blocks() -> None:
    cache = Blocks(KvPool(10**6), 16)
    root = Prompt([tuple(range(40))])
    assert cache.hold(root, (), 8).uncached == 40
    again = cache.hold(root, (), 8)
    assert (again.cached, again.uncached) == (32, 8)
