"""Several servers as one engine: where calls go, what happens when one is away, and which are no several of one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

import pytest

from spex.api import setup_of
from spex.cli.probing import measure
from spex.control.clock import run_virtual
from spex.control.run import Conduct, Run, run
from spex.control.setup import Speculation
from spex.engine.abilities import Identity, load_of, queue_of
from spex.engine.base import Completion, Engine, Generation, Labelling, Progress, SeedKind, innermost
from spex.engine.catalog import find_engine
from spex.engine.places import Divided
from spex.engine.profiled import profiled
from spex.engine.retrying import Retrying
from spex.engine.spread import Spread
from spex.errors import EngineError, InputError, Misbehaving, Overloaded, TimedOut, Unreachable
from spex.ids import Expand
from spex.policy import Policy
from spex.problem import Problem
from spex.profile import Affine
from spex.prompt import Prompt
from spex.reward.named import find_reward
from spex.search.rebase import Rebase
from spex.tasks.text import Text
from tests.builders import Words, policy, problems, request, setup

SLOPE = Affine(0.010, 0.001)


class Place:
    """A simulated server with a name, a model, and days on which it fails: from `falls_at_seconds` on, half-way."""

    def __init__(
        self,
        name: str,
        *,
        model: str = "m",
        version: str = "1",
        slots: int = 8,
        salt: str = "",
        seed: SeedKind = "positional",
    ) -> None:
        self._inner = policy(Words(), SLOPE, slots=slots, seed=seed, name=name)
        self._salt = salt
        self.identity = Identity(version, model)
        self.asked: list[str] = []
        self.error: EngineError | None = None
        self.falls_at_seconds = 0.0
        self.opened = 0
        self.name = name
        self.capabilities = self._inner.capabilities
        self.counters = self._inner.counters

    async def load(self) -> int | None:
        return self._inner.counters().running

    async def open(self) -> None:
        if self.error is not None:
            raise self.error
        self.opened += 1

    async def close(self) -> None:
        self.opened -= 1

    async def encode(self, text: str) -> tuple[int, ...]:
        self._fail()
        return await self._inner.encode(text + self._salt)

    async def encode_chat(self, messages: Sequence[object]) -> tuple[int, ...]:
        self._fail()
        return await self._inner.encode_chat(messages)  # type: ignore[arg-type]

    async def generate(self, request: Generation, progress: Progress) -> Completion:
        self.asked.append(request.key)
        loop = asyncio.get_running_loop()
        if self.error is None:
            return await self._inner.generate(request, progress)
        try:
            async with asyncio.timeout(max(0.05, self.falls_at_seconds - loop.time())):
                return await self._inner.generate(request, progress)
        except TimeoutError:
            raise self.error from None

    async def label(self, request: Labelling, progress: Progress) -> tuple[float, ...]:
        self.asked.append(request.key)
        self._fail()
        return (0.5,) * len(request.labels)

    def _fail(self) -> None:
        if self.error is not None and asyncio.get_running_loop().time() >= self.falls_at_seconds:
            raise self.error


def places(count: int = 2, **options: int) -> list[Place]:
    return [Place(f"place:{number}", **options) for number in range(count)]  # type: ignore[arg-type]


def spread(engines: Sequence[Engine]) -> Spread:
    return Spread("places", engines)


def call(name: str) -> Generation:
    """The request for a child of the root: `p0` is the first of the problem p."""
    return request(f"{name[0]}|expand:root>step.{name[1:]}")


def asked(place: Place) -> list[str]:
    """The calls by those names."""
    return [f"{key[0]}{key.rpartition('.')[2]}" for key in place.asked]


def queries_of(place: Place) -> set[str]:
    return {key.partition("|")[0] for key in place.asked}


def searched(engine: Engine, *, speculation: Speculation | None = None, count: int = 6) -> Run:
    made = setup(Rebase(width=4, depth_max=4), Retrying(engine, wait_jitter_seconds=0.0), speculation=speculation)
    return run_virtual(run(problems(count), made, Conduct(concurrency=4)))


def trees(found: Run) -> list[object]:
    assert [solution.partial for solution in found.solutions] == [None] * len(found.solutions)
    return [(solution.tree.expansions, solution.tree.scores, solution.answer) for solution in found.solutions]


# Where calls go


@pytest.mark.parametrize("speculation", [None, Speculation()], ids=["plain", "speculative"])
def test_all_calls_of_a_query_go_to_one_server_and_queries_share_them_evenly(speculation: Speculation | None) -> None:
    engines = places(slots=64)
    searched(spread(engines), speculation=speculation)
    first, second = map(queries_of, engines)
    assert not first & second
    assert {len(first), len(second)} == {3}


@pytest.mark.parametrize("count", [2, 3])
def test_the_tree_is_that_of_one_server_plain_and_speculative(count: int) -> None:
    alone = trees(searched(policy(Words(), SLOPE)))
    assert trees(searched(spread(places(count)))) == alone
    assert trees(searched(spread(places(count)), speculation=Speculation())) == alone


def test_a_call_whose_server_is_full_goes_to_the_next_and_its_query_stays() -> None:
    engines = places(slots=2)

    async def main() -> None:
        around = spread(engines)
        calls = [around.generate(call(f"p{number}"), Progress()) for number in range(3)]
        await asyncio.gather(*calls)
        await around.generate(call("p3"), Progress())

    run_virtual(main())
    assert list(map(asked, engines)) == [["p0", "p1", "p3"], ["p2"]]


def test_scores_follow_their_querys_texts() -> None:
    engines = places()

    async def main() -> None:
        around = spread(engines)
        await around.generate(call("p0"), Progress())
        await around.generate(call("q0"), Progress())
        assert await around.label(Labelling("p|expand:root>step.1", request().prompt, (1,)), Progress()) == (0.5,)

    run_virtual(main())
    assert list(map(asked, engines)) == [["p0", "p1"], ["q0"]]


def test_the_second_text_of_a_call_stays_with_its_query() -> None:
    engines = places()

    async def main() -> None:
        around = spread(engines)
        made = Policy(around, Text())
        for name in "pqr":
            for part in range(2):
                text = made.request(Problem(name, id=name), Prompt([(1,)]), Expand(()), 0, made.form((), "step"), part)
                await around.label(Labelling(text.key, text.prompt, (1,)), Progress())

    run_virtual(main())
    assert [sorted(queries_of(place)) for place in engines] == [["p", "r"], ["q"]]


def test_what_all_can_do_is_what_it_can_do() -> None:
    one, other = Place("a", slots=3), Place("b", slots=5)
    told = spread([one, other]).capabilities
    assert told.slots == 8
    assert told.seed == "positional"
    assert told.curve.itl_seconds(8) == pytest.approx(SLOPE.itl_seconds(4))
    assert told.curve.itl_seconds(1) == SLOPE.itl_seconds(1)
    assert Divided(SLOPE, 2).itl_seconds(4) == SLOPE.itl_seconds(2)


def test_its_counts_are_their_sums() -> None:
    engines = places()
    around = spread(engines)

    async def main() -> None:
        tasks = [asyncio.ensure_future(around.generate(call(f"{name}0"), Progress())) for name in "pq"]
        await asyncio.sleep(0.01)
        assert [place.counters().running for place in engines] == [1, 1]
        assert around.counters().running == await load_of(around) == 2
        await asyncio.gather(*tasks)

    run_virtual(main())
    assert around.counters().running == 0
    assert around.counters().cost.generated == 20


def test_a_cancelled_call_is_cancelled_where_it_runs() -> None:
    around = spread(places())

    async def main() -> None:
        task = asyncio.ensure_future(around.generate(request(), Progress()))
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert around.counters().running == 0

    run_virtual(main())


# One is away


@pytest.mark.parametrize(("seed", "lost_and_cost"), [("whole", (4, 10)), ("positional", (0, 10)), ("none", (0, 10))])
@pytest.mark.parametrize("error", [Unreachable("place:0", "gone"), TimedOut("place:0", "token_gap", 1.0)])
def test_what_fails_at_one_is_asked_for_at_another_counted_and_told(
    error: EngineError, seed: SeedKind, lost_and_cost: tuple[int, int], caplog: pytest.LogCaptureFixture
) -> None:
    engines = [Place(f"place:{number}", seed=seed) for number in range(2)]
    engines[0].error = error
    around, progress = spread(engines), Progress()

    async def main() -> Completion:
        first = await around.generate(call("p0"), progress)
        await around.generate(call("p1"), Progress())
        await around.close()
        await around.close()
        return first

    with caplog.at_level(logging.WARNING, "spex"):
        completion = run_virtual(main())
    assert completion == Words()(call("p0"))
    assert around.moved == {"place:0": 1, "place:1": 0}
    assert (progress.lost.generated, progress.cost.generated) == lost_and_cost
    assert asked(engines[1]) == ["p0", "p1"]
    assert [record.getMessage() for record in caplog.records] == [
        f"{error}; for 30 s its calls go to the other servers",
        "place:0: 1 of its calls were asked for at other servers",
    ]


@pytest.mark.parametrize("speculation", [None, Speculation()], ids=["plain", "speculative"])
def test_a_server_that_dies_on_the_way_changes_no_tree(speculation: Speculation | None) -> None:
    alone = trees(searched(policy(Words(), SLOPE)))
    engines = places()
    engines[0].error, engines[0].falls_at_seconds = Unreachable("place:0", "killed"), 0.3
    around = spread(engines)
    assert trees(searched(around, speculation=speculation)) == alone
    assert around.moved["place:0"] > 0
    assert around.counters().running == 0


def test_no_server_gets_more_than_its_slots_while_another_is_away() -> None:
    engines = places(slots=2)
    engines[0].error = Unreachable("place:0", "gone")

    async def main() -> int:
        around = spread(engines)
        tasks = [asyncio.ensure_future(around.generate(call(f"p{number}"), Progress())) for number in range(5)]
        await asyncio.sleep(0.06)
        tasks[2].cancel()
        most = 0
        while not all(task.done() for task in tasks):
            most = max(most, engines[1].counters().running)
            await asyncio.sleep(0.001)
        return most

    assert run_virtual(main()) == 2


def test_a_server_that_is_full_is_not_away() -> None:
    engines = places()
    engines[0].error = Overloaded("place:0", "queue full")

    async def main() -> None:
        around = spread(engines)
        await around.generate(call("p0"), Progress())
        engines[0].error = None
        await around.generate(call("p1"), Progress())

    run_virtual(main())
    assert list(map(asked, engines)) == [["p0", "p1"], ["p0"]]


def test_one_that_was_away_gets_new_queries_after_its_rest() -> None:
    engines = places()
    engines[0].error = Unreachable("place:0", "gone")

    async def main() -> None:
        around = spread(engines)
        await around.generate(call("p0"), Progress())
        engines[0].error = None
        await around.generate(call("q0"), Progress())
        await asyncio.sleep(31)
        await around.generate(call("r0"), Progress())

    run_virtual(main())
    assert list(map(asked, engines)) == [["p0", "r0"], ["p0", "q0"]]


class Renewed(Place):
    """A server that may be started anew with another model."""

    rechecks = 0
    is_other = False

    async def recheck(self) -> None:
        self.rechecks += 1
        self._fail()
        if self.is_other:
            raise InputError("policy", self.name, "it serves another model now")


@pytest.mark.parametrize("error", [Unreachable("place:0", "gone"), TimedOut("place:0", "token_gap", 1.0)])
def test_one_that_was_away_is_asked_once_whether_its_model_is_the_same(error: EngineError) -> None:
    engines = [Renewed(f"place:{number}") for number in range(2)]
    engines[0].error = error

    async def main() -> None:
        around = Retrying(spread(engines))
        await around.label(Labelling("p|x", Prompt(), (1,)), Progress())
        engines[0].error = None
        await asyncio.sleep(31)
        for name in "qrst":
            await around.label(Labelling(f"{name}|x", Prompt(), (1,)), Progress())

    run_virtual(main())
    assert engines[0].rechecks == 1
    assert engines[1].rechecks == 1  # it was not seen for as long: it may have been started anew meanwhile


def test_one_that_came_back_with_another_model_is_asked_for_nothing() -> None:
    engines = [Renewed(f"place:{number}") for number in range(2)]
    engines[0].error = Unreachable("place:0", "gone")

    async def main() -> None:
        around = Retrying(spread(engines))
        await around.generate(call("p0"), Progress())
        engines[0].error, engines[0].is_other = None, True
        await asyncio.sleep(31)
        for _ in range(2):
            with pytest.raises(InputError, match="another model"):
                await around.generate(call("q0"), Progress())
        await around.generate(call("p1"), Progress())

    run_virtual(main())
    assert list(map(asked, engines)) == [["p0"], ["p0", "p1"]]


def test_one_that_is_still_away_when_it_is_asked_for_its_model_gets_a_further_rest() -> None:
    engines = [Renewed(f"place:{number}") for number in range(2)]
    engines[0].error = Unreachable("place:0", "gone")

    async def main() -> None:
        around = spread(engines)
        for name in "pqr":
            await around.generate(call(f"{name}0"), Progress())
            await asyncio.sleep(31)

    run_virtual(main())
    assert list(map(asked, engines)) == [["p0"], ["p0", "q0", "r0"]]
    assert engines[0].rechecks == 2


def test_when_all_are_away_the_last_ones_error_is_told_and_each_was_asked() -> None:
    engines = places(3)
    for place in engines:
        place.error = Unreachable(place.name, "gone")
    with pytest.raises(Unreachable, match="place:2"):
        run_virtual(spread(engines).label(Labelling("p|x", Prompt(), (1,)), Progress()))
    assert [len(place.asked) for place in engines] == [1, 1, 1]


def test_an_answer_that_cannot_be_right_is_no_reason_to_ask_elsewhere() -> None:
    engines = places()
    engines[0].error = Misbehaving("place:0", "a text", "nonsense")
    with pytest.raises(Misbehaving):
        run_virtual(spread(engines).generate(request(), Progress()))
    assert engines[1].asked == []


def test_texts_are_encoded_by_whoever_is_there() -> None:
    engines = places()

    async def main() -> tuple[int, ...]:
        around = spread(engines)
        engines[0].error = Unreachable("place:0", "gone")
        await around.encode_chat([])
        return await around.encode("ab")

    assert run_virtual(main()) == (97, 98)


@pytest.mark.parametrize("what", ["encode", "encode_chat", "tokens"])
def test_texts_are_encoded_while_every_slot_is_taken_and_take_none(what: str) -> None:
    class Encoding(Place):
        encoding = 0

        async def tokens(self, text: str) -> tuple[int, ...]:
            self.encoding += 1
            await asyncio.sleep(0.02)
            return (7,)

        async def encode(self, text: str) -> tuple[int, ...]:
            return await self.tokens(text)

        async def encode_chat(self, messages: Sequence[object]) -> tuple[int, ...]:
            return await self.tokens("")

    engines = [Encoding(f"place:{number}", slots=1) for number in range(2)]

    async def main() -> None:
        around = spread(engines)
        texts = [asyncio.ensure_future(getattr(around, what)("")) for _ in range(5)]
        await asyncio.sleep(0.01)
        assert sum(engine.encoding for engine in engines) == 5
        calls = [asyncio.ensure_future(around.generate(call(f"{name}0"), Progress())) for name in "pq"]
        await asyncio.sleep(0.01)
        assert around.counters().running == 2
        assert await getattr(around, what)("") == (7,)
        assert not any(running.done() for running in calls)
        await asyncio.gather(*texts, *calls)

    run_virtual(main())


def test_what_waits_at_several_servers_is_the_sum_of_it() -> None:
    class Full(Place):
        counts: tuple[int, int] | None = (5, 3)

        async def queue(self) -> tuple[int, int] | None:
            if self.counts == (0, 0):
                raise Unreachable(self.name, "gone")
            return self.counts

    class Gone(Full):
        counts = (0, 0)

    class Mute(Full):
        counts = None

    assert run_virtual(queue_of(spread([Full("a"), Full("b")]))) == (10, 6)
    assert run_virtual(queue_of(spread([Gone("a"), Full("b")]))) == (5, 3)
    assert run_virtual(queue_of(spread([Mute("a"), Full("b")]))) is None
    assert run_virtual(queue_of(spread([Place("a"), Full("b")]))) is None


def test_a_dead_server_has_no_load() -> None:
    class Dead(Place):
        async def load(self) -> int | None:
            raise Unreachable(self.name, "gone")

    class Mute(Place):
        async def load(self) -> int | None:
            return None

    assert run_virtual(load_of(spread([Dead("a"), Place("b")]))) == 0
    assert run_virtual(load_of(spread([Mute("a"), Place("b")]))) is None


# The doors


async def opened(around: Spread) -> None:
    await around.open()
    await around.close()


@pytest.mark.parametrize("other", [Place("b", model="n"), Place("b", version="2"), Place("b", salt="x")])
def test_servers_of_different_models_are_refused_and_none_is_left_open(other: Place) -> None:
    first = Place("a")
    with pytest.raises(InputError, match="of one model") as caught:
        run_virtual(opened(spread([first, other])))
    assert caught.value.field == "policy"
    assert (first.opened, other.opened) == (0, 0)


def test_what_servers_say_of_themselves_is_told_on_one_line_of_a_bearable_length() -> None:
    with pytest.raises(InputError) as caught:
        run_virtual(opened(spread([Place("a", model="m\x1b[31m\n" * 1000), Place("b", version="1" * 9999)])))
    assert caught.value.allowed.isprintable()
    assert len(caught.value.allowed) < 1000


def test_one_that_cannot_be_opened_leaves_none_open() -> None:
    engines = places(3)
    engines[1].error = Unreachable("place:1", "gone")
    with pytest.raises(Unreachable):
        run_virtual(opened(spread(engines)))
    assert [place.opened for place in engines] == [0, 0, 0]


def test_it_is_opened_and_closed_with_all_of_them() -> None:
    engines = places()

    async def main() -> None:
        around = spread(engines)
        await around.open()
        assert [place.opened for place in engines] == [1, 1]
        await around.close()

    run_virtual(main())
    assert [place.opened for place in engines] == [0, 0]


@pytest.mark.parametrize("kind", ["sglang", "vllm", "openai"])
def test_addresses_with_commas_name_several_servers(kind: str) -> None:
    spec = f"{kind}:http://127.0.0.1:3,http://127.0.0.1:4"
    engine = find_engine(spec)
    assert isinstance(engine, Spread)
    assert engine.name == spec
    assert list(engine.moved) == [f"{kind}:http://127.0.0.1:3", f"{kind}:http://127.0.0.1:4"]
    assert isinstance(
        innermost(setup_of({"policy": spec, "task": "text", "reward": "arithmetic"}).policy.engine), Spread
    )


def test_a_judge_may_have_several_servers() -> None:
    judge = find_reward("judge@sglang:http://127.0.0.1:3,http://127.0.0.1:4", policy())
    assert isinstance(innermost(judge.server), Spread)


@pytest.mark.parametrize(
    "spec", ["sglang:http://a:3,http://a:3", "sglang:http://a:3,", "sglang:http://a:3,b:4", "vllm:http://a:3,ftp://b"]
)
def test_what_are_no_several_servers_is_refused(spec: str) -> None:
    with pytest.raises(InputError):
        find_engine(spec)


def test_one_server_is_not_several() -> None:
    with pytest.raises(InputError, match="2 to 64"):
        spread(places(1))


def test_each_starts_from_its_own_profile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    engines = places()
    around = profiled(spread(engines))
    assert isinstance(around, Spread)
    assert list(around.moved) == ["place:0", "place:1"]


def test_several_servers_are_not_measured_as_one() -> None:
    with pytest.raises(InputError, match="one server"):
        measure("sglang:http://127.0.0.1:3,http://127.0.0.1:4", None, 1.0, as_json=True)
