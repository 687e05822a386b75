"""An engine that others use, too: what they have there makes speculation dearer, and changes no tree."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from math import inf

import pytest

from spex.control.clock import run_virtual
from spex.control.others import Admission, listen
from spex.control.run import Conduct, Run, run
from spex.control.setup import Speculation
from spex.engine.abilities import Identity, queue_of
from spex.engine.base import Engine
from spex.engine.recorded import Recorded
from spex.engine.retrying import Retrying
from spex.engine.simulated import SimulatedPolicy
from spex.errors import InputError, Misbehaving, Unreachable
from spex.events import Event
from spex.profile import Affine, Roofline
from spex.search.rebase import Rebase
from spex.speculate.market import FirstCome, RateMarket
from tests.builders import Words, policy, problems, setup
from tests.control.bench import Bench, at, on_bench
from tests.engine import test_sglang, test_vllm

BUSY = Roofline(0.010, 0.002, 24.0)  # the first two dozen cost nothing, and all beyond them time
OFTEN = Speculation(load_interval_seconds=0.0512345)  # never at an instant at which anything else happens


class Shared(SimulatedPolicy):
    """A simulated server on which `others` have requests without end, and which says how many it has."""

    def __init__(self, others: int = 0, *, tells: Callable[[int], Awaitable[object]] | None = None) -> None:
        super().__init__(Words(usual=30), BUSY, slots=64)
        self.identity = Identity("1", "m")
        self.asked: list[float] = []
        self._others = others
        self._tells = tells

    async def load(self) -> int | None:
        self.asked.append(asyncio.get_running_loop().time())
        return self._batch.running if self._tells is None else await self._tells(self._batch.running)  # type: ignore[return-value]

    def come(self) -> None:
        for _ in range(self._others):
            self._batch.join(1_000_000)


def searched(engine: Shared, speculation: Speculation | None, events: list[Event] | None = None) -> Run:
    async def main() -> Run:
        engine.come()
        made = setup(Rebase(width=4, depth_max=5), Recorded(Retrying(engine), Nothing()), speculation=speculation)
        return await run(problems(4), made, Conduct(concurrency=2, on_event=None if events is None else events.append))

    return run_virtual(main())


def happened(events: list[Event]) -> list[str]:
    """What happened when; in what order at one instant is the event loop's business."""
    return sorted(map(repr, events))


class Nothing:
    """A log that keeps nothing: another wrapper between the lane and its server."""

    def find(self, key: str) -> None:
        return None

    def append(self, entry: object) -> None: ...


def trees(found: Run) -> list[object]:
    assert [solution.partial for solution in found.solutions] == [None] * len(found.solutions)
    return [(solution.tree.expansions, solution.tree.scores, solution.answer) for solution in found.solutions]


def speculated(found: Run) -> int:
    return sum(solution.foresight.speculated for solution in found.solutions)


# In simulation


def test_others_on_an_engine_that_tells_make_speculation_dearer_and_change_no_tree() -> None:
    alone = searched(Shared(0), OFTEN)
    deaf = searched(Shared(40), Speculation(load_interval_seconds=None))
    told = searched(Shared(40), OFTEN)
    assert speculated(told) < speculated(deaf) / 2
    assert speculated(told) < speculated(alone) / 2
    assert trees(told) == trees(deaf) == trees(alone) == trees(searched(Shared(40), None))


def test_without_others_what_is_told_changes_nothing() -> None:
    heard: list[Event] = []
    unheard: list[Event] = []
    searched(Shared(0), OFTEN, heard)
    searched(Shared(0), Speculation(load_interval_seconds=None), unheard)
    assert happened(heard) == happened(unheard)


class Told:
    """A lane that writes down what it is told of others; `counts` are what the server has, from reading to reading."""

    def __init__(self, counts: list[int], ours: list[int]) -> None:
        self._counts, self._ours = iter(counts), iter([0, *ours])
        self.server = Shared(tells=self._tell)
        self.told: list[int] = []

    async def _tell(self, running: int) -> int:
        return next(self._counts)

    def most_at_once(self) -> int:
        return next(self._ours)

    def share(self, others: int, places: float) -> None:
        assert places == inf
        self.told.append(others)


@pytest.mark.parametrize(
    ("counts", "ours", "told"),
    [
        ([5, 5, 5], [2, 2, 2], [3]),
        ([8, 8, 0], [8, 0, 0], []),  # the second count is from before ours had ended
        ([8, 8, 8], [8, 0, 0], [8]),  # but the third is not
        ([0, 3, 0], [4, 4, 4], []),
        ([9, 2, 9], [1, 1, 1], [8, 1, 8]),
    ],
)
def test_what_others_have_is_the_count_without_the_most_of_ours_of_late(
    counts: list[int], ours: list[int], told: list[int]
) -> None:
    lane = Told(counts, ours)
    heard: list[int] = []

    async def main() -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(3.5):
                await listen(lane, 1.0, lambda: heard.append(lane.told[-1]))

    run_virtual(main())
    assert lane.told == heard == told


