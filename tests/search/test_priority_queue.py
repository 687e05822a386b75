"""A queue gives its entries in their order, and an older version of it is what it was."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from spex.search.priority_queue import Queue, joined, popped, pushed


def of(entries: list[int]) -> Queue[int] | None:
    queue: Queue[int] | None = None
    for entry in entries:
        queue = pushed(queue, entry)
    return queue


def drained(queue: Queue[int] | None) -> list[int]:
    found = []
    while queue is not None:
        found.append(queue.first)
        queue = popped(queue)
    return found


@given(st.lists(st.integers()))
def test_entries_come_out_in_their_order(entries: list[int]) -> None:
    assert drained(of(entries)) == sorted(entries)


@given(st.lists(st.integers(), min_size=1), st.lists(st.integers(), min_size=1))
def test_two_queues_become_one_and_stay_what_they_were(one: list[int], other: list[int]) -> None:
    first, second = of(one), of(other)
    assert first is not None
    assert drained(joined(first, second)) == sorted(one + other)
    assert drained(first) == sorted(one)
    assert drained(second) == sorted(other)


@given(st.lists(st.integers(), max_size=200))
def test_the_right_spine_is_short(entries: list[int]) -> None:
    queue = of(entries)
    assert 2 ** (queue.reach if queue else 0) <= len(entries) + 1
