"""Recording, resuming and replaying: one log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from spex.control.clock import run_virtual
from spex.control.log import FileLog
from spex.engine.abilities import Identity
from spex.engine.base import Completion, Counters, Generation, Labelling, Message, Progress, Scoring, innermost
from spex.engine.base import Path as Solved
from spex.engine.function import FunctionPolicy
from spex.engine.recorded import Recorded, Replayed
from spex.engine.retrying import Retrying
from spex.errors import LogMismatch, Misbehaving, NotLossless
from spex.problem import Problem
from spex.prompt import Prompt
from spex.record import MemoryLog, ScoreEntry, TextEntry
from spex.reward.combined import Combined
from spex.reward.function import FunctionReward
from spex.reward.recorded import RecordedReward, ReplayedReward
from spex.usage import Tokens
from tests.builders import Words, policy, request, reward

T = TypeVar("T")
CHAT = [Message("user", "what?")]


def scoring(tokens: tuple[int, ...] = (1, 2), seed: int = 5) -> Scoring:
    return Scoring("p|score:reward.0:step.0", Problem("problem", "p"), (Solved(Prompt([tokens]), ()),), "reward", seed)


def generated(engine: Recorded | Replayed, asked: Generation, progress: Progress | None = None) -> Completion:
    return run_virtual(engine.generate(asked, progress or Progress()))


def test_a_call_is_made_once_and_then_read() -> None:
    engine, log = policy(Words(usual=10)), MemoryLog()
    recorded = Recorded(engine, log)
    first = generated(recorded, request())
    cost = engine.counters().cost
    assert generated(recorded, request()) == first
    assert engine.counters() == Counters(0, cost)


def test_what_is_read_says_so_and_brings_its_cost() -> None:
    recorded, made, read = Recorded(policy(Words(usual=10)), MemoryLog()), Progress(), Progress()
    generated(recorded, request(), made)
    generated(recorded, request(), read)
    assert (made.replayed, read.replayed) == (False, True)
    assert made.cost == read.cost == Tokens(generated=10, prompt_uncached=3)


class Served(FunctionPolicy):
    """Says which model it has, and counts how often it is open."""

    def __init__(self, model: str, version: str = "vLLM 0.32.0") -> None:
        super().__init__(lambda prompt, seed: "a", name="vllm:http://h")
        self.identity = Identity(version, model)
        self.open_now = 0

    async def load(self) -> None: ...

    async def open(self) -> None:
        self.open_now += 1

    async def close(self) -> None:
        self.open_now -= 1


class Judging(FunctionReward):
    """A reward on a server that says which model it has."""

    def __init__(self, engine: Served) -> None:
        super().__init__(lambda text: 0.5)
        self._engine = engine

    @property
    def server(self) -> Served:
        return self._engine

    async def open(self) -> None:
        await self._engine.open()

    async def close(self) -> None:
        await self._engine.close()


def policies(engine: Served, log: MemoryLog) -> Recorded:
    return Recorded(Retrying(engine), log)


def rewards(engine: Served, log: MemoryLog) -> RecordedReward:
    return RecordedReward(Judging(engine), log)


def combined(engine: Served, log: MemoryLog) -> RecordedReward:
    return RecordedReward(Combined([FunctionReward(lambda text: 1.0), Judging(engine)]), log)


@pytest.mark.parametrize("recorded", [policies, rewards, combined])
def test_a_log_does_not_go_on_with_another_model_at_the_same_address(
    recorded: Callable[[Served, MemoryLog], Recorded | RecordedReward],
) -> None:
    log = MemoryLog()

    def opened(model: str, version: str = "vLLM 0.32.0") -> int:
        engine = Served(model, version)
        run_virtual(recorded(engine, log).open())
        return engine.open_now

    assert opened("") == opened("small") == opened("small") == 1
    assert opened("small", "vLLM 0.33.0") == 1
    other = Served("large")
    with pytest.raises(LogMismatch, match="'small', and vllm:http://h now has 'large': serve the former there again"):
        run_virtual(recorded(other, log).open())
    assert other.open_now == 0
    assert opened("") == 1


def test_which_model_a_server_has_is_kept_on_the_disk(tmp_path: Path) -> None:
    for _ in range(2):
        with FileLog(tmp_path / "log", {}) as log:
            run_virtual(Recorded(Served("small"), log).open())
            assert len(log) == 1
    with FileLog(tmp_path / "log", {}) as log, pytest.raises(LogMismatch):
        run_virtual(Recorded(Served("large"), log).open())


@pytest.mark.parametrize("other", [request(seed=8), request(prompt=(1, 2)), request()])
def test_a_record_of_another_request_is_refused(other: Generation) -> None:
    recorded = Recorded(policy(), MemoryLog())
    generated(recorded, request())
    if other == request():
        other = Generation(other.key, other.prompt, other.seed, other.stop, other.tokens_max - 1)
    with pytest.raises(LogMismatch, match="was recorded for another request"):
        generated(recorded, other)


def test_a_call_that_failed_is_not_kept() -> None:
    async def main() -> list[str]:
        said: list[str] = []

        def speak(prompt: str, seed: int) -> str:
            said.append(prompt)
            if len(said) == 1:
                raise ValueError
            return "a"

        log = MemoryLog()
        recorded = Recorded(FunctionPolicy(speak), log)
        asked = request(prompt=(65,))
        with pytest.raises(Misbehaving):
            await recorded.generate(asked, Progress())
        assert log.entries == {}
        assert (await recorded.generate(asked, Progress())).text == "a"
        return said

    assert asyncio.run(main()) == ["A", "A"]


def test_a_call_that_was_stopped_is_not_kept() -> None:
    async def main() -> None:
        log = MemoryLog()
        task = asyncio.ensure_future(Recorded(policy(), log).generate(request(), Progress()))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.wait([task])
        assert log.entries == {}

    run_virtual(main())


def test_encodings_are_kept_so_that_a_replay_needs_no_tokenizer() -> None:
    async def main() -> None:
        log = MemoryLog()
        recorded, replay = Recorded(policy(), log), Replayed(log)
        assert await recorded.encode("text") == await replay.encode("text")
        assert await recorded.encode_chat(CHAT) == await replay.encode_chat(CHAT)
        assert len(log.entries) == 2
        assert await recorded.encode("text") == await recorded.encode("text")

    run_virtual(main())


def test_a_text_and_a_chat_of_the_same_words_are_two_encodings() -> None:
    async def main() -> None:
        log = MemoryLog()
        recorded = Recorded(FunctionPolicy(lambda prompt, seed: ""), log)
        assert await recorded.encode(repr(tuple(CHAT))) != await recorded.encode_chat(CHAT)

    asyncio.run(main())


def test_a_replay_gives_what_was_recorded() -> None:
    log = MemoryLog()
    made, read = Progress(), Progress()
    said = generated(Recorded(policy(), log), request(), made)
    assert generated(Replayed(log), request(), read) == said
    assert (read.cost, read.replayed) == (made.cost, True)


def test_a_replay_of_what_was_never_recorded_is_a_loss() -> None:
    async def main() -> None:
        replay = Replayed(MemoryLog())
        for asked in (
            replay.generate(request(), Progress()),
            replay.encode("text"),
            replay.encode_chat(CHAT),
            replay.label(Labelling("p|label", Prompt(), (1,)), Progress()),
        ):
            with pytest.raises(NotLossless):
                await asked

    run_virtual(main())


def test_a_replay_costs_no_engine_anything() -> None:
    assert Replayed(MemoryLog()).counters() == Counters(0, Tokens())
    assert ReplayedReward(MemoryLog()).counters() == Counters(0, Tokens())


def test_recording_changes_nothing_about_an_engine() -> None:
    engine = policy(name="mine", slots=3)
    recorded = Recorded(engine, MemoryLog())
    assert (recorded.name, recorded.capabilities) == ("mine", engine.capabilities)
    assert innermost(recorded) is engine


class Door:
    """Stands for whatever is opened and closed."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.server = self

    async def open(self) -> None:
        self.told.append("open")

    async def close(self) -> None:
        self.told.append("close")


