"""A reward's server that breaks for one query while the policy's goes on: its texts are kept."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import spex
from tests.engine.listening import listening
from tests.faults.runs import CLIENTS, DOOMED, OTHERS, REWARDS, assert_same, idle, searched, written
from tests.faults.server import Fault, Kind, Server

pytestmark = pytest.mark.usefixtures("at_once")

PASSING: dict[str, tuple[type[spex.SpexError], str]] = {
    "503": (spex.Overloaded, "(status 503): wait, or ask for less at once"),
    "429": (spex.Overloaded, "(status 429): wait, or ask for less at once"),
    "500": (spex.Unreachable, "status 500, see the server's log: "),
    "hang": (spex.TimedOut, "deadline first_token of 0.8 s ran out: look whether it hangs, or allow more"),
    "trickle": (spex.TimedOut, "deadline first_token of 0.8 s ran out: look whether it hangs, or allow more"),
    "closed": (spex.Unreachable, "look in the server's log whether it died"),
    "cut": (spex.Unreachable, "look in the server's log whether it died"),
}
LASTING: dict[str, tuple[type[spex.SpexError], str]] = {
    "garbage": (spex.Misbehaving, "expected JSON"),
    "page": (spex.Misbehaving, "no web page (is something else at this address, or a proxy before it?)"),
    "nan": (spex.Misbehaving, "serve it in bfloat16 or float32 (--dtype)"),
    "fewer": (spex.Misbehaving, "expected"),
}


def kind_of(reward: str) -> Kind:
    return "rows" if reward.startswith("head") else "labels"


def named(faults: dict[str, tuple[type[spex.SpexError], str]]) -> list[object]:
    return [pytest.param(name, *told, id=name) for name, told in faults.items()]


@pytest.mark.parametrize("reward", REWARDS)
@pytest.mark.parametrize(("fault", "error", "told"), named(PASSING | LASTING))
def test_a_fault_ends_the_query_that_meets_it_and_no_other_and_its_texts_are_kept(
    reward: str, fault: str, error: type[spex.SpexError], told: str, tmp_path: Path
) -> None:
    async def main() -> None:
        policies, rewards = Server(), Server()
        async with listening(policies.serve) as policy, listening(rewards.serve) as url:
            rewards.faults = [Fault(fault, DOOMED, kind_of(reward))]
            scores = REWARDS[reward](url)
            engine = CLIENTS["vllm"](policy)
            found = await searched(engine, scores, tmp_path / "log", spex.Speculation())
            await idle(rewards)
            await idle(policies)
            doomed = found.solutions[1]
            assert type(doomed.error) is error
            assert told in str(doomed.error)
            assert engine.counters().running == scores.server.counters().running == 0
            rewards.faults = []
            before = len(policies.begun)
            again = await searched(CLIENTS["vllm"](policy), REWARDS[reward](url), tmp_path / "log")
            assert [solution.partial for solution in again.solutions] == [None] * 3
            assert_same(found, again, OTHERS)
            assert again.solutions[1].usage.replayed.generated >= written(doomed) > 0
            asked = [work.prompt for work in policies.begun[before:]]
            assert all(DOOMED in prompt for prompt in asked if "apples" in prompt)

    asyncio.run(main())


@pytest.mark.parametrize("reward", REWARDS)
@pytest.mark.parametrize("fault", ["503", "hang", "cut"])
def test_a_fault_that_passes_changes_no_tree(reward: str, fault: str) -> None:
    async def main() -> None:
        policies, rewards = Server(), Server()
        async with listening(policies.serve) as policy, listening(rewards.serve) as url:
            undisturbed = await searched(CLIENTS["vllm"](policy), REWARDS[reward](url))
            rewards.faults = [Fault(fault, "apples", kind_of(reward), times=1)]
            found = await searched(CLIENTS["vllm"](policy), REWARDS[reward](url), speculation=spex.Speculation())
            await idle(rewards)
            assert_same(found, undisturbed)

    asyncio.run(main())
