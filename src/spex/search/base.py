"""What a search is: a pure rule over a tree that it can only read."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable

from spex.ids import Call, NodeId
from spex.tree import TreeView

S = TypeVar("S")


class Demand(NamedTuple):
    """Calls that the search will read. A call may build on another that has not finished."""

    calls: tuple[Call, ...]


class Stop(NamedTuple):
    """The search is over; `terminals` are the terminal nodes whose answers count, each as often as it is named."""

    terminals: tuple[NodeId, ...]


class Outlook(NamedTuple):
    """What may still come: at most `answers` more terminals, none scored above `best` (in [0, 1]).

    A bound takes for granted that a call makes one child at most. `keeps`: every terminal that has been read will
    be in `Stop`, so that each one read takes one off `answers`; without it no search can be stopped for certain.
    """

    answers: int
    best: float = 1.0
    keeps: bool = False


@runtime_checkable
class Search(Protocol[S]):
    """A decision rule. Its state is immutable, and a successor costs what changed.

    `advance` reads the tree and either returns the next state and what it demands, or lets the
    view's `Unknown` pass through it: then it is called again, from the same state, when those
    calls have finished. It must not catch `Unknown`, keep anything outside its state, or read
    a clock; randomness comes from `spex.seeds.draw` alone.
    """

    def start(self, seed: int) -> S: ...

    def advance(self, state: S, tree: TreeView) -> tuple[S, Demand | Stop]: ...

    def outlook(self, state: S, tree: TreeView) -> Outlook: ...


@runtime_checkable
class Parallel(Protocol):
    """Independent searches over one tree: each strand blocks alone."""

    def strands(self) -> tuple[Search[Any], ...]: ...


AnySearch = Search[Any] | Parallel


def strands_of(search: AnySearch) -> tuple[Search[Any], ...]:
    """The strands of a search; a plain search is its own only strand."""
    return search.strands() if isinstance(search, Parallel) else (search,)
