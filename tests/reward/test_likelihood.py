"""Likelihood under a larger model."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, inf, log, nan

import pytest

import spex
from spex.engine.abilities import Reading
from spex.engine.base import Message, Path, Progress, Scoring
from spex.engine.function import FunctionPolicy
from spex.engine.retrying import Retrying
from spex.errors import InputError, Misbehaving, Overloaded, Unreachable
from spex.prompt import Prompt
from spex.reward.known_answer import USUAL
from spex.reward.likelihood import FORMS, Likelihood
from spex.reward.named import find_reward
from spex.tasks.gsm8k import Gsm8k
from spex.testing.difference import first_difference
from spex.tree import Step
from spex.usage import Tokens
from tests.reward.paths import PROBLEM, path, request, scores

URL = "http://127.0.0.1:30001"


class Larger(FunctionPolicy):
    """Finds an x likely and anything else not, digits the less the larger they are; keeps what it was asked to read.

    Of a small known problem nothing is kept, and nothing goes wrong there.
    """

    def __init__(self, answer: object = None) -> None:
        self.asked: list[tuple[str, str]] = []
        self.opened = 0
        self.failures = 0

        def likely(before: str, text: str) -> Sequence[float]:
            found = [-0.5 if letter == "x" else -2.0 - 0.01 * (letter.isdigit() and int(letter)) for letter in text]
            if USUAL[0] in before:
                return found
            self.asked.append((before, text))
            if self.failures:
                self.failures -= 1
                raise Overloaded("larger", "busy", retry_after_seconds=0.0)
            return found if answer is None else answer  # type: ignore[return-value]

        super().__init__(lambda prompt, seed: "", likely=likely, name="larger")

    async def open(self) -> None:
        await super().open()
        self.opened += 1

    async def close(self) -> None:
        self.opened -= 1


def own(*steps: tuple[str, float | None]) -> Path:
    """Steps with the policy's log-probability of each of their bytes."""
    made = tuple(
        Step(text, tuple(text.encode()), None if value is None else (value,) * len(text)) for text, value in steps
    )
    return Path(Prompt([step.token_ids for step in made]), made)


def test_it_is_the_mean_over_the_last_steps_tokens_as_the_larger_model_has_them() -> None:
    engine = Larger()
    asked = request(path("aa\n\n", "xxx"), path("aa\n\n", "xb"))
    assert scores(Likelihood(engine), asked) == pytest.approx((exp(-0.5), exp(-1.25)))
    before, text = engine.asked[0]
    assert text == "xxx"
    assert before.endswith("Assistant: aa\n\n")
    assert PROBLEM.text in before


def test_it_may_be_of_the_whole_path() -> None:
    (score,) = scores(Likelihood(Larger(), "path"), request(path("bb", "xx")))
    assert score == pytest.approx(exp(-1.25))


def test_the_contrast_is_one_half_where_both_agree_and_more_where_the_larger_model_finds_it_likelier() -> None:
    asked = request(own(("a", -1.0), ("xx", -0.5)), own(("xx", -3.0)), own(("xx", -0.1)))
    same, more, less = scores(Likelihood(Larger(), "contrast"), asked)
    assert same == pytest.approx(0.5)
    assert log(more / (1.0 - more)) == pytest.approx(2.5)
    assert log(less / (1.0 - less)) == pytest.approx(-0.4)


def test_the_contrast_alone_reads_the_policys_log_probabilities() -> None:
    assert {form: Likelihood(Larger(), form).reads_logprobs for form in FORMS} == {
        "step": False,
        "path": False,
        "contrast": True,
    }


def test_the_contrast_compares_likelihoods_of_one_text_whatever_their_tokens_are() -> None:
    step = Step("xxxx", (7, 8), (-1.5, -1.5))
    (score,) = scores(Likelihood(Larger(), "contrast"), request(Path(Prompt([(7, 8)]), (step,))))
    assert log(score / (1.0 - score)) == pytest.approx((4 * -0.5 - 2 * -1.5) / 2)