async def none(running: int) -> object:
    return None


async def negative(running: int) -> object:
    return -5


async def nonsense(running: int) -> object:
    return "many"


async def away(running: int) -> object:
    raise Unreachable("simulated", "gone")


async def odd(running: int) -> object:
    raise Misbehaving("simulated", "a load", running)


async def broken(running: int) -> object:
    raise ZeroDivisionError


async def silent(running: int) -> object:
    await asyncio.sleep(1e6)
    return 5


@pytest.mark.parametrize("tells", [none, negative, nonsense, away, odd, broken, silent])
def test_a_server_that_says_nothing_of_use_changes_nothing(tells: Callable[[int], Awaitable[object]]) -> None:
    heard: list[Event] = []
    unheard: list[Event] = []
    engine = Shared(0, tells=tells)
    searched(engine, OFTEN, heard)
    searched(Shared(0), Speculation(load_interval_seconds=None), unheard)
    assert happened(heard) == happened(unheard)
    assert engine.asked


def test_it_is_asked_at_each_interval_and_never_in_a_plain_run() -> None:
    engine = Shared(3)
    found = searched(engine, Speculation(load_interval_seconds=0.5))
    assert engine.asked == pytest.approx([0.5 * number for number in range(1, int(found.seconds / 0.5) + 1)])
    for speculation in (None, Speculation(load_interval_seconds=None)):
        engine = Shared(3)
        searched(engine, speculation)
        assert engine.asked == []


def test_an_engine_that_does_not_tell_is_not_asked() -> None:
    made = setup(Rebase(width=3, depth_max=3), policy(Words()), speculation=OFTEN)
    assert run_virtual(run(problems(2), made, Conduct())).solutions[1].partial is None


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf"), "2", True])
def test_an_interval_that_is_none_is_refused(seconds: object) -> None:
    with pytest.raises(InputError) as caught:
        Speculation(load_interval_seconds=seconds)  # type: ignore[arg-type]
    assert caught.value.field == "load_interval_seconds"


# One lane


def bought(others: int, probability: float) -> list[str]:
    """What a lane starts beside one demanded text while others have so many."""

    async def scene(bench: Bench) -> list[str]:
        bench.demand(bench.job("wanted"))
        bench.lane.share(others)
        bench.wish(bench.job("guess", probability))
        started = bench.names("started")
        await at(5)
        bench.lane.share(0)
        return started

    return on_bench(scene, policy(curve=Affine(0.010, 0.001)), RateMarket())


def test_the_price_counts_what_others_have_as_running_and_as_useful() -> None:
    assert bought(0, 0.3) == ["wanted", "guess"]
    assert bought(20, 0.3) == ["wanted"]
    assert bought(20, 0.9) == ["wanted", "guess"]


def test_others_who_come_stop_a_speculation_that_is_no_longer_worth_it() -> None:
    async def scene(bench: Bench) -> list[str]:
        bench.demand(bench.job("wanted"))
        bench.wish(bench.job("guess", 0.15))
        await at(0.01)
        bench.lane.share(200)
        bench.pump()
        await at(5)
        bench.lane.share(0)
        return bench.names("cancelled")

    assert on_bench(scene, policy(curve=Affine(0.010, 0.001)), RateMarket()) == ["guess"]


def test_others_take_no_slot_from_a_demand() -> None:
    async def scene(bench: Bench) -> list[str]:
        bench.lane.share(100)
        bench.demand(bench.job("wanted"))
        await at(5)
        bench.lane.share(0)
        return bench.names("done")

    assert on_bench(scene, policy(slots=1), RateMarket()) == ["wanted"]


def test_a_curve_is_learned_at_the_number_that_runs_in_all() -> None:
    engine = Shared(40)

    async def scene(bench: Bench) -> list[float]:
        engine.come()
        bench.lane.share(40)
        for number in range(40):
            bench.demand(bench.job(f"text{number}"))
            await asyncio.sleep(1.0)
        await asyncio.sleep(2.0)
        learned = [bench.lane.profile.itl_seconds(number) / BUSY.itl_seconds(number) for number in (1, 41)]
        bench.lane.share(0)
        return learned

    assert on_bench(scene, engine, RateMarket()) == pytest.approx([1.0, 1.0], abs=0.02)


# Those that wait there


@pytest.mark.parametrize(
    ("readings", "found"),
    [
        ([(5, 0), (32, 0)], inf),
        ([(5, 27), (32, 0)], inf),  # they had only just come
        ([(5, 27), (32, 3)], 32),
        ([(32, 60), (31, 60)], 32),
        ([(32, 60), (31, 60), (30, 9)], 31),
        ([(32, 60), (32, 60), (32, 0)], 33),  # is there room for one more again?
        ([(64, 6), (64, 6), (64, 0), (66, 0)], 68),
        ([(64, 6), (64, 6), (64, 0), (66, 2)], 66),
        ([(64, 6), (64, 6), (64, 0), (66, 2), (64, 2)], 66),
        ([(64, 6), (64, 6), (64, 0), (66, 2), (64, 2), (64, 2)], 64),
        ([(0, 4), (0, 4)], 1),
    ],
)
def test_where_some_wait_from_one_reading_to_the_next_a_server_runs_as_many_as_it_can(
    readings: list[tuple[int, int]], found: float
) -> None:
    places = Admission()
    for running, waiting in readings:
        places.heed(running, waiting)
    assert places.count == found


