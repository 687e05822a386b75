"""Failures that may pass are tried again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator
from itertools import pairwise

import pytest

from spex.control.clock import run_virtual
from spex.engine.base import (
    Capabilities,
    Completion,
    Counters,
    Generation,
    Labelling,
    Message,
    Progress,
    SeedKind,
    innermost,
)
from spex.engine.recorded import Recorded
from spex.engine.retrying import Retrying, retrying
from spex.errors import EngineError, InputError, Misbehaving, Overloaded, TimedOut, Unreachable
from spex.prompt import Prompt
from spex.record import MemoryLog
from spex.usage import Tokens
from tests.builders import Words, policy, request

AWAY = Unreachable("engine", "connection refused")
FULL = Overloaded("engine", "queue full")
SILENT = TimedOut("engine", "token_gap", 30.0)


class Failing:
    """An engine that fails as it is told to, half-way through a text of ten tokens, then works."""

    def __init__(self, errors: Iterable[BaseException], seed: SeedKind = "positional") -> None:
        self._errors: Iterator[BaseException] = iter(errors)
        self._cost = Tokens()
        self.asked: list[tuple[float, object]] = []
        self.name = "failing"
        self.capabilities = Capabilities(seed=seed, resumes=True)

    def counters(self) -> Counters:
        return Counters(0, self._cost)

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def encode(self, text: str) -> tuple[int, ...]:
        return await self._answer(text, Progress(), (1, 2))

    async def encode_chat(self, messages: Iterable[Message]) -> tuple[int, ...]:
        return await self._answer(tuple(messages), Progress(), (1, 2, 3))

    async def generate(self, request: Generation, progress: Progress) -> Completion:
        ids = await self._answer(request, progress, tuple(range(10)))
        return Completion("text", ids, None, "eos")

    async def label(self, request: Labelling, progress: Progress) -> tuple[float, ...]:
        await self._answer(request, progress, ())
        return (0.5,)

    async def _answer(self, asked: object, progress: Progress, ids: tuple[int, ...]) -> tuple[int, ...]:
        self.asked.append((asyncio.get_running_loop().time(), asked))
        error = next(self._errors, None)
        missing = ids[len(progress.token_ids) :][: 5 if error else 10]
        await asyncio.sleep(0.1)
        progress.token_ids.extend(missing)
        progress.spend(generated=len(missing))
        self._cost = self._cost.plus(Tokens(len(missing)))
        if error is not None:
            raise error
        return ids


def tried(*errors: EngineError, seed: SeedKind = "positional") -> tuple[Failing, Progress]:
    """One generation by an engine that fails so."""
    engine, progress = Failing(errors, seed), Progress()
    run_virtual(Retrying(engine, wait_jitter_seconds=0.0).generate(request(), progress))
    return engine, progress


@pytest.mark.parametrize("error", [AWAY, FULL, SILENT])
def test_what_may_pass_is_tried_again_with_the_same_request(error: EngineError) -> None:
    engine, _ = tried(error, error)
    assert [asked for _, asked in engine.asked] == [request()] * 3


def test_without_patience_it_is_tried_four_times_and_then_the_last_error_comes_out() -> None:
    engine = Failing([AWAY, FULL, AWAY, SILENT, AWAY])
    with pytest.raises(TimedOut):
        run_virtual(Retrying(engine, patience_seconds=0.0).generate(request(), Progress()))
    assert len(engine.asked) == 4


@pytest.mark.parametrize("patience_seconds", [20.0, 60.0])
def test_an_engine_that_is_away_is_asked_until_patience_ends_and_more_and_more_seldom(
    patience_seconds: float,
) -> None:
    engine = Failing([AWAY] * 1000)
    with pytest.raises(Unreachable):
        run_virtual(Retrying(engine, patience_seconds=patience_seconds).generate(request(), Progress()))
    times = [at for at, _ in engine.asked]
    assert patience_seconds <= times[-1] < patience_seconds + 6.0
    assert len(times) < 25


def test_a_server_that_takes_35_seconds_to_start_anew_is_waited_for_if_nothing_is_said() -> None:
    class Restarting(Failing):
        async def _answer(self, asked: object, progress: Progress, ids: tuple[int, ...]) -> tuple[int, ...]:
            if asyncio.get_running_loop().time() < 35.0:
                raise AWAY
            return await super()._answer(asked, progress, ids)

    assert run_virtual(Retrying(Restarting([])).generate(request(), Progress())).text == "text"


def test_an_engine_that_is_silent_for_longer_than_patience_is_tried_four_times_all_the_same() -> None:
    class Silent(Failing):
        async def _answer(self, asked: object, progress: Progress, ids: tuple[int, ...]) -> tuple[int, ...]:
            self.asked.append((0.0, asked))
            await asyncio.sleep(300.0)
            raise SILENT

    engine = Silent([])
    with pytest.raises(TimedOut):
        run_virtual(Retrying(engine).generate(request(), Progress()))
    assert len(engine.asked) == 4


def test_a_number_of_attempts_counts_whatever_time_they_take() -> None:
    engine = Failing([AWAY] * 40)
    run_virtual(Retrying(engine, attempts=41, patience_seconds=1.0).generate(request(), Progress()))
    assert len(engine.asked) == 41
    with pytest.raises(Unreachable):
        run_virtual(Retrying(Failing([AWAY] * 2), attempts=2).generate(request(), Progress()))


@pytest.mark.parametrize("error", [Misbehaving("engine", "a text", None), EngineError("engine", "no"), ValueError()])
def test_what_will_not_pass_is_not_tried_again(error: Exception) -> None:
    engine = Failing([error])
    with pytest.raises(type(error)):
        run_virtual(Retrying(engine).generate(request(), Progress()))
    assert len(engine.asked) == 1


def test_what_a_failed_attempt_generated_is_lost_and_the_next_one_starts_afresh() -> None:
    engine, progress = tried(AWAY, FULL, seed="whole")
    assert progress.lost == Tokens(generated=10)
    assert progress.cost == Tokens(generated=10)
    assert tuple(progress.token_ids) == tuple(range(10))
    assert engine.counters().cost == progress.cost.plus(progress.lost)


@pytest.mark.parametrize("seed", ["none", "positional"])
def test_where_the_engine_keeps_tokens_the_next_attempt_goes_on_from_those_of_a_failed_one(seed: SeedKind) -> None:
    engine, progress = tried(AWAY, seed=seed)
    assert (progress.lost, progress.cost, progress.failed) == (Tokens(), Tokens(generated=10), True)
    assert tuple(progress.token_ids) == tuple(range(10))
    assert engine.counters().cost == progress.cost


def test_who_is_told_to_come_back_does_not_come_in_the_same_instant_as_all_others() -> None:
    def waited() -> float:
        engine = Failing([Overloaded("engine", "429", retry_after_seconds=20.0)])
        run_virtual(Retrying(engine).generate(request(), Progress()))
        return engine.asked[1][0]

    found = [waited() for _ in range(20)]
    assert len(set(found)) > 10
    assert min(found) >= 20.1
    assert max(found) <= 21.1 + 1e-9


def test_a_guess_for_which_there_is_no_room_is_not_asked_for_again_and_one_that_is_demanded_meanwhile_is() -> None:
    engine = Failing([FULL, FULL])
    with pytest.raises(Overloaded):
        run_virtual(Retrying(engine).generate(request(), Progress(demanded=False)))
    assert len(engine.asked) == 1
    assert run_virtual(Retrying(engine).generate(request(), Progress())).text == "text"


def test_an_outage_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        engine = Retrying(Failing([AWAY, AWAY, FULL]))
        await engine.generate(request(), Progress())
        await engine.generate(request(), Progress())

    with caplog.at_level(logging.WARNING, "spex"):
        run_virtual(main())
    told = [record.getMessage() for record in caplog.records if record.name == "spex"]
    assert told == [f"{AWAY}; what may pass is asked again"]


def test_an_engine_that_says_when_to_come_back_is_left_alone_until_then() -> None:
    engine, _ = tried(Overloaded("engine", "429", retry_after_seconds=20.0), AWAY)
    times = [at for at, _ in engine.asked]
    assert times[1] == pytest.approx(20.1)
    assert times[2] < 25.0


def test_come_back_at_once_is_a_time_too() -> None:
    engine, _ = tried(Overloaded("engine", "429", retry_after_seconds=0.0))
    assert [at for at, _ in engine.asked] == pytest.approx([0.0, 0.1])


def test_waits_grow() -> None:
    engine, _ = tried(AWAY, AWAY, AWAY)
    times = [at for at, _ in engine.asked]
    waits = [after - before for before, after in pairwise(times)]
    assert waits == sorted(waits)
    assert waits[0] < waits[-1]


def test_a_cancellation_ends_the_wait_for_the_next_attempt() -> None:
    async def main() -> None:
        engine, progress = Failing([AWAY]), Progress()
        task = asyncio.ensure_future(Retrying(engine).generate(request(), progress))
        await asyncio.sleep(0.15)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert len(engine.asked) == 1
        assert progress.cost == Tokens(generated=5)

    run_virtual(main())


def test_label_probabilities_are_tried_again_too() -> None:
    engine = Failing([AWAY])
    asked = Labelling("p|label", Prompt(), (1,))
    assert run_virtual(Retrying(engine).label(asked, Progress())) == (0.5,)
    assert len(engine.asked) == 2


def test_encodings_are_tried_again_too() -> None:
    async def main() -> list[tuple[int, ...]]:
        text, chat = Retrying(Failing([AWAY])), Retrying(Failing([FULL]))
        return [await text.encode("a"), await chat.encode_chat([Message("user", "a")])]

    assert run_virtual(main()) == [(1, 2), (1, 2, 3)]


def test_retrying_changes_nothing_about_an_engine() -> None:
    engine = policy(Words(), name="mine")
    retrying = Retrying(engine)
    assert (retrying.name, retrying.capabilities, retrying.counters()) == (
        "mine",
        engine.capabilities,
        engine.counters(),
    )
    assert innermost(retrying) is engine


def test_an_engine_that_retries_already_is_left_as_it_is() -> None:
    plain = policy(Words())
    once = retrying(plain)
    assert isinstance(once, Retrying)
    recording = Recorded(once, MemoryLog())
    assert (retrying(once), retrying(recording)) == (once, recording)


def test_retries_are_not_shouted_on_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger("stamina")
    assert any(isinstance(handler, logging.NullHandler) for handler in logger.handlers)
    tried(AWAY)
    assert capfd.readouterr().err == ""


class Renewed(Failing):
    """One whose server has another model when it comes back."""

    def __init__(self, errors: Iterable[BaseException], is_other: bool) -> None:
        super().__init__(errors)
        self.rechecks = 0
        self._is_other = is_other

    async def recheck(self) -> None:
        self.rechecks += 1
        if self._is_other:
            raise InputError("policy", self.name, "it serves another model now")


@pytest.mark.parametrize("error", [AWAY, SILENT])
def test_an_engine_that_failed_is_asked_once_whether_its_model_is_the_same(error: EngineError) -> None:
    inner = Renewed([error], is_other=False)
    engine = Retrying(inner)
    for _ in range(3):
        assert run_virtual(engine.generate(request(), Progress())).text == "text"
    assert inner.rechecks == 1


@pytest.mark.parametrize(("seconds", "rechecks"), [(4.0, 0), (6.0, 1)])
def test_an_engine_that_was_not_asked_for_seconds_is_asked_whether_its_model_is_the_same(
    seconds: float, rechecks: int
) -> None:
    """It may have been started anew meanwhile, and nothing of that was seen."""
    inner = Renewed([], is_other=False)

    async def main() -> None:
        engine = Retrying(inner)
        await engine.open()
        await engine.generate(request(), Progress())
        await asyncio.sleep(seconds)
        await engine.generate(request(), Progress())

    run_virtual(main())
    assert inner.rechecks == rechecks


def test_an_engine_that_is_full_has_not_failed() -> None:
    inner = Renewed([FULL], is_other=True)
    assert run_virtual(Retrying(inner).generate(request(), Progress())).text == "text"


def test_another_model_is_asked_for_nothing_from_then_on() -> None:
    inner = Renewed([AWAY], is_other=True)
    engine = Retrying(inner)
    for _ in range(2):
        with pytest.raises(InputError, match="another model"):
            run_virtual(engine.generate(request(), Progress()))
    assert len(inner.asked) == 1


class Opening(Failing):
    """One that fails when it is opened."""

    async def open(self) -> None:
        await self._answer("open", Progress(), ())


def test_a_full_engine_is_waited_for_when_it_is_opened_and_no_other() -> None:
    full = Opening([FULL, FULL])
    run_virtual(Retrying(full).open())
    assert len(full.asked) == 3
    for error in (AWAY, SILENT):
        away = Opening([error])
        with pytest.raises(type(error)):
            run_virtual(Retrying(away).open())
        assert len(away.asked) == 1
