"""Several paths of one request: each with a cost of its own, and what is wrong told with its place."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest
import stamina

from spex.engine.base import Path, Progress
from spex.engine.function import FunctionPolicy
from spex.engine.retrying import Retrying
from spex.errors import Misbehaving, Overloaded
from spex.reward.base import Reward
from spex.reward.judge import Judge
from spex.reward.likelihood import Likelihood
from spex.reward.one_by_one import one_by_one
from spex.reward.prm import Prm
from spex.reward.prm_form import PrmForm
from spex.usage import Tokens
from tests.reward.paths import path, request

FORM = PrmForm("form", tag="|")
REWARDS: dict[str, Callable[[Retrying], Reward]] = {
    "prm": lambda engine: Prm(engine, FORM),
    "judge": Judge,
    "likelihood": Likelihood,
    "likelihood of the path": lambda engine: Likelihood(engine, "path"),
}


def share(prompt: str) -> float:
    return 0.1 + 0.001 * (sum(prompt.encode()) % 700)


class Engine(FunctionPolicy):
    """Another number for another prompt; is busy once, after it has read, for a path that holds `busy`."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.was_busy = False
        super().__init__(lambda prompt, seed: "", labels=self.labels, likely=self.likely)

    def labels(self, prompt: str, labels: tuple[str, ...]) -> Sequence[float]:
        self._note(prompt)
        return (share(prompt), 0.1)

    def likely(self, before: str, text: str) -> Sequence[float]:
        self._note(before + text)
        return [-share(before + text)] * len(text.encode())

    def _note(self, prompt: str) -> None:
        self.asked.append(prompt)
        if "busy" in prompt and not self.was_busy:
            self.was_busy = True
            raise Overloaded("engine", "busy", retry_after_seconds=0.0)


async def opened(made: Callable[[Retrying], Reward]) -> tuple[Engine, Reward]:
    """A reward and its engine; what opening it has cost is not the callers'."""
    engine = Engine()
    reward = made(Retrying(engine))
    await reward.open()
    return engine, reward


def total(progress: Progress) -> Tokens:
    return progress.cost.plus(progress.lost)


def since(engine: Engine, before: Tokens) -> Tokens:
    return Tokens(*(now - then for now, then in zip(engine.counters().cost, before, strict=True)))


@pytest.mark.parametrize("reward", REWARDS)
def test_what_one_path_has_cost_is_not_lost_where_another_is_asked_for_again(reward: str) -> None:
    async def main() -> None:
        engine, made = await opened(REWARDS[reward])
        first, both, before = Progress(), Progress(), engine.counters().cost
        await made.score(request(path("once")), first)
        middle = engine.counters().cost
        with stamina.set_testing(True, attempts=2):
            await made.score(request(path("some"), path("busy")), both)
        assert first.cost == Tokens(*(now - then for now, then in zip(middle, before, strict=True)))
        assert both.lost == first.cost  # all of these texts are of one length
        assert both.cost == first.cost.plus(first.cost)
        assert total(both) == since(engine, middle)

    asyncio.run(main())


@pytest.mark.parametrize("reward", REWARDS)
def test_equal_contents_have_equal_scores_and_cost_nothing_twice(reward: str) -> None:
    async def main() -> None:
        engine, made = await opened(REWARDS[reward])
        first = await made.score(request(path("one"), path("two"), path("one")), Progress())
        asked, progress = len(engine.asked), Progress()
        again = await made.score(request(path("two"), path("one"), seed=12), progress)
        assert (first[0], first[1]) == (first[2], again[0]) == (again[1], again[0])
        assert len(engine.asked) == asked
        assert total(progress) == Tokens()

    asyncio.run(main())


@pytest.mark.parametrize("reward", REWARDS)
def test_what_was_scored_is_forgotten_when_it_is_opened_anew(reward: str) -> None:
    async def main() -> None:
        engine, made = await opened(REWARDS[reward])
        await made.score(request(path("one")), Progress())
        await made.close()
        await made.open()
        asked = len(engine.asked)
        await made.score(request(path("one")), Progress())
        assert len(engine.asked) == asked + 1

    asyncio.run(main())


@pytest.mark.parametrize("reward", REWARDS)
def test_what_is_found_of_a_right_and_a_wrong_solution_at_first_is_no_querys_cost(reward: str) -> None:
    async def main() -> None:
        engine, made = await opened(REWARDS[reward])
        assert len(engine.asked) == 2
        before, progress = engine.counters().cost, Progress()
        await made.score(request(path("one")), progress)
        assert total(progress) == since(engine, before)
        assert sum(before) > 0

    asyncio.run(main())


def test_each_path_is_demanded_when_the_request_is() -> None:
    async def main() -> None:
        progress, seen = Progress(demanded=False), list[bool]()

        async def score(path: Path, own: Progress) -> float:
            seen.append(own.demanded)
            progress.demand()
            seen.append(own.demanded)
            return 0.5

        await one_by_one(request(path("a"), path("b")), progress, score, "what to do?")
        assert seen == [False, True, True, True]

    asyncio.run(main())


@pytest.mark.parametrize(
    ("expected", "got", "told"),
    [
        ("two labels", (0.5,), "expected two labels, for problem 'sum-7', step 2 (is it this?), got (0.5,)"),
        (
            "two labels",
            (float("nan"), 1.0),
            "step 2 (do its numbers overflow? serve it in bfloat16 or float32 (--dtype)",
        ),
        ("JSON", '{"data": [NaN]}', "step 2 (do its numbers overflow? "),
        ("what answers (Expected `float`, got `null`)", "{}", "step 2 (do its numbers overflow? "),
        ("JSON", "a banana", "step 2 (is it this?), got 'a banana'"),
        ("JSON and no web page (is it a proxy?)", "<p>", "(is it a proxy?), for problem 'sum-7', step 2, got '<p>'"),
    ],
)
def test_what_is_wrong_is_told_once_with_its_place_and_with_what_to_do(expected: str, got: object, told: str) -> None:
    async def main() -> None:
        async def score(path: Path, own: Progress) -> float:
            raise Misbehaving("server", expected, got)

        with pytest.raises(Misbehaving) as caught:
            await one_by_one(request(path("a", "b")), Progress(), score, "is it this?")
        assert told in str(caught.value)
        assert str(caught.value).startswith(f"server: expected {expected}")
        assert str(caught.value).count("problem") == 1
        assert caught.value.got == got

    asyncio.run(main())
