"""A verdict that was stopped half written goes on from there where the engine keeps tokens: drawn anew, those that are
stopped because they are long would be shorter."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from spex.control.clock import run_virtual
from spex.engine.base import Capabilities, Completion, Engine, Generation, Progress, Scoring
from spex.engine.function import FunctionPolicy
from spex.reward.base import Reward
from spex.reward.combined import Combined
from spex.reward.rubric import Rubric
from spex.reward.value import Value
from spex.reward.vote import Vote
from tests.reward.paths import path, request

VERDICT = "Score: 7\nThe best choice is 2\nsure"
BEGUN = VERDICT[:4]


class Halting(FunctionPolicy):
    """Writes one verdict as a whole; of any other it writes the beginning, and the rest when it is asked again."""

    def __init__(self, *, resumes: bool = True) -> None:
        super().__init__(lambda prompt, seed: self.verdict)
        self.verdict: str = VERDICT
        self.written_at_last = False
        self.asked: list[str] = []
        self._resumes = resumes

    @property
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities, seed="none", resumes=self._resumes)

    async def generate(self, request: Generation, progress: Progress) -> Completion:
        kept = bytes(progress.token_ids).decode()
        self.asked.append(kept)
        if len(self.asked) > 1 and not kept and not (self.written_at_last and len(self.asked) > 2):
            self._spend(progress, generated=len(BEGUN))
            progress.token_ids.extend(BEGUN.encode())
            progress.text = BEGUN
            await asyncio.sleep(60.0)
        return await super().generate(request, progress)


def votes(engine: Engine) -> Reward:
    return Combined([Vote(engine), Vote(engine)])


def rubrics(engine: Engine) -> Reward:
    return Combined([Rubric(engine), Value(engine)])


@pytest.mark.parametrize(
    ("make", "paths", "scores"),
    [
        (Rubric, ("one", "two"), (0.7, 0.7)),
        (Value, ("one", "two"), (1.0, 1.0)),
        (votes, ("one", "two"), (0.0, 1.0)),
        (rubrics, ("one",), (0.7,)),
    ],
)
def test_what_is_whole_is_not_asked_for_again_and_what_is_begun_goes_on(
    make: type[Rubric], paths: tuple[str, ...], scores: tuple[float, ...]
) -> None:
    engine, progress = Halting(), Progress()
    reward, asked = make(engine), request(*(path(text) for text in paths))

    assert run_virtual(begun_again(reward, asked, progress)) == pytest.approx(scores)
    assert engine.asked == ["", "", BEGUN]
    assert progress.cost == engine.counters().cost


async def begun_again(reward: Reward, asked: Scoring, progress: Progress) -> tuple[float, ...]:
    """Its scores, where it was stopped a while after it was first asked."""
    scoring = asyncio.ensure_future(reward.score(asked, progress))
    await asyncio.sleep(1.0)
    scoring.cancel()
    await asyncio.gather(scoring, return_exceptions=True)
    assert progress.is_begun
    return await reward.score(asked, progress)


def test_an_engine_that_keeps_no_tokens_writes_what_was_not_whole_from_its_start() -> None:
    """It may stand beside one that does: the scheduler asks the first of several rewards alone."""
    engine, progress = Halting(resumes=False), Progress()
    engine.written_at_last = True
    asked = request(path("one"), path("two"))
    assert run_virtual(begun_again(Rubric(engine), asked, progress)) == (0.7, 0.7)
    assert engine.asked == ["", "", ""]


def test_equal_questions_to_several_engines_are_asked_of_each() -> None:
    one = FunctionPolicy(lambda prompt, seed: "Score: 3", name="one")
    other = FunctionPolicy(lambda prompt, seed: "Score: 9", name="other")
    progress = Progress()

    async def main() -> list[tuple[float, ...]]:
        return [await Rubric(engine).score(request(path("x")), progress) for engine in (one, other)]

    assert run_virtual(main()) == [(0.3,), (0.9,)]


def test_a_verdict_that_cannot_be_read_counts_once_however_often_its_call_is_stopped() -> None:
    engine = Halting()
    engine.verdict = "no verdict"
    reward = Rubric(engine)
    assert run_virtual(begun_again(reward, request(path("one"), path("two")), Progress())) == (0.5, 0.5)
    assert reward.unread == 2


def test_a_reward_that_writes_nothing_has_nothing_to_go_on_from() -> None:
    progress = Progress()
    progress.kept["0"] = Progress()
    assert not progress.is_begun
