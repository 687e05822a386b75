"""Run-ahead: the search itself, run on imagined results, says what it will ask for. Technique 1.

Each of K particles holds its innovations for ever: for every node a draw of how its reward
departs from what is expected, whether it ends its path, and how long it is. A pass runs the
search's own `advance` from its real state on each particle, many decisions ahead, on a view in
which everything is there: real results where they exist (demanded or not), imagined ones
elsewhere. The share of particles that demand a call is the probability that it will be demanded.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from random import Random
from typing import NamedTuple

from spex.ids import ROOT, Call, Expand, NodeId, Score, child
from spex.search.base import Search, Stop
from spex.speculate.predictor import Predictor, Surroundings
from spex.tree import End, Sketch, Tree, Unknown

_BARREN_READS_MAX = 16
_ROOT_REWARD = 0.5


class Effort(NamedTuple):
    """How much a pass may do: `particles` (≥ 1), and decisions ahead (`depth`, ≥ 1) for each strand."""

    particles: int = 8
    depth: int = 24


class Strand(NamedTuple):
    """One strand of a query as it stands."""

    search: Search[object]
    state: object


class Innovation(NamedTuple):
    """How one node departs from what is expected, in standard normal or uniform numbers."""

    reward: float
    end: float
    length: float


class RunAhead:
    """The particles of one query."""

    def __init__(self, tree: Tree, predictor: Predictor, seed: int) -> None:
        self._tree = tree
        self._predictor = predictor
        self._seed = seed
        self._particles: list[Particle] = []
        self._siblings: dict[NodeId, tuple[float, int]] = {}

    def foresee(self, strands: Sequence[Strand], effort: Effort) -> dict[Call, float]:
        """The probability of each call that could be made now and has no result yet."""
        while len(self._particles) < effort.particles:
            self._particles.append(Particle(self._seed * 1_000_003 + len(self._particles)))
        counts: dict[Call, int] = {}
        for particle in self._particles[: effort.particles]:
            view = ImaginedTree(self._tree, particle, self._predictor, self._siblings)
            for strand in strands:
                _run(strand, view, effort.depth)
            for call in view.wanted:
                counts[call] = counts.get(call, 0) + 1
        return {call: count / effort.particles for call, count in counts.items()}

    def learn(self, call: Call) -> None:
        """Tell the predictor what a finished call of the query has brought."""
        if isinstance(call, Expand):
            for node in self._tree.expansions[call]:
                self._predictor.observe_step(self._tree.steps[node], len(node))
        elif len(call.nodes) == 1 and call.nodes[0] != ROOT and call.index == 0:
            self.scored(call.nodes[0], self._tree.scores[call][0])

    def scored(self, node: NodeId, reward: float) -> None:
        """Tell the predictor, and the node's siblings, of a real reward."""
        around = surroundings(self._tree, node, self._siblings)
        self._predictor.observe_reward(self._tree.steps[node], around, reward)
        total, count = self._siblings.get(node[:-1], (0.0, 0))
        self._siblings[node[:-1]] = (total + reward, count + 1)


class Particle:
    """One imagined world: draws made once a node, kept for ever, so that probabilities do not jitter."""

    __slots__ = ("_innovations", "_random")

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311  # imagination, not secrecy
        self._innovations: dict[NodeId, Innovation] = {}

    def innovation(self, node: NodeId) -> Innovation:
        found = self._innovations.get(node)
        if found is None:
            random = self._random
            found = Innovation(random.gauss(0.0, 1.0), random.random(), random.gauss(0.0, 1.0))
            self._innovations[node] = found
        return found


class ImaginedStep:
    """A step that does not exist: it has an end and a length; anything else raises `Unknown`."""

    __slots__ = ("_innovation", "_predictor", "terminal")

    def __init__(self, innovation: Innovation, predictor: Predictor, depth: int) -> None:
        self.terminal: bool = innovation.end < predictor.hazard(depth)
        self._innovation = innovation
        self._predictor = predictor

    @property
    def token_count(self) -> int:
        return self._predictor.length(self._innovation.length)

    @property
    def text(self) -> str:
        raise Unknown

    @property
    def token_ids(self) -> tuple[int, ...]:
        raise Unknown

    @property
    def logprobs(self) -> tuple[float, ...] | None:
        raise Unknown

    @property
    def end(self) -> End:
        raise Unknown

    @property
    def answer(self) -> str | None:
        raise Unknown

    @property
    def state(self) -> Hashable:
        raise Unknown