def test_what_is_recorded_is_opened_and_closed_with_its_wrapper() -> None:
    async def main() -> None:
        for wrapper in (Recorded, RecordedReward, Retrying):
            door = Door()
            wrapped = wrapper(door, MemoryLog()) if wrapper is not Retrying else Retrying(door)  # type: ignore[arg-type]
            await wrapped.open()
            await wrapped.close()
            assert door.told == ["open", "close"]

    asyncio.run(main())


def test_a_score_is_made_once_and_then_read() -> None:
    server, log = reward(), MemoryLog()
    recorded = RecordedReward(server, log)
    made, read, replayed = Progress(), Progress(), Progress()
    first = run_virtual(recorded.score(scoring(), made))
    assert run_virtual(recorded.score(scoring(), read)) == first
    assert run_virtual(ReplayedReward(log).score(scoring(), replayed)) == first
    assert server.counters().cost == made.cost == read.cost == replayed.cost
    assert (made.replayed, read.replayed, replayed.replayed) == (False, True, True)


@pytest.mark.parametrize("other", [scoring((1, 3)), scoring(seed=6)])
def test_a_score_of_another_content_is_refused(other: Scoring) -> None:
    recorded = RecordedReward(reward(), MemoryLog())
    run_virtual(recorded.score(scoring(), Progress()))
    with pytest.raises(LogMismatch, match="another request"):
        run_virtual(recorded.score(other, Progress()))


def test_a_replay_of_a_score_that_was_never_recorded_is_a_loss() -> None:
    with pytest.raises(NotLossless):
        run_virtual(ReplayedReward(MemoryLog()).score(scoring(), Progress()))


class Odd:
    """A reward that says what it is told to."""

    def __init__(self, says: object) -> None:
        self._function = FunctionReward(lambda text: 0.5)
        self._says = says
        self.name = "odd"
        self.server = self._function.server

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def score(self, request: Scoring, progress: Progress) -> tuple[float, ...]:
        return self._says  # type: ignore[return-value]  # that it may be wrong is the point


@pytest.mark.parametrize("wrong", [(float("nan"),), (1.5,), (), (0.5, 0.5), ("high",), None])
def test_scores_that_cannot_be_right_are_not_kept(wrong: object) -> None:
    log = MemoryLog()
    with pytest.raises(Misbehaving):
        run_virtual(RecordedReward(Odd(wrong), log).score(scoring(), Progress()))
    assert log.entries == {}


def test_a_whole_number_is_kept_as_the_float_that_every_reader_gets() -> None:
    log = MemoryLog()
    assert run_virtual(RecordedReward(Odd([1]), log).score(scoring(), Progress())) == (1.0,)
    entry = log.find(scoring().key)
    assert isinstance(entry, ScoreEntry)
    assert type(entry.values[0]) is float


def test_a_name_that_stands_for_another_kind_of_call_is_not_read() -> None:
    log = MemoryLog()
    log.append(TextEntry(scoring().key, scoring().digest, "text", (1,), "eos"))
    assert run_virtual(RecordedReward(reward(), log).score(scoring(), Progress()))
