"""The prefix cache: what is there, what pushes it out, and what must stay."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spex.control.clock import run_virtual
from spex.engine.base import Completion, Counters, Generation, Progress
from spex.engine.kv_pool import Boundless, Hold, KvPool, Segment
from spex.engine.simulated import SimulatedPolicy
from spex.prompt import Prompt
from spex.usage import Tokens
from tests.builders import FLAT


def run_of(first: int, tokens: int) -> Segment:
    """Token ids that no other segment has."""
    return tuple(range(first * 1000, first * 1000 + tokens))


A, B, C, D = (run_of(number, 10) for number in (1, 2, 3, 4))


def write(pool: KvPool, prompt: Prompt, text: Segment, kept: Segment = ()) -> Hold:
    """A sequence comes, writes `text` and goes."""
    hold = pool.hold(prompt, kept, len(text))
    pool.release(hold, text)
    return hold


def test_a_new_prompt_is_computed_whole_and_its_siblings_find_all_but_the_last_token() -> None:
    pool = KvPool(100)
    first, second = pool.hold(Prompt([A]), (), 5), pool.hold(Prompt([A]), (), 5)
    assert (first.cached, first.uncached) == (0, 10)
    assert (second.cached, second.uncached) == (9, 1)


def test_a_child_finds_its_parents_text() -> None:
    pool = KvPool(100)
    write(pool, Prompt([A]), B)
    child = pool.hold(Prompt([A, B]), (), 5)
    assert (child.cached, child.uncached) == (19, 1)


def test_another_problem_finds_nothing() -> None:
    pool = KvPool(100)
    write(pool, Prompt([A]), B)
    assert pool.hold(Prompt([C]), (), 5).uncached == 10


def test_a_segment_after_others_is_not_the_same_segment() -> None:
    pool = KvPool(100)
    write(pool, Prompt([A]), B)
    write(pool, Prompt([C]), D)
    assert (pool.holds(Prompt([A, B])), pool.holds(Prompt([C, B])), pool.holds(Prompt([B]))) == (20, 10, 0)


def test_the_text_that_was_used_least_recently_goes_first() -> None:
    pool = KvPool(40)
    for text in (B, C, D):
        write(pool, Prompt([A]), text)
    write(pool, Prompt([A, B]), ())  # B is used again: now C is the oldest
    write(pool, Prompt([A]), run_of(5, 10))
    assert [pool.holds(Prompt([A, text])) for text in (B, C, D, run_of(5, 10))] == [20, 10, 20, 20]
    assert pool.tokens == 40


def test_a_running_sequence_uses_its_path_until_it_leaves() -> None:
    pool = KvPool(40)
    long = pool.hold(Prompt([A]), (), 10)
    write(pool, Prompt([C]), ())
    write(pool, Prompt([D]), ())
    pool.release(long, B)
    write(pool, Prompt([run_of(5, 10)]), ())
    assert [pool.holds(prompt) for prompt in (Prompt([A, B]), Prompt([C]), Prompt([D]))] == [20, 0, 10]


def test_a_text_goes_before_what_it_stands_on() -> None:
    pool = KvPool(35)
    write(pool, Prompt([A]), B)
    write(pool, Prompt([A, B]), C)
    write(pool, Prompt([D]), ())
    assert (pool.holds(Prompt([A, B, C])), pool.holds(Prompt([D]))) == (20, 10)
    write(pool, Prompt([run_of(5, 10)]), ())
    assert (pool.holds(Prompt([A, B, C])), pool.tokens) == (10, 30)


def test_what_was_pushed_out_is_computed_again() -> None:
    pool = KvPool(30)
    write(pool, Prompt([A]), B)
    write(pool, Prompt([C]), D)  # 40 tokens in 30: B goes
    assert pool.hold(Prompt([A, B]), (), 5).uncached == 10


def test_a_running_sequence_keeps_its_path_though_the_pool_is_too_small() -> None:
    pool = KvPool(30)
    write(pool, Prompt([A]), B)
    hold = pool.hold(Prompt([A, B]), (), 10)
    write(pool, Prompt([C]), D)
    assert (pool.holds(Prompt([A, B])), pool.holds(Prompt([C]))) == (20, 0)
    assert pool.tokens == pool.tokens_pinned == 30
    other = pool.hold(Prompt([C]), (), 10)
    assert pool.tokens == pool.tokens_pinned == 50
    pool.release(hold, run_of(6, 10))
    pool.release(other, D)
    assert (pool.tokens, pool.tokens_pinned) == (30, 0)


def test_a_stopped_text_goes_on_from_what_it_left() -> None:
    pool = KvPool(100)
    stopped = pool.hold(Prompt([A]), (), 10)
    pool.release(stopped, B[:4])
    assert pool.tokens == 14
    again = write(pool, Prompt([A]), B, kept=B[:4])
    assert (again.cached, again.uncached) == (13, 1)
    assert (pool.holds(Prompt([A, B])), pool.holds(Prompt([A, B[:4]])), pool.tokens) == (20, 10, 20)


def test_a_stopped_text_that_was_pushed_out_is_computed_again() -> None:
    pool = KvPool(20)
    pool.release(pool.hold(Prompt([A]), (), 10), B[:4])
    write(pool, Prompt([C]), D)
    again = pool.hold(Prompt([A]), B[:4], 10)
    assert (again.cached, again.uncached) == (0, 14)


def test_a_text_that_others_stand_on_is_not_taken_from_them() -> None:
    pool = KvPool(100)
    write(pool, Prompt([A]), B)
    child = pool.hold(Prompt([A, B]), (), 5)
    same = pool.hold(Prompt([A]), B, 10)
    assert same.uncached == 10
    pool.release(same, B)
    pool.release(child, C)
    assert (pool.holds(Prompt([A, B, C])), pool.tokens) == (30, 30)


def test_a_text_that_finished_ones_stand_on_stays_where_it_is() -> None:
    pool = KvPool(100)
    write(pool, Prompt([A]), B)
    write(pool, Prompt([A, B]), C)
    longer = pool.hold(Prompt([A]), B, 15)
    assert (pool.holds(Prompt([A, B, C])), longer.uncached) == (30, 10)
    pool.release(longer, (*B, *run_of(5, 5)))
    assert (pool.holds(Prompt([A, B, C])), pool.holds(Prompt([A, (*B, *run_of(5, 5)), C]))) == (30, 25)


def test_an_empty_prompt_costs_nothing() -> None:
    hold = KvPool(10).hold(Prompt(), (), 5)
    assert (hold.cached, hold.uncached) == (0, 0)


def test_the_boundless_cache_computes_a_new_problem_and_the_last_token_of_a_child() -> None:
    cache = Boundless()
    assert (cache.hold(Prompt([A]), (), 5).uncached, cache.hold(Prompt([A, B]), (), 5).uncached) == (10, 1)


# Whatever comes and goes


@dataclass(frozen=True)
class Visit:
    """A sequence after the texts named by `path`, that leaves with `written` of its tokens once `stay` others came."""

    path: tuple[int, ...]
    written: int
    stay: int


visits = st.lists(
    st.builds(
        Visit,
        st.lists(st.integers(0, 2), max_size=4).map(tuple),
        st.integers(0, 7),
        st.integers(0, 5),
    ),
    max_size=40,
)


def segment_at(path: tuple[int, ...]) -> Segment:
    """The text that `path` ends with: one and the same whoever writes it."""
    name = sum((step + 1) * 4**depth for depth, step in enumerate(path))
    return run_of(name, 7)


def prompt_at(path: tuple[int, ...]) -> Prompt:
    return Prompt([run_of(0, 5), *(segment_at(path[: depth + 1]) for depth in range(len(path)))])


def entries_of(pool: KvPool) -> int:
    """The tokens of all that can be reached from the root."""
    total, open_entries = 0, [pool._root]
    while open_entries:
        entry = open_entries.pop()
        total += entry.tokens
        open_entries += entry.children.values()
    return total


@settings(max_examples=150, deadline=None)
@given(visits, st.integers(1, 90))
def test_a_pool_is_never_larger_than_its_size_but_by_what_runs(drawn: list[Visit], tokens_max: int) -> None:
    pool = KvPool(tokens_max)
    inside: list[tuple[int, Visit, Hold]] = []
    for now, visit in enumerate(drawn):
        for item in [item for item in inside if item[0] <= now]:
            inside.remove(item)
            pool.release(item[2], segment_at((*item[1].path, 0))[: item[1].written])
            assert pool.tokens <= max(tokens_max, pool.tokens_pinned)
        prompt = prompt_at(visit.path)
        there = pool.holds(prompt)
        hold = pool.hold(prompt, (), 7)
        assert hold.cached == min(there, prompt.token_count - 1)
        assert hold.cached + hold.uncached == prompt.token_count
        assert pool.holds(prompt) == prompt.token_count
        assert pool.tokens <= max(tokens_max, pool.tokens_pinned)
        inside.append((now + 1 + visit.stay, visit, hold))
    for _, visit, hold in inside:
        pool.release(hold, segment_at((*visit.path, 0))[: visit.written])
    assert pool.tokens_pinned == 0
    assert pool.tokens == entries_of(pool) <= tokens_max


# In an engine


def scripted(request: Generation) -> Completion:
    return Completion("text", run_of(request.seed, 10), None, "delimiter")


def asked(seed: int, *segments: Segment) -> Generation:
    return Generation(f"p|{seed}", Prompt(segments), seed, ("\n",), 100)


def test_an_engine_pays_in_time_and_counts_what_its_pool_has_lost() -> None:
    async def main() -> None:
        engine = SimulatedPolicy(scripted, FLAT, prefill_seconds=0.1, cache=KvPool(30))
        clock = asyncio.get_running_loop()
        spent = []
        for request in (asked(7, A), asked(8, A, run_of(7, 10)), asked(9, D), asked(8, A, run_of(7, 10))):
            began, progress = clock.time(), Progress()
            await engine.generate(request, progress)
            spent.append((progress.cost.prompt_cached, progress.cost.prompt_uncached))
            assert clock.time() - began == pytest.approx(0.1 + 0.1 * progress.cost.prompt_uncached)
        assert spent == [(0, 10), (19, 1), (0, 10), (10, 10)]
        assert engine.counters() == Counters(0, Tokens(40, 29, 31, 0))

    run_virtual(main())


def test_a_request_that_is_stopped_leaves_nothing_pinned_and_resumes_from_the_pool() -> None:
    async def main() -> None:
        pool = KvPool(100)
        engine, progress = SimulatedPolicy(scripted, FLAT, cache=pool), Progress()
        task = asyncio.ensure_future(engine.generate(asked(7, A), progress))
        await asyncio.sleep(0.0451)
        task.cancel()
        await asyncio.wait([task])
        assert (len(progress.token_ids), pool.tokens, pool.tokens_pinned) == (4, 14, 0)
        await engine.generate(asked(7, A), progress)
        assert progress.cost == engine.counters().cost == Tokens(10, 13, 11, 0)

    run_virtual(main())


def test_log_probabilities_are_kept_with_the_tokens_of_a_stopped_text() -> None:
    logprobs = tuple(-0.1 * number for number in range(10))

    async def main() -> None:
        engine = SimulatedPolicy(lambda request: scripted(request)._replace(logprobs=logprobs), FLAT)
        progress = Progress()
        task = asyncio.ensure_future(engine.generate(asked(7, A), progress))
        await asyncio.sleep(0.0451)
        task.cancel()
        await asyncio.wait([task])
        assert tuple(progress.logprobs) == logprobs[:4]
        await engine.generate(asked(7, A), progress)
        assert tuple(progress.logprobs) == logprobs

    run_virtual(main())