@pytest.mark.parametrize("logprobs", [None, nan, 1.0])
def test_the_contrast_without_the_policys_log_probabilities_is_misbehaving(logprobs: float | None) -> None:
    told = r"\(does it tell any\? likelihood:step reads none of them\), for problem 'sum-7', step 1, got"
    with pytest.raises(Misbehaving, match=told):
        scores(Likelihood(Larger(), "contrast"), request(own(("xx", logprobs))))


@pytest.mark.parametrize("form", ["step", "path", "contrast"])
def test_what_has_no_tokens_scores_nothing(form: str) -> None:
    engine = Larger()
    asked = request(Path(Prompt(), ()), own(("", -1.0)))
    assert scores(Likelihood(engine, form), asked) == (0.0, 0.0)
    assert engine.asked == []


def test_what_was_read_is_not_read_again() -> None:
    engine = Larger()
    assert len(set(scores(Likelihood(engine), request(path("xb"), path("xb"))))) == 1
    assert len(engine.asked) == 1


def test_a_text_that_cannot_be_written_scores_nothing() -> None:
    @dataclass
    class Certain:
        reads = True

        async def read(self, request: Reading, progress: Progress) -> tuple[float, ...]:
            return (-inf,) * len(request.read)

    reward = Likelihood(Larger(), "step")

    async def main() -> tuple[float, ...]:
        await reward.open()
        reward._reader = Certain()
        return await reward.score(request(path("ab")), Progress())

    assert asyncio.run(main()) == (0.0,)


def test_a_task_says_how_the_problem_is_asked() -> None:
    engine = Larger()
    scores(Likelihood(engine, messages=Gsm8k().messages), request(path("x")))
    assert engine.asked[0][0].startswith(f"System: {Gsm8k().instructions}")


@pytest.mark.parametrize("answer", [[-1.0], "no", [0.5, 0.5], [nan, nan], None, [None, None]])
def test_an_answer_that_cannot_be_right_is_misbehaving(answer: object) -> None:
    engine = Larger(answer if answer is not None else [])
    with pytest.raises(Misbehaving, match=r", for problem 'sum-7', step 1 \("):
        scores(Likelihood(engine), request(path("xb")))
    assert engine.counters().running == 0
    assert engine.opened == 0


def test_a_server_that_is_busy_is_asked_again() -> None:
    engine = Larger()
    engine.failures = 2
    assert scores(Likelihood(Retrying(engine)), request(path("x"))) == pytest.approx((exp(-0.5),))
    assert len(engine.asked) == 3


class Renewed(Larger):
    """One whose server is started anew, with another model or with the same one."""

    is_away = False
    is_other = False
    rechecks = 0

    async def read(self, request: Reading, progress: Progress) -> tuple[float, ...]:
        if self.is_away:
            raise Unreachable(self.name, "gone")
        return await super().read(request, progress)

    async def recheck(self) -> None:
        self.rechecks += 1
        if self.is_other:
            raise InputError("policy", self.name, "it serves another model now")


