"""MCTS with several selections in flight, whatever it is that keeps them apart.

So many `workers` select one after the other, without waiting for what the others' leaves are worth; O counts the
selections through a node whose results are out. Results are taken in the order of selection, never in that of arrival,
so that the tree is a function of the results alone. A selection that comes to a leaf whose children are still out waits
for the oldest result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from immutables import Map

from spex.ids import ROOT, Expand
from spex.search.base import Demand, Outlook, Stop
from spex.search.samples import Samples, Scored, read_samples, samples_of
from spex.search.uct import ROOT_NUMBER, Place, Places, expanded, visited
from spex.tree import TreeView

Waiting: TypeAlias = Map[int, int]
"""O of each node by its number, where it is not 0."""

Highest: TypeAlias = Callable[[Places, Place, Waiting, int], int]
"""The child to go on to from a place (its last argument is that place's own O), which has some."""


class Flight(NamedTuple):
    """A selection whose result is out: the way to its leaf, and what was asked for."""

    path: tuple[int, ...]
    samples: Samples


class State(NamedTuple):
    """`iterations` have been begun; `leaves` may still get children; `flights`, the oldest first."""

    places: Places
    waiting: Waiting
    iterations: int
    leaves: int
    flights: tuple[Flight, ...]


class InFlight(NamedTuple):
    """The rule, with its limits as in `Mcts`."""

    iterations: int
    children: int
    workers: int
    nodes_max: int
    depth_max: int
    highest: Highest

    def start(self) -> State:
        root = Place(ROOT, 0.0, terminal=False, grows=True, visits=0, total=0.0)
        return State(Map({ROOT_NUMBER: root}), Map(), 0, 1, ())

    def advance(self, state: State, tree: TreeView) -> tuple[State, Demand | Stop]:
        while True:
            if state.flights:
                state = self._landed(state, tree)
            before = len(state.flights)
            state = self._launched(state)
            fresh = state.flights[before:]
            if fresh:
                return state, Demand(tuple(call for flight in fresh for call in flight.samples.demand().calls))
            if not state.flights:
                places = state.places
                return state, Stop(tuple(places[key].node for key in range(len(places)) if places[key].terminal))

    def outlook(self, state: State) -> Outlook:
        """Every iteration makes at most `children` nodes, and none begins when there are `nodes_max`."""
        out = len(state.flights)
        left = (self.iterations - state.iterations + out) * self.children
        room = self.nodes_max - len(state.places) + (1 + self.workers) * self.children
        return Outlook(max(0, min(left, room)), keeps=True)

    def _landed(self, state: State, tree: TreeView) -> State:
        """The oldest result is taken in."""
        flight, *others = state.flights
        kids = [self._place(scored) for scored in read_samples(flight.samples, tree)]
        places = expanded(state.places, flight.path, kids, state.places[flight.path[-1]])
        leaves = state.leaves + sum(kid.grows for kid in kids)
        return State(places, _counted(state.waiting, flight, -1), state.iterations, leaves, tuple(others))

    def _launched(self, state: State) -> State:
        """As many selections as there is room for have begun."""
        places, waiting, iterations, leaves, flights = state
        while len(flights) < self.workers and leaves and iterations < self.iterations and len(places) <= self.nodes_max:
            path = self._selected(places, waiting)
            leaf = places[path[-1]]
            if leaf.grows:
                samples = samples_of([Expand(leaf.node, "step", index) for index in range(self.children)])
                flight = Flight(path, samples)
                places = places.set(path[-1], leaf._replace(grows=False, samples=self.children))
                waiting, flights, leaves = _counted(waiting, flight, 1), (*flights, flight), leaves - 1
            elif path[-1] in waiting:
                break
            else:
                places = visited(places, path)
            iterations += 1
        return State(places, waiting, iterations, leaves, flights)

    def _selected(self, places: Places, waiting: Waiting) -> tuple[int, ...]:
        path = [ROOT_NUMBER]
        place = places[ROOT_NUMBER]
        while place.kids:
            path.append(self.highest(places, place, waiting, waiting.get(path[-1], 0)))
            place = places[path[-1]]
        return tuple(path)

    def _place(self, scored: Scored) -> Place:
        node, reward, step, _ = scored
        grows = not step.terminal and len(node) < self.depth_max
        return Place(node, reward, step.terminal, grows, 1, reward)


def _counted(waiting: Waiting, flight: Flight, count: int) -> Waiting:
    """O of the nodes on the way of `flight`, more by `count`."""
    changed = waiting.mutate()
    for number in flight.path:
        found = changed.get(number, 0) + count
        if found:
            changed[number] = found
        else:
            del changed[number]
    return changed.finish()
