"""Rewards that are functions of the user's: Verifier and FunctionReward."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from spex.control.clock import run_virtual
from spex.engine.base import Counters, Path, Progress, Scoring
from spex.errors import InputError, Misbehaving, Unreachable
from spex.problem import Problem
from spex.prompt import Prompt
from spex.reward.base import Reward
from spex.reward.function import FunctionReward
from spex.reward.verifier import Verifier
from spex.tree import Step
from spex.usage import Tokens

PROBLEM = Problem("2 + 2", id="sum-7", answer="4")


def request(*texts: str) -> Scoring:
    paths = tuple(Path(Prompt(), (Step("First. "), Step(text, answer=text))) for text in texts)
    return Scoring("sum-7|score", PROBLEM, paths, "reward", 0)


def scores(reward: Reward, *texts: str) -> tuple[float, ...]:
    return asyncio.run(reward.score(request(*texts), Progress()))


def test_a_verifier_sees_the_problem_and_each_path() -> None:
    def verify(problem: Problem, path: Path) -> float:
        return 1.0 if path.steps[-1].answer == problem.answer else 0.25

    assert scores(Verifier(verify), "4", "5") == (1.0, 0.25)


def test_a_verdict_of_true_or_false_is_one_or_nought() -> None:
    assert scores(Verifier(lambda problem, path: path.text.endswith("4")), "4", "5") == (1.0, 0.0)


def test_a_function_reward_sees_the_text_of_all_steps() -> None:
    assert scores(FunctionReward(lambda text: 0.5 if text == "First. 4" else 0.0), "4", "5") == (0.5, 0.0)


def test_async_functions_are_awaited() -> None:
    async def verify(problem: Problem, path: Path) -> float:
        await asyncio.sleep(0)
        return 0.5

    async def score(text: str) -> float:
        await asyncio.sleep(0)
        return 0.75

    assert scores(Verifier(verify), "4") == (0.5,)
    assert scores(FunctionReward(score), "4") == (0.75,)


def failing(error: Exception) -> list[Reward]:
    def fail(*_: object) -> float:
        raise error

    return [Verifier(fail, name="checker"), FunctionReward(fail, name="checker")]


@pytest.mark.parametrize("reward", failing(ValueError("no such lemma")))
def test_an_exception_names_reward_problem_step_and_what_was_raised(reward: Reward) -> None:
    with pytest.raises(Misbehaving) as caught:
        scores(reward, "4")
    assert str(caught.value) == (
        "checker: expected a number from 0 to 1 for problem 'sum-7', step 2"
        " (can the reward's own function read such a text? it has raised), got 'ValueError: no such lemma'"
    )


@pytest.mark.parametrize("reward", failing(Unreachable("prover", "connection refused")))
def test_an_engine_error_of_the_function_passes_as_it_is(reward: Reward) -> None:
    with pytest.raises(Unreachable, match="prover: connection refused"):
        scores(reward, "4")


@pytest.mark.parametrize("value", [float("nan"), 1.5, -1, "1", None])
def test_a_value_that_is_no_score_is_misbehaviour(value: float) -> None:
    for reward in (Verifier(lambda problem, path: value, name="checker"), FunctionReward(lambda text: value)):
        with pytest.raises(Misbehaving, match=r"for problem 'sum-7', step 2 \(.*\?.*\), got"):
            scores(reward, "4")


@pytest.mark.parametrize(
    "make", [lambda: Verifier(lambda problem, path: 1.0), lambda: FunctionReward(lambda text: 1.0)]
)
def test_each_has_a_server_of_its_own_with_a_flat_curve_and_no_cost(make: Callable[[], Reward]) -> None:
    one, other = make(), make()
    scores(one, "4")
    assert one.server is one.server
    assert one.server is not other.server
    assert one.server.name == one.name
    curve = one.server.capabilities.curve
    assert curve.itl_seconds(1) == curve.itl_seconds(64) > 0
    assert one.server.counters() == Counters(0, Tokens())


def test_a_running_score_is_counted_and_a_cancelled_one_no_longer() -> None:
    async def verify(problem: Problem, path: Path) -> float:
        await asyncio.sleep(10)
        return 1.0

    async def main() -> list[int]:
        reward = Verifier(verify)
        task = asyncio.create_task(reward.score(request("4"), Progress()))
        await asyncio.sleep(1)
        during = reward.server.counters().running
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return [during, reward.server.counters().running]

    assert run_virtual(main()) == [1, 0]


def test_latency_passes_on_the_clock_of_the_loop_for_each_path() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        started_at_seconds = loop.time()
        await FunctionReward(lambda text: 0.5, latency_seconds=600).score(request("4", "5"), Progress())
        return loop.time() - started_at_seconds

    assert run_virtual(main()) == pytest.approx(1200)


@pytest.mark.parametrize("wrong", [{"latency_seconds": -1.0}, {"slots": 0}])
def test_impossible_settings_are_named(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        FunctionReward(lambda text: 0.5, **wrong)  # type: ignore[arg-type]
