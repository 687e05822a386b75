"""Engine and rewards are opened together, closed together, and not waited for by who was told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from spex.api import Options, setup_of, solve
from spex.control.clock import run_virtual
from spex.control.opening import opened
from spex.control.setup import recorded
from spex.engine.base import Capabilities
from spex.engine.drafts import Drafts
from spex.engine.function import FunctionPolicy
from spex.errors import InputError, TimedOut
from spex.record import MemoryLog
from spex.reward.function import FunctionReward
from spex.search.self_consistency import SelfConsistency


async def at_once() -> None:
    pass


async def never() -> None:
    await asyncio.get_running_loop().create_future()


async def refusing() -> None:
    raise InputError("policy", "engine:x", "it is another kind of server")


class Engine(FunctionPolicy):
    """Opens as it is told, and counts."""

    def __init__(self, opening: Callable[[], Awaitable[None]] = at_once) -> None:
        super().__init__(lambda prompt, seed: "Answer: 2")
        self._opening = opening
        self.open_now = 0

    async def open(self) -> None:
        await self._opening()
        self.open_now += 1

    async def close(self) -> None:
        self.open_now -= 1


class Scorer(FunctionReward):
    """A reward that opens as it is told."""

    def __init__(self, opening: Callable[[], Awaitable[None]]) -> None:
        super().__init__(lambda text: 0.5)
        self._opening = opening

    async def open(self) -> None:
        await self._opening()


def opened_with(engine: Engine, reward: Scorer | None = None, *, stop_after: float | None = None) -> bool:
    async def main() -> bool:
        stop = asyncio.Event()
        if stop_after is not None:
            asyncio.get_running_loop().call_later(stop_after, stop.set)
        setup = setup_of({"policy": engine, "reward": reward or Scorer(at_once), "search": SelfConsistency(2)})
        async with opened(setup, stop) as are_open:
            assert engine.open_now == are_open
        return are_open

    return run_virtual(main())


def test_what_was_opened_is_closed() -> None:
    engine = Engine()
    assert opened_with(engine)
    assert engine.open_now == 0


def test_who_is_told_to_stop_waits_for_no_engine() -> None:
    engine = Engine(never)
    assert not opened_with(engine, stop_after=1.0)
    assert engine.open_now == 0


def test_an_engine_is_closed_where_the_run_is_told_to_stop_while_a_reward_opens() -> None:
    async def main() -> None:
        engine, stop = Engine(), asyncio.Event()
        asyncio.get_running_loop().call_later(1.0, stop.set)
        setup = setup_of({"policy": engine, "reward": Scorer(never), "search": SelfConsistency(2)})
        async with opened(setup, stop) as are_open:
            assert not are_open
            assert engine.open_now == 1
        assert engine.open_now == 0

    run_virtual(main())


@pytest.mark.parametrize("stop_after", [None, 1.0])
def test_a_reward_that_refuses_is_told_as_the_reward_and_leaves_no_engine_open(stop_after: float | None) -> None:
    engine = Engine()
    with pytest.raises(InputError) as caught:
        opened_with(engine, Scorer(refusing), stop_after=stop_after)
    assert caught.value.field == "reward"
    assert engine.open_now == 0


class Able(Engine):
    """An engine that can do what it is said to."""

    def __init__(self, can: Capabilities) -> None:
        super().__init__()
        self._can = can

    @property
    def capabilities(self) -> Capabilities:
        return self._can


def opened_so(can: Capabilities, **options: object) -> None:
    async def main() -> None:
        engine = Able(can)
        setup = setup_of({"policy": engine, "search": SelfConsistency(2), **options})  # type: ignore[typeddict-item]
        try:
            async with opened(recorded(setup, MemoryLog())):
                assert engine.open_now == 1
        finally:
            assert engine.open_now == 0

    run_virtual(main())


def test_drafts_that_are_wrong_above_temperature_0_are_refused_before_anything_is_asked() -> None:
    wrong = Capabilities(drafts=Drafts("NGRAM", greedy_only=True, remedy="start it on a GPU"))
    with pytest.raises(InputError, match=r"^temperature: 0.7 .* start it on a GPU"):
        opened_so(wrong, temperature=0.7)
    opened_so(wrong, temperature=0.0)
    opened_so(Capabilities(drafts=Drafts("EAGLE")), temperature=0.7)


def test_a_reward_of_log_probabilities_is_refused_where_the_policy_tells_none() -> None:
    with pytest.raises(InputError, match=r"^reward: 'confidence' .*log-probabilities.*take another"):
        opened_so(Capabilities(log_probabilities=False))
    with pytest.raises(InputError, match=r"^reward: 'product\(arithmetic, confidence\)' .*log-probabilities"):
        opened_so(Capabilities(log_probabilities=False), reward="product(arithmetic, confidence)")
    opened_so(Capabilities(log_probabilities=False), reward="arithmetic")
    opened_so(Capabilities())


@pytest.mark.parametrize("stop_after", [None, 100.0])
@pytest.mark.parametrize("late", ["engine", "reward"])
def test_the_deadline_bounds_the_opening_of_all_of_them(late: str, stop_after: float | None) -> None:
    engine = Engine(never if late == "engine" else at_once)
    reward = Scorer(never if late == "reward" else at_once)

    async def main() -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        if stop_after is not None:
            loop.call_later(stop_after, stop.set)
        began = loop.time()
        options: Options = {"policy": engine, "reward": reward, "search": SelfConsistency(2), "deadline_seconds": 3.0}
        if stop_after is not None:
            options["stop"] = stop
        with pytest.raises(TimedOut, match="deadline query of 3 s ran out") as caught:
            await solve("1 + 1?", **options)
        assert loop.time() - began == 3.0
        assert caught.value.engine == (engine.name if late == "engine" else reward.name)
        assert engine.open_now == 0

    run_virtual(main())


@pytest.mark.parametrize("stop_after", [None, 100.0])
def test_an_engine_that_opens_in_the_instant_of_its_deadline_is_closed_again(stop_after: float | None) -> None:
    async def late() -> None:
        with suppress(asyncio.CancelledError):  # it had just opened
            await never()

    engine = Engine(late)

    async def main() -> None:
        stop = asyncio.Event()
        setup = setup_of({"policy": engine, "reward": Scorer(at_once), "search": SelfConsistency(2)})
        with pytest.raises(TimedOut):
            async with opened(setup, stop if stop_after else None, 1.0):
                pass

    run_virtual(main())
    assert engine.open_now == 0


def test_a_deadline_of_an_engines_own_is_told_as_it_is() -> None:
    async def refusing_in_time() -> None:
        raise TimedOut("engine", "connect", 5.0)

    with pytest.raises(TimedOut, match="connect"):
        opened_with(Engine(refusing_in_time))


def test_a_problem_whose_engine_was_never_open_has_a_partial_solution_without_an_answer() -> None:
    async def main() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(1.0, stop.set)
        solution = await solve("1 + 1?", policy=Engine(never), reward=Scorer(at_once), stop=stop)
        assert (solution.answer, solution.partial) == (None, "interrupted")

    run_virtual(main())
