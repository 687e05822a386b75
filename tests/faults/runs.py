"""Runs over servers that break: three problems at once, of which one meets the fault."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import spex
from spex.api import Options
from spex.engine.base import Engine
from spex.engine.http import Deadlines
from spex.engine.llamacpp_server import LlamaCppServer
from spex.engine.openai import OpenAI
from spex.engine.retrying import Retrying
from spex.engine.sglang import Sglang
from spex.engine.vllm import Vllm
from spex.reward.base import Reward
from spex.reward.prm import Prm
from spex.reward.prm_form import HeadForm, PrmForm
from spex.reward.score_head import ScoreHead
from tests.engine.listening import listening
from tests.faults.server import Server, share_of

DOOMED = "doomed"
PROBLEMS = [spex.Problem(f"How many apples are {name}?", name) for name in ("red", DOOMED, "green")]
OTHERS = (0, 2)
DEADLINES = Deadlines(connect=2.0, first_token=0.8, token_gap=0.8)
GONE_SECONDS = 5.0
IMPATIENT = 0.0
"""Seconds: what stays away is asked four times, and no test waits for it longer."""

CLIENTS: Mapping[str, Callable[[str], Engine]] = {
    "sglang": lambda url: Sglang(url, deadlines=DEADLINES),
    "vllm": lambda url: Vllm(url, deadlines=DEADLINES),
    "llamacpp-server": lambda url: LlamaCppServer(url, deadlines=DEADLINES),
    "openai": lambda url: OpenAI(url, deadlines=DEADLINES),
    "openai-chat": lambda url: OpenAI(url, deadlines=DEADLINES, chats=True),
}
"""Every engine that talks to a server, for the one at an address."""


def impatient(engine: Engine) -> Engine:
    return Retrying(engine, patience_seconds=IMPATIENT)


_LABELS = PrmForm("labels", between="\n", tag=" tag")
_LINES = HeadForm("lines", logits=True)
_WHOLE = HeadForm("whole", tag="", between="\n", closing="\n", every=False, logits=True)

REWARDS: Mapping[str, Callable[[str], Reward]] = {
    "labels on sglang": lambda url: Prm(impatient(CLIENTS["sglang"](url)), _LABELS),
    "labels on vllm": lambda url: Prm(impatient(CLIENTS["vllm"](url)), _LABELS),
    "head on vllm": lambda url: ScoreHead(f"vllm:{url}", _LINES, deadlines=DEADLINES, patience_seconds=IMPATIENT),
    "head on sglang": lambda url: ScoreHead(f"sglang:{url}", _WHOLE, deadlines=DEADLINES, patience_seconds=IMPATIENT),
}
"""Every reward that a server gives, for the one at an address."""


def by_text() -> Reward:
    """A reward that asks nobody."""
    return spex.FunctionReward(share_of)


async def searched(
    policy: Engine,
    reward: Reward,
    log: Path | None = None,
    speculation: spex.Speculation | None = None,
    stop: asyncio.Event | None = None,
) -> spex.Run:
    options: Options = {
        "policy": policy,
        "reward": reward,
        "search": spex.Rebase(width=3, depth_max=2),
        "speculation": speculation,
        "seed": 5,
        "patience_seconds": IMPATIENT,
        "stop": stop or asyncio.Event(),
    }
    if log is not None:
        options["log"] = log
    return await spex.run(PROBLEMS, **options)


@cache
def undisturbed_with(client: str) -> spex.Run:
    """What a run comes to without any fault; not to be called within an event loop."""

    async def main() -> spex.Run:
        async with listening(Server().serve) as url:
            return await searched(CLIENTS[client](url), by_text())

    return asyncio.run(main())


def written(solution: spex.Solution) -> int:
    """The tokens that are in a solution's tree."""
    return sum(len(step.token_ids) for step in solution.tree.steps.values())


async def idle(server: Server) -> None:
    """Wait until the server counts no more work, for as long as a text that cannot be stopped may take."""
    async with asyncio.timeout(GONE_SECONDS):
        while server.running:  # noqa: ASYNC110  # a server on a real clock
            await asyncio.sleep(0.01)


def assert_same(found: spex.Run, undisturbed: spex.Run, which: tuple[int, ...] = (0, 1, 2)) -> None:
    """The queries that are named came to their ends, with the trees that they have without any fault."""
    for number in which:
        assert (found.solutions[number].partial, found.solutions[number].error) == (None, None)
        assert found.solutions[number].tree == undisturbed.solutions[number].tree
        assert found.solutions[number].answer == undisturbed.solutions[number].answer
