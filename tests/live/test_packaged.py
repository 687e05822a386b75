"""The packaged models on real SGLang and vLLM: the same tokens and chances as in the embedded engine, the same play."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import spex
from engines.run import served
from engines.server import Server
from engines.serving import Kind
from spex.engine.base import Engine, Labelling, Message, Progress
from spex.engine.catalog import find_engine
from spex.engine.local_model import packaged_folder
from spex.prompt import Prompt
from spex.search.base import AnySearch
from tests.live.alike import assert_same_trees
from tests.live.servers import folder_of, kinds
from tests.models.test_packaged import PLAY, PUZZLES

UP_SECONDS = 600.0
SEARCHES: tuple[AnySearch, ...] = (
    spex.Rebase(width=16, depth_max=3),
    spex.Mcts(iterations=16, children=4, depth_max=3),
)
MORE = {"sglang": (), "vllm": ("--max-model-len", "256")}

pytestmark = [pytest.mark.live, pytest.mark.faults, pytest.mark.timeout(1800)]
pytest.importorskip("xllamacpp")


class Served(NamedTuple):
    """The policy and the PRM, each by a server of its own, as engines are named."""

    policy: str
    prm: str


@pytest.fixture(params=kinds(), scope="module")
def both(request: pytest.FixtureRequest) -> Iterator[Served]:
    kind: Kind = request.param
    policy, prm = _server(kind, "policy"), _server(kind, "prm")
    with policy, prm:
        for server in (policy, prm):
            server.wait(UP_SECONDS)
        yield Served(f"{kind}:{policy.url}", f"{kind}:{prm.url}")


def _server(kind: Kind, name: str) -> Server:
    flags = ("--model", str(packaged_folder(f"game24-{name}")), "--dtype", "float32", "--deterministic", *MORE[kind])
    return served(kind, Path(folder_of(kind)), "policy" if name == "policy" else "reward", 0, flags)


async def _told(spec: str) -> tuple[object, tuple[float, ...]]:
    """A chat and a play as token ids, and the chances of three labels behind the play."""
    engine: Engine = find_engine(spec)
    await engine.open()
    try:
        token_ids = (0, *await engine.encode(PLAY))
        labels = tuple([token for label in "+-9" for token in await engine.encode(label)])
        chances = await engine.label(Labelling("k", Prompt([token_ids]), labels), Progress())
        return (await engine.encode_chat([Message("user", "4 9 10 13")]), token_ids, labels), chances
    finally:
        await engine.close()


@pytest.mark.parametrize("name", ["policy", "prm"])
def test_a_server_reads_and_judges_as_the_embedded_engine_does(both: Served, name: str) -> None:
    there, here = (asyncio.run(_told(spec)) for spec in (getattr(both, name), f"llamacpp:game24-{name}"))
    assert there[0] == here[0]
    assert there[1] == pytest.approx(here[1], rel=0.02, abs=1e-5)


def _searched(both: Served, search: AnySearch, speculation: spex.Speculation | None) -> spex.Run:
    return spex.run_sync(
        PUZZLES,
        policy=both.policy,
        reward=f"prm:game24@{both.prm}",
        task="game24-bare",
        search=search,
        speculation=speculation,
        concurrency=1,  # with more of them there is no room to speculate in
    )


@pytest.mark.parametrize("search", SEARCHES, ids=lambda search: type(search).__name__)
def test_searches_solve_the_game_and_a_speculating_run_grows_the_trees_of_the_plain_one(
    both: Served, search: AnySearch
) -> None:
    plain, speculating = _searched(both, search, None), _searched(both, search, spex.Speculation())
    assert_same_trees(plain, speculating)
    assert sum(solution.foresight.committed for solution in speculating.solutions) > 0
    assert sum(bool(solution.correct) for solution in plain.solutions) >= 3
