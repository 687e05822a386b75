"""A rule called under suspicion: twice from the same state, on a view that tells what the rule did with it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from spex.errors import SearchError
from spex.ids import Call, Expand, NodeId, Score, call_key, node_key
from spex.search.base import Demand, Outlook, Search, Stop
from spex.testing.outside import shared_state, stir, watched
from spex.testing.snapshot import changeable_part, snapshot
from spex.testing.trial import Blocked, Decided
from spex.tree import Step, Unknown, Visible

READS_MAX = 200_000


class WatchedView:
    """A `TreeView` that keeps the `Unknown`s that it raised, and ends a rule that reads without end."""

    __slots__ = ("_reads", "_view", "raised")

    def __init__(self, view: Visible) -> None:
        self._view = view
        self._reads = 0
        self.raised: list[Unknown] = []

    def children(self, call: Expand) -> tuple[NodeId, ...]:
        with self:
            return self._view.children(call)

    def step(self, node: NodeId) -> Step:
        with self:
            return self._view.step(node)

    def score(self, call: Score) -> tuple[float, ...]:
        with self:
            return self._view.score(call)

    def need(self, calls: Iterable[Call]) -> None:
        with self:
            self._view.need(calls)

    def __enter__(self) -> None:
        self._reads += 1
        if self._reads > READS_MAX:
            raise SearchError(f"one advance read {READS_MAX} times")

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if isinstance(error, Unknown):
            self.raised.append(error)


def advance_suspiciously(search: Search[Any], state: object, view: Visible) -> Blocked | Decided:
    """What `search` does from `state`. Raises `SearchError` for whatever a pure rule does not do."""
    before = snapshot((search, state))
    first = _observed(search, state, view)
    if snapshot((search, state)) != before:
        raise _broken(search, "advance changed the state that it was given, or the search itself")
    if _keys_shared_chance(search):
        stir()
    if snapshot(_observed(search, state, view)) != snapshot(first):
        raise _broken(search, "advance gave two results from one state and one tree")
    if isinstance(first, Decided):
        _check_decision(search, state, first, view)
    return first


def start_suspiciously(search: Search[Any], seed: int) -> object:
    """The first state of a strand. Raises `SearchError` where it is not a function of the seed."""
    keyed = _keys_shared_chance(search)
    with watched(shared_too=not keyed) as read:
        state: object = search.start(seed)
    if keyed:
        stir()
    if read or snapshot(search.start(seed)) != snapshot(state):
        raise _broken(search, f"start gave two states from one seed {_listed(read)}")
    _check_frozen(search, state)
    return state


def outlook_suspiciously(search: Search[Any], state: object, view: Visible) -> Outlook:
    """The outlook at a decision. Raises `SearchError` where it is none."""
    try:
        outlook = search.outlook(state, view)
    except Exception as error:
        raise _broken(search, f"outlook raised {type(error).__name__}") from error
    if not isinstance(outlook, Outlook) or outlook.answers < 0 or not 0.0 <= outlook.best <= 1.0:
        raise _broken(search, f"outlook gave {outlook!r}")
    return outlook


def _observed(search: Search[Any], state: object, view: Visible) -> Blocked | Decided:
    seen = WatchedView(view)
    keyed = _keys_shared_chance(search)
    before = shared_state() if keyed else []
    with watched(shared_too=not keyed) as read:
        try:
            result: Blocked | Decided = _decided(search, search.advance(state, seen))
        except Unknown as unknown:
            result = Blocked(unknown.calls)
            caught = seen.raised != [unknown]
        except SearchError as error:
            raise _broken(search, str(error)) from error
        except Exception as error:
            raise _broken(search, f"advance raised {type(error).__name__}: {error}") from error
        else:
            caught = bool(seen.raised)
    if caught:
        raise _broken(search, f"advance caught Unknown and went on, or made its own {_named(seen.raised)}")
    if read:
        raise _broken(search, f"advance read the clock, or chance that is not spex.seeds.draw {_listed(read)}")
    if keyed and shared_state() != before:
        raise _broken(search, "advance did not put back the generators that whole programs share")
    return result


def _keys_shared_chance(search: Search[Any]) -> bool:
    """Whether the search says that it seeds the shared generators by `spex.seeds.draw`, and puts them back."""
    return bool(getattr(search, "keys_shared_chance", False))


def _decided(search: Search[Any], result: object) -> Decided:
    match result:
        case (state, Demand() | Stop() as outcome):
            return Decided(state, outcome)
    raise _broken(search, f"advance returned {type(result).__name__}, not (state, Demand or Stop)")


def _check_decision(search: Search[Any], state: object, decided: Decided, view: Visible) -> None:
    match decided.outcome:
        case Demand(calls):
            if not all(isinstance(call, Expand | Score) for call in calls):
                raise _broken(search, "it demanded what is no call")
            _check_frozen(search, decided.state)
            # From an equal state the same decision would follow for ever.
            if snapshot(decided.state) == snapshot(state):
                raise _broken(search, "a decision left the state as it was")
        case Stop(terminals):
            _check_terminals(search, terminals, view)


def _check_terminals(search: Search[Any], terminals: tuple[NodeId, ...], view: Visible) -> None:
    if len(set(terminals)) < len(terminals) and not getattr(search, "repeats_terminals", False):
        raise _broken(search, "Stop names a terminal twice")
    for node in terminals:
        try:
            terminal = view.step(node).terminal
        except Unknown as unknown:
            raise _broken(search, f"Stop names a node that was never demanded {_named([unknown])}") from None
        if not terminal:
            raise _broken(search, f"Stop names {node_key(node)}, which is not terminal")


def _check_frozen(search: Search[Any], state: object) -> None:
    part = changeable_part(state)
    if part is not None:
        raise _broken(search, f"its state can be changed in place, at {part}")


def _broken(search: Search[Any], rule: str) -> SearchError:
    return SearchError(f"{type(search).__name__}: {rule}")


def _named(raised: list[Unknown]) -> str:
    calls = [call_key(call) for unknown in raised for call in unknown.calls[:1]]
    return f"({', '.join(calls[:3])})" if calls else ""


def _listed(names: list[str]) -> str:
    return f"({', '.join(dict.fromkeys(names))})" if names else ""