def test_what_waits_there_leaves_no_room_for_speculation_and_takes_the_cheapest_of_what_runs() -> None:
    async def scene(bench: Bench) -> tuple[list[str], list[str], float]:
        bench.demand(*(bench.job(f"wanted{number}") for number in range(3)))
        bench.wish(bench.job("likely", 0.9), bench.job("unlikely", 0.6))
        bench.lane.share(1, 5.0)
        bench.wish(bench.job("late", 0.95))
        margin = bench.lane.margin
        await at(0.01)
        bench.lane.share(1, 5.0)
        bench.pump()
        await at(5)
        bench.lane.share(0)
        return bench.names("started"), bench.names("cancelled"), margin

    started, cancelled, margin = on_bench(scene, policy(slots=64), RateMarket())
    assert started == ["wanted0", "wanted1", "wanted2", "likely", "unlikely", "late"]
    assert cancelled == ["unlikely"]
    assert margin == 1.0


def test_demanded_calls_go_there_however_many_wait() -> None:
    async def scene(bench: Bench) -> list[str]:
        bench.lane.share(0, 2.0)
        bench.demand(*(bench.job(f"wanted{number}") for number in range(4)))
        bench.wish(bench.job("guess", 1.0))
        return bench.names("started")

    assert on_bench(scene, policy(slots=64), RateMarket()) == [f"wanted{number}" for number in range(4)]


class Narrow(SimulatedPolicy):
    """A simulated server that runs six at once, says that it has 64 slots, and how many wait."""

    def __init__(self, *, tells: bool = True) -> None:
        super().__init__(Words(usual=30), Roofline(0.010, 0.010 / 6, 6.0), slots=64)
        self.identity = Identity("1", "m")
        self.tells = tells
        self.most = 0

    async def load(self) -> int | None:
        self.most = max(self.most, self._batch.running)
        return self._batch.running

    async def queue(self) -> tuple[int, int] | None:
        return (await self.load() or 0, max(0, self._batch.running - 6)) if self.tells else None


def test_a_server_that_runs_fewer_at_once_than_it_is_thought_to_is_given_fewer_guesses() -> None:
    def run_on(engine: Narrow) -> Run:
        greedy = replace(OFTEN, market=FirstCome())
        made = setup(Rebase(width=4, depth_max=8), engine, speculation=greedy)
        return run_virtual(run(problems(4), made, Conduct(concurrency=2)))

    narrow, unheard = Narrow(), Narrow(tells=False)
    told, untold = run_on(narrow), run_on(unheard)
    assert trees(told) == trees(untold)
    assert speculated(told) < speculated(untold)


# Over HTTP, as servers tell it


class Hearing:
    """A lane on a real client."""

    def __init__(self, server: Engine) -> None:
        self.server = server
        self.told: list[int] = []

    def most_at_once(self) -> int:
        return 1

    def share(self, others: int, places: float) -> None:
        self.told.append(others)


@pytest.mark.parametrize(("kind", "queue"), [("sglang", (5, 3)), ("vllm", (5, 2))])
def test_servers_tell_how_many_wait(kind: str, queue: tuple[int, int]) -> None:
    async def main() -> tuple[int, int] | None:
        if kind == "sglang":
            async with test_sglang.engine_of(test_sglang.Server()) as sglang:
                return await queue_of(Retrying(sglang))
        server = test_vllm.Server()
        server.metrics = "vllm:num_requests_running{{}} 3.0\nvllm:num_requests_waiting{{}} 2.0\n"
        async with test_vllm.engine_of(server) as vllm:
            return await queue_of(Retrying(vllm))

    assert asyncio.run(main()) == queue


@pytest.mark.parametrize("kind", ["sglang", "vllm"])
def test_servers_tell_it_over_http(kind: str) -> None:
    async def heard(engine: Engine) -> list[int]:
        lane, news = Hearing(Retrying(engine)), asyncio.Event()
        listening = asyncio.ensure_future(listen(lane, 0.2, news.set))
        await news.wait()
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        return lane.told

    async def main() -> list[int]:
        if kind == "sglang":
            async with test_sglang.engine_of(test_sglang.Server()) as sglang:
                return await heard(sglang)
        server = test_vllm.Server()
        server.metrics = "vllm:num_requests_running{{}} 3.0\nvllm:num_requests_waiting{{}} 2.0\n"
        async with test_vllm.engine_of(server) as vllm:
            return await heard(vllm)

    assert asyncio.run(main()) == [4]
