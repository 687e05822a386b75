"""A strand as it runs: the search's state, what it has demanded, what it waits for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from spex.errors import SearchError
from spex.ids import ROOT, Call, Expand, NodeId, Score, call_key, maker
from spex.search.base import AnySearch, Search, Stop, strands_of
from spex.seeds import strand_seed
from spex.speculate.course import Strand
from spex.tree import Tree, Unknown, Visible

_DECISIONS_MAX = 100_000
_NAME = re.compile(r"[\w-]+")  # what stands between other things in the keys of calls


@dataclass(slots=True, eq=False)
class RunningStrand:
    """One strand. Blocks alone: it goes on when everything that it waits for has finished."""

    number: int
    search: Search[object]
    state: object
    view: Visible = field(default_factory=Visible)
    demanded: dict[Call, None] = field(default_factory=dict)
    waiting: dict[Call, None] = field(default_factory=dict)
    stop: Stop | None = None
    decisions: int = 0

    @property
    def blocked(self) -> bool:
        return bool(self.waiting) or self.stop is not None

    def advance(
        self,
        demand: Callable[[RunningStrand, tuple[Call, ...]], None],
        goes_on: Callable[[], bool] = lambda: True,
    ) -> None:
        """Decide until a result is missing or the search stops; new demands go to `demand`.

        Before every decision it asks whether the query `goes_on`.

        Raises `SearchError` when the rule raises, never waits, or demands what cannot be.
        """
        decisions = 0
        while not self.blocked and goes_on():
            decisions += 1
            if decisions > _DECISIONS_MAX:
                raise SearchError(f"{self._name}: {_DECISIONS_MAX} decisions in a row waited for no result")
            try:
                state, outcome = self.search.advance(self.state, self.view)
                stop = self._checked(outcome) if isinstance(outcome, Stop) else None
                calls = () if isinstance(outcome, Stop) else outcome.calls
            except Unknown as unknown:
                self._demand(unknown.calls, demand)
                self.waiting = {call: None for call in unknown.calls if call not in self.view}
            except (SearchError, KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:
                raise SearchError(f"{self._name}: advance raised {type(error).__name__}: {error}") from error
            else:
                self.state, self.stop = state, stop
                self.decisions += 1
                self._demand(calls, demand)

    def snapshot(self) -> Strand:
        """How it stands, for speculation."""
        return Strand(self.search, self.state, self.number, self.decisions)

    def finished(self, call: Call, tree: Tree) -> None:
        """A call that this strand has demanded has a result."""
        self.view.reveal(call, tree)
        self.waiting.pop(call, None)

    def known(self) -> set[Call]:
        """What this strand has read, and what that is built on: the same whatever else has come in the meantime."""
        found = set(self.view.read)
        for call in self.view.read:
            for node in _needed(call):
                above = node
                while above != ROOT and maker(above) not in found:  # what stands there has been followed up, or will be
                    found.add(maker(above))
                    above = above[:-1]
        return found

    def _demand(self, calls: Iterable[Call], demand: Callable[[RunningStrand, tuple[Call, ...]], None]) -> None:
        new = self._new(calls)
        if new:
            demand(self, new)

    def _new(self, calls: Iterable[Call]) -> tuple[Call, ...]:
        """Those of `calls` that were not demanded before; from now on they are."""
        try:
            new = tuple(dict.fromkeys(call for call in calls if call not in self.demanded))
            self.demanded.update(dict.fromkeys(new))
            for call in new:
                self._refuse_impossible(call)
        except SearchError:
            raise
        except Exception as error:
            raise SearchError(f"{self._name}: demands what is no call ({type(error).__name__}: {error})") from error
        return new

    def _refuse_impossible(self, call: Call) -> None:
        name = call.action if isinstance(call, Expand) else call.model
        if not _NAME.fullmatch(name) or type(call.index) is not int or call.index < 0:
            raise SearchError(
                f"{self._name}: demands {call!r:.120}, but an action or a model is named by letters, digits, _ and -, "
                "and an index is a whole number"
            )
        for node in _needed(call):
            if node != ROOT and maker(node) not in self.demanded:
                raise SearchError(f"{self._name}: demands {call_key(call)} on a node that it never demanded")

    def _checked(self, stop: Stop) -> Stop:
        """The stop, once its terminals are there: `Unknown` passes while one that was demanded is still to come."""
        try:
            terminals = tuple(stop.terminals)
            for node in terminals:
                self.view.step(node)
        except Unknown as unknown:
            call = unknown.calls[0]
            if call in self.demanded and call not in self.view:
                raise
            raise SearchError(f"{self._name}: stops at what {call_key(call)} would make") from unknown
        except Exception as error:
            raise SearchError(f"{self._name}: stops at what is no node ({type(error).__name__}: {error})") from error
        return Stop(terminals)

    @property
    def _name(self) -> str:
        return type(self.search).__name__


def running_strands(search: AnySearch, run_seed: int, problem_id: str) -> list[RunningStrand]:
    """The strands of `search` at their beginning. Raises `SearchError`."""
    try:
        return [
            RunningStrand(number, strand, strand.start(strand_seed(run_seed, problem_id, number)))
            for number, strand in enumerate(strands_of(search))
        ]
    except Exception as error:
        raise SearchError(f"{type(search).__name__}: start raised {type(error).__name__}: {error}") from error


def built_on(call: Call) -> list[Expand]:
    """The calls whose results `call` is built on, those nearer the root first."""
    return [maker(node[:depth]) for node in _needed(call) for depth in range(1, len(node) + 1)]


def _needed(call: Call) -> tuple[NodeId, ...]:
    match call:
        case Expand(parent):
            return (parent,)
        case Score(nodes):
            return nodes
