"""AB-MCTS, form A: adaptive branching by Thompson sampling (Inoue et al. 2025, "Wider or Deeper?").

From the root down, a number is drawn from what is believed of *widen* (the reward of a new child) and of *deepen* (what
comes of going on with one); the greater says what to do, *widen* where equal. To deepen, one is drawn for each child,
and the greatest is followed, the first of equals. A node without children is widened. A new node's reward is told to
its parent's *widen*, to its own belief, and, to each ancestor's own and to *deepen* of its parent.
Steps are partial solutions: a child that is terminal, or at `depth_max`, is never followed, and where all are such the
node is widened; a widening that makes no child counts as a reward of 0. Defaults: 32 iterations, Gaussian beliefs
(formulas and priors: `spex.search.posteriors`). Form M, mixed models by MCMC in every decision, is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Literal, NamedTuple

from immutables import Map

from spex.errors import InputError
from spex.ids import ROOT, Expand, NodeId
from spex.search.base import Demand, Outlook, Stop
from spex.search.parameters import DEPTH_MAX, WIDTH_MAX, check_whole
from spex.search.posteriors import NUMBERS_MAX, Beta, Gaussian, Posterior
from spex.search.samples import Samples, Scored, read_samples, samples_of
from spex.seeds import draw
from spex.tree import TreeView

_ROOT = 0
_PRIORS: Mapping[str, Posterior] = {"gaussian": Gaussian(), "beta": Beta()}
_WIDEN, _DEEPEN, _OWN = range(3)


class Place(NamedTuple):
    """A node: `calls` for children so far, those of its children that may be followed, and its three beliefs."""

    node: NodeId
    terminal: bool
    calls: int
    kids: tuple[int, ...]
    widen: Posterior
    deepen: Posterior
    own: Posterior


class State(NamedTuple):
    """Nodes are numbered as they came, the root 0. `path` leads to the one that `samples` widen; empty at the end."""

    seed: int
    places: Map[int, Place]
    iterations: int
    path: tuple[int, ...]
    samples: Samples


@dataclass(frozen=True, slots=True)
class AbMcts:
    """AB-MCTS-A: at each node it draws by chance, as it believes, whether to widen or to go deeper.

    `iterations` (1 to 65536), each of one new node; `posterior`, the form of belief: `gaussian` or `beta`; `depth_max`
    (1 to 1000), at which a node gets no children. Raises `InputError`.
    """

    iterations: int = 32
    posterior: Literal["gaussian", "beta"] = "gaussian"
    depth_max: int = 25

    answer_rule: ClassVar[str] = "best"
    source: ClassVar[str] = "Inoue et al. 2025, arXiv 2503.04412"
    aliases: ClassVar[Mapping[str, str]] = {"rollouts": "iterations", "num_simulations": "iterations"}

    def __post_init__(self) -> None:
        check_whole("iterations", self.iterations, 1, WIDTH_MAX)
        check_whole("depth_max", self.depth_max, 1, DEPTH_MAX)
        if self.posterior not in _PRIORS:
            raise InputError("posterior", self.posterior, "it must be one of gaussian, beta")

    def start(self, seed: int) -> State:
        return State(seed, Map({_ROOT: self._place(ROOT, terminal=False)}), 0, (), Samples())

    def advance(self, state: State, tree: TreeView) -> tuple[State, Demand | Stop]:
        seed, places, iterations, path, samples = state
        if path:
            places = self._widened(places, path, read_samples(samples, tree))
            iterations += 1
        if iterations < self.iterations:
            path = _selected(places, seed, iterations)
            place = places[path[-1]]
            samples = samples_of([Expand(place.node, "step", place.calls)])
            return State(seed, places, iterations, path, samples), samples.demand()
        over = State(seed, places, iterations, (), Samples())
        return over, Stop(tuple(places[number].node for number in range(len(places)) if places[number].terminal))

    def outlook(self, state: State, tree: TreeView) -> Outlook:
        """One node an iteration."""
        return Outlook(self.iterations - state.iterations, keeps=True)

    def _place(self, node: NodeId, *, terminal: bool) -> Place:
        prior = _PRIORS[self.posterior]
        return Place(node, terminal, 0, (), prior, prior, prior)

    def _widened(self, places: Map[int, Place], path: Sequence[int], made: Sequence[Scored]) -> Map[int, Place]:
        """The node at the end of `path` has got the children `made`, and all concerned are told of their rewards."""
        changed = places.mutate()
        widened = places[path[-1]]
        kids, widen = list(widened.kids), widened.widen
        for number, (node, reward, step, _) in enumerate(made, len(places)):
            place = self._place(node, terminal=step.terminal)
            changed[number] = place._replace(own=place.own.told(reward))
            if not step.terminal and len(node) < self.depth_max:
                kids.append(number)
        rewards = [scored.reward for scored in made] or [0.0]
        for reward in rewards:
            widen = widen.told(reward)
        changed[path[-1]] = widened._replace(calls=widened.calls + 1, kids=tuple(kids), widen=widen)
        for parent, number in pairwise(path):
            above, place = changed[parent], changed[number]
            deepen, own = above.deepen, place.own
            for reward in rewards:
                deepen, own = deepen.told(reward), own.told(reward)
            changed[parent], changed[number] = above._replace(deepen=deepen), place._replace(own=own)
        return changed.finish()


def _selected(places: Map[int, Place], seed: int, iteration: int) -> tuple[int, ...]:
    """The path from the root to the node that is widened next."""

    def drawn(number: int, which: int, belief: Posterior) -> float:
        # Each belief has numbers of its own: what is drawn from one does not hang on which others are drawn from.
        first = (3 * number + which) * NUMBERS_MAX
        return belief.drawn(lambda k: draw(seed, 0, iteration, first + k))

    path = [_ROOT]
    place = places[_ROOT]
    while place.kids and drawn(path[-1], _DEEPEN, place.deepen) > drawn(path[-1], _WIDEN, place.widen):
        path.append(max(place.kids, key=lambda kid: drawn(kid, _OWN, places[kid].own)))
        place = places[path[-1]]
    return tuple(path)