@pytest.mark.parametrize("is_other", [False, True])
def test_a_server_that_failed_is_asked_whether_its_model_is_the_same(
    is_other: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spex.reward.likelihood.repeated", lambda ask, progress, **more: ask())
    engine = Renewed()
    reward = Likelihood(Retrying(engine))

    async def main() -> None:
        await reward.open()
        engine.is_away, engine.is_other = True, is_other
        with pytest.raises(Unreachable):
            await reward.score(request(path("x")), Progress())
        engine.is_away = False
        for text in ("xx", "xxx"):
            if not is_other:
                assert len(await reward.score(request(path(text)), Progress())) == 1
                continue
            with pytest.raises(InputError, match="another model"):
                await reward.score(request(path(text)), Progress())
        await reward.close()

    asyncio.run(main())
    assert (len(engine.asked), engine.rechecks) == ((0, 2) if is_other else (2, 1))


def test_what_it_has_cost_is_told() -> None:
    async def main() -> None:
        engine, progress = Larger(), Progress()
        reward = Likelihood(engine)
        await reward.open()
        opening = engine.counters().cost.reward
        await reward.score(request(path("x")), progress)
        assert progress.cost == Tokens(reward=engine.counters().cost.reward - opening)
        assert progress.cost.reward > 0

    asyncio.run(main())


def test_cancelling_a_score_lets_go_of_the_engine() -> None:
    async def main() -> None:
        async def likely(before: str, text: str) -> float:
            if USUAL[0] not in before:
                await asyncio.sleep(60.0)
            return -0.001 * (sum(text.encode()) % 700)

        engine = FunctionPolicy(lambda prompt, seed: "", likely=likely)  # type: ignore[arg-type]  # awaited all the same
        reward = Likelihood(engine)
        await reward.open()
        task = asyncio.ensure_future(reward.score(request(path("x")), Progress()))
        while not engine.counters().running:  # noqa: ASYNC110  # on a real clock
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert engine.counters().running == 0

    asyncio.run(main())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("answer", [-1.0, 0.0, "no", [nan]])
def test_an_engine_to_whom_right_and_wrong_are_the_same_is_refused_and_closed_again(form: str, answer: object) -> None:
    engine = Larger()
    engine._likely = lambda before, text: answer  # type: ignore[assignment,return-value]
    told = "for a small known problem" if isinstance(answer, str | list) else "another score for a right solution"
    with pytest.raises(Misbehaving, match=rf"{told}.* \("):
        scores(Likelihood(engine, form), request(path("x")))
    assert engine.opened == 0


def test_what_a_task_asks_is_not_asked_of_the_small_known_problem() -> None:
    def messages(problem: spex.Problem) -> tuple[Message, ...]:
        assert problem == PROBLEM
        return (Message("user", problem.text),)

    assert scores(Likelihood(Larger(), messages=messages), request(path("x"))) == pytest.approx((exp(-0.5),))


def test_an_engine_that_reads_no_foreign_text_is_refused_and_closed_again() -> None:
    engine = Larger()
    engine._likely = None
    with pytest.raises(InputError, match="sglang: and vllm: do") as caught:
        scores(Likelihood(engine), request(path("x")))
    assert caught.value.field == "reward"
    assert engine.opened == 0
    with pytest.raises(InputError, match="step, path, contrast"):
        Likelihood(engine, "sum")


def test_it_is_spelled_with_the_engine_that_serves_it() -> None:
    policy = Retrying(FunctionPolicy(lambda prompt, seed: ""))
    assert find_reward(f"likelihood@vllm:{URL}", policy).name == f"likelihood:step@vllm:{URL}"
    assert find_reward(f"likelihood:contrast@sglang:{URL}", policy).name == f"likelihood:contrast@sglang:{URL}"
    for spec, told in (("likelihood", "likelihood@ENGINE"), (f"likelihood:sum@vllm:{URL}", "step, path, contrast")):
        with pytest.raises(InputError, match=told):
            find_reward(spec, policy)


def test_the_tasks_own_chat_goes_to_a_reward_that_is_spelled() -> None:
    asked: list[Message] = []

    def messages(problem: spex.Problem) -> tuple[Message, ...]:
        asked.append(Message("user", problem.text))
        return (asked[-1],)

    policy = Retrying(FunctionPolicy(lambda prompt, seed: ""))
    reward = find_reward(f"likelihood@vllm:{URL}", policy, messages=messages)
    assert isinstance(reward, Likelihood)
    assert reward._messages is messages


def test_a_search_with_it_finds_the_same_with_speculation_and_without() -> None:
    def policy(prompt: str, seed: int) -> tuple[str, float]:
        written = prompt.rpartition("Assistant: ")[2]
        return ("Answer: 4" if written.count("\n\n") > 1 else "x" * (seed % 3) + "b" * (1 + seed % 2) + "\n\n", -1.0)

    trees = []
    for speculation in (None, spex.Speculation()):
        solution = spex.solve_sync(
            "2 + 2?",
            policy=FunctionPolicy(policy),
            reward=Likelihood(Larger(), "contrast"),
            search=spex.Rebase(width=6),
            speculation=speculation,
        )
        trees.append(solution.tree)
        assert solution.answer == "4"
        assert len({score for values in solution.tree.scores.values() for score in values}) > 2
    assert first_difference(*trees) is None


def test_a_scoring_of_several_paths_has_a_score_for_each() -> None:
    asked = Scoring("k", PROBLEM, (path("x"), path("b")), "reward", 1)
    assert scores(Likelihood(Larger()), asked) == pytest.approx((exp(-0.5), exp(-2.0)))