class ImaginedTree:
    """A `TreeView` in which everything is there. `wanted` collects the calls that could be made now."""

    def __init__(
        self,
        tree: Tree,
        particle: Particle,
        predictor: Predictor,
        siblings: dict[NodeId, tuple[float, int]],
    ) -> None:
        self.wanted: dict[Call, None] = {}
        self.barren_reads: int = 0
        self._tree = tree
        self._particle = particle
        self._predictor = predictor
        self._siblings = siblings
        self._unripe: set[Call] = set()
        self._steps: dict[NodeId, ImaginedStep] = {}
        self._rewards: dict[NodeId, float] = {}

    def children(self, call: Expand) -> tuple[NodeId, ...]:
        made = self._tree.expansions.get(call)
        if made is not None:
            return made
        if call not in self.wanted and call not in self._unripe:
            self._want(call)
        return (child(call),)

    def step(self, node: NodeId) -> Sketch:
        real = self._tree.steps.get(node)
        if real is not None:
            return real
        imagined = self._steps.get(node)
        if imagined is None:
            innovation = self._particle.innovation(node)
            imagined = self._steps[node] = ImaginedStep(innovation, self._predictor, len(node))
        return imagined

    def score(self, call: Score) -> tuple[float, ...]:
        real = self._tree.scores.get(call)
        if real is not None:
            return real
        if call not in self.wanted and call not in self._unripe:
            self._want(call)
        nodes = call.nodes
        return (self._reward(nodes[0]),) if len(nodes) == 1 else tuple(self._reward(node) for node in nodes)

    def need(self, calls: Iterable[Call]) -> None:
        for call in calls:
            if call not in self.wanted and call not in self._unripe and call not in self._tree:
                self._want(call)

    def _want(self, call: Call) -> None:
        if makeable(call, self._tree):
            self.wanted[call] = None
            self.barren_reads = 0
        else:
            self._unripe.add(call)
            self.barren_reads += 1

    def _reward(self, node: NodeId) -> float:
        """The node's real reward, or the imagined one: expectation plus this particle's innovation."""
        found = self._rewards.get(node)
        if found is not None:
            return found
        known = self._tree.scores.get(Score((node,)))
        if known or node == ROOT:
            value = self._rewards[node] = known[0] if known else _ROOT_REWARD
            return value
        step = self._tree.steps.get(node)
        if step is None:
            estimate = self._predictor.of_imagined(self._reward(node[:-1]), len(node))
        else:
            around = Surroundings(self._reward(node[:-1]), len(node), *self._siblings.get(node[:-1], (0.0, 0)))
            estimate = self._predictor.of_text(step, around)
        value = estimate.mean + estimate.spread * self._particle.innovation(node).reward
        value = self._rewards[node] = min(1.0, max(0.0, value))
        return value


def makeable(call: Call, tree: Tree) -> bool:
    """Whether the call's prompt exists: the parent's text, or the texts to be scored."""
    steps = tree.steps
    if isinstance(call, Expand):
        return call.parent in steps or call.parent == ROOT
    return all(node in steps or node == ROOT for node in call.nodes)


def surroundings(tree: Tree, node: NodeId, siblings: dict[NodeId, tuple[float, int]]) -> Surroundings:
    """What is known around a real node; an unscored parent counts as the nearest scored ancestor."""
    parent = node[:-1]
    reward = tree.reward(parent)
    while reward is None and parent != ROOT:
        parent = parent[:-1]
        reward = tree.reward(parent)
    return Surroundings(_ROOT_REWARD if reward is None else reward, len(node), *siblings.get(node[:-1], (0.0, 0)))


def _run(strand: Strand, view: ImaginedTree, depth: int) -> None:
    """Advance one strand on the imagined view until it stops, needs a text, or finds nothing more to start."""
    state = strand.state
    view.barren_reads = 0
    for _ in range(depth):
        try:
            state, outcome = strand.search.advance(state, view)
            if isinstance(outcome, Stop):
                return
            view.need(outcome.calls)
        except Exception:  # noqa: BLE001  # Unknown, or what a rule never meets on real results: imagination ends here
            return
        if view.barren_reads > _BARREN_READS_MAX:
            return
