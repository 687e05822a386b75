"""Several rewards as one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from spex.api import run_sync
from spex.control.clock import run_virtual
from spex.engine.base import Progress, Scoring, Server
from spex.engine.function import FunctionPolicy
from spex.errors import InputError, Misbehaving, Unreachable
from spex.problem import Problem
from spex.reward.code import CodeReward
from spex.reward.combined import Combined
from spex.reward.confidence import Confidence
from spex.reward.fitting import refuse_unfit
from spex.reward.function import FunctionReward
from spex.reward.local import LocalServer
from tests.reward.paths import path, request, scores


@dataclass
class Part:
    """A reward of fixed scores, with what it was asked."""

    name: str
    told: tuple[float, ...]
    server: Server = field(default_factory=lambda: LocalServer("part"))
    latency_seconds: float = 0.0
    cost: int = 1
    error: Exception | None = None
    asked: list[Scoring] = field(default_factory=list)
    users: int = 0
    running: int = 0
    most_running: int = 0

    async def open(self) -> None:
        if self.error is not None:
            raise self.error
        self.users += 1

    async def close(self) -> None:
        self.users -= 1

    async def score(self, request: Scoring, progress: Progress) -> tuple[float, ...]:
        self.asked.append(request)
        progress.spend(reward=self.cost)
        self.running += 1
        try:
            await asyncio.sleep(self.latency_seconds)
        finally:
            self.running -= 1
        return self.told


ASKED = request(path("a"), path("b"))


@pytest.mark.parametrize(
    ("combined", "expected"),
    [
        (lambda one, two: Combined([one, two]), (0.1, 0.24)),
        (lambda one, two: Combined([one, two], "minimum"), (0.2, 0.4)),
        (lambda one, two: Combined([one, two], "mean"), (0.35, 0.5)),
        (lambda one, two: Combined([one, two], "mean", (3, 1)), (0.425, 0.55)),
    ],
)
def test_scores_become_one(combined: type[Combined], expected: tuple[float, ...]) -> None:
    reward = combined(Part("one", (0.5, 0.6)), Part("two", (0.2, 0.4)))  # type: ignore[arg-type]
    assert scores(reward, ASKED) == pytest.approx(expected)


def test_every_part_is_asked_with_a_seed_of_its_own_that_is_a_function_of_the_requests() -> None:
    parts = [Part("one", (0.5, 0.6)), Part("two", (0.2, 0.4))]
    for _ in range(2):
        scores(Combined(parts), ASKED)
    seeds = [[asked.seed for asked in part.asked] for part in parts]
    assert seeds[0][0] == seeds[0][1] != seeds[1][0] == seeds[1][1]
    assert all(asked.paths == ASKED.paths for part in parts for asked in part.asked)


def test_rewards_on_different_servers_are_asked_at_once_and_those_on_one_in_turn() -> None:
    async def seconds(parts: list[Part]) -> float:
        reward = Combined(parts)
        await reward.open()
        begun = asyncio.get_running_loop().time()
        await reward.score(ASKED, Progress())
        return asyncio.get_running_loop().time() - begun

    shared = LocalServer("shared")
    apart = [Part(name, (0.5, 0.5), latency_seconds=1.0) for name in ("one", "two")]
    together = [Part(name, (0.5, 0.5), shared, latency_seconds=1.0) for name in ("one", "two")]
    assert run_virtual(seconds(apart)) == pytest.approx(1.0)
    assert run_virtual(seconds(together)) == pytest.approx(2.0)


def test_one_that_fails_leaves_none_of_the_others_running() -> None:
    async def main() -> None:
        slow = Part("slow", (0.5, 0.5), latency_seconds=60.0)
        wrong = Part("wrong", (0.5,), latency_seconds=1.0, cost=10)
        progress = Progress()
        reward = Combined([slow, wrong])
        await reward.open()
        with pytest.raises(Misbehaving, match="wrong: expected 2 scores"):
            await reward.score(ASKED, progress)
        assert slow.running == 0
        assert progress.cost.reward == 11

    run_virtual(main())


def test_a_cancelled_score_leaves_nothing_running() -> None:
    async def main() -> None:
        parts = [Part(name, (0.5, 0.5), latency_seconds=60.0) for name in ("one", "two")]
        reward, progress = Combined(parts), Progress()
        await reward.open()
        task = asyncio.ensure_future(reward.score(ASKED, progress))
        await asyncio.sleep(1.0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert [part.running for part in parts] == [0, 0]
        assert progress.cost.reward == 2

    run_virtual(main())


def test_all_are_opened_or_none() -> None:
    good, bad = Part("good", (0.5,)), Part("bad", (0.5,), error=Unreachable("bad", "away"))
    with pytest.raises(Unreachable):
        scores(Combined([good, bad]), ASKED)
    assert good.users == 0
    good.told = (0.5, 0.5)
    scores(Combined([good]), ASKED)
    assert good.users == 0


def test_its_name_says_what_it_is_made_of() -> None:
    parts = [FunctionReward(lambda text: 0.5, name=name) for name in ("one", "two")]
    assert Combined(parts).name == "product(one, two)"
    assert Combined(parts, "mean", (3, 1)).name == "mean(3 one, 1 two)"
    assert Combined(parts).server is parts[0].server


def test_a_problem_that_one_of_them_cannot_score_is_refused_before_anything_starts() -> None:
    reward = Combined([FunctionReward(lambda text: 0.5), Combined([CodeReward()])])
    with pytest.raises(InputError, match="problem 'p' has none") as caught:
        run_sync([Problem("Write it.", id="p")], policy=FunctionPolicy(lambda *_: "x"), reward=reward)
    assert caught.value.field == "tests"
    refuse_unfit([Problem("Write it.")], [Combined([FunctionReward(lambda text: 0.5)])])


def test_it_reads_log_probabilities_if_one_of_them_does() -> None:
    plain = FunctionReward(lambda text: 0.5)
    assert Combined([plain, Combined([Confidence()], "mean")]).reads_logprobs
    assert not Combined([plain]).reads_logprobs


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (([], "product"), "rewards"),
        (([Part("a", ())] * 17, "product"), "rewards"),
        (([Part("a", ())], "sum"), "how"),
        (([Part("a", ())], "product", (1.0,)), "weights"),
        (([Part("a", ())], "mean", (1.0, 2.0)), "weights"),
        (([Part("a", ())], "mean", (0.0,)), "weights"),
        (([Part("a", ())], "mean", (-1.0,)), "weights"),
        (([Part("a", ())], "mean", (float("nan"),)), "weights"),
        (([Part("a", ())], "mean", (float("inf"),)), "weights"),
    ],
)
def test_what_is_no_combination_is_refused(arguments: tuple[object, ...], named: str) -> None:
    with pytest.raises(InputError) as caught:
        Combined(*arguments)  # type: ignore[arg-type]
    assert caught.value.field == named
