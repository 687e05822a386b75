"""A priority queue that is never changed: a leftist heap (Crane 1972), whose versions share all but a short spine."""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

K = TypeVar("K")


class Queue(NamedTuple, Generic[K]):
    """A queue of one entry at least; None is the empty one. `first` is the smallest of its entries.

    `reach` is the length of the right spine: at most log₂ of the entries, which bounds what joining costs.
    """

    reach: int
    first: K
    left: Queue[K] | None = None
    right: Queue[K] | None = None


def pushed(queue: Queue[K] | None, entry: K) -> Queue[K]:
    """The queue with one more entry."""
    return joined(Queue(1, entry), queue)


def popped(queue: Queue[K]) -> Queue[K] | None:
    """The queue without its first entry."""
    if queue.left is None:
        return None
    return joined(queue.left, queue.right)


def joined(one: Queue[K], other: Queue[K] | None) -> Queue[K]:
    """All entries of both; entries must have an order."""
    if other is None:
        return one
    if other.first < one.first:  # type: ignore[operator]  # entries are tuples that compare
        one, other = other, one
    right = joined(other, one.right)
    left = one.left
    if left is None or left.reach < right.reach:
        left, right = right, left
    return Queue((right.reach if right else 0) + 1, one.first, left, right)
