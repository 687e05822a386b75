"""A verdict that was stopped half written goes on from there where the engine keeps tokens: drawn anew, those that are
stopped because they are long would be shorter."""

from __future__ import annotations

import asyncio

import pytest

from spex.control.clock import run_virtual
from spex.engine.base import Completion, Engine, Generation, Progress
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

    def __init__(self) -> None:
        super().__init__(lambda prompt, seed: VERDICT)
        self.asked: list[str] = []

    async def generate(self, request: Generation, progress: Progress) -> Completion:
        kept = bytes(progress.token_ids).decode()
        self.asked.append(kept)
        if len(self.asked) > 1 and not kept:
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

    async def main() -> tuple[float, ...]:
        scoring = asyncio.ensure_future(reward.score(asked, progress))
        await asyncio.sleep(1.0)
        scoring.cancel()
        await asyncio.gather(scoring, return_exceptions=True)
        assert progress.is_begun
        assert progress.cost == engine.counters().cost
        return await reward.score(asked, progress)

    assert run_virtual(main()) == pytest.approx(scores)
    assert engine.asked == ["", "", BEGUN]
    assert progress.cost == engine.counters().cost


def test_a_reward_that_writes_nothing_has_nothing_to_go_on_from() -> None:
    progress = Progress()
    progress.kept["0"] = Progress()
    assert not progress.is_begun
