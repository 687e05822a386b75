"""An imagined world: a tree in which everything is there, and which remembers who has read what of it.

Real results stand where they exist, demanded or not; elsewhere stand a particle's imaginations. What
was read of these is kept with the number of the decision that read it first, so that a result that
comes in puts back only the decisions that it could change.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from random import Random
from typing import NamedTuple, TypeAlias, TypeVar

from spex.ids import ROOT, Call, Expand, NodeId, Score, child, maker
from spex.speculate.absent import ROOT_REWARD, AbsentStep
from spex.speculate.predictor import Predictor, Surroundings
from spex.tree import Sketch, Tree

K = TypeVar("K")
V = TypeVar("V")

_BARREN_MAX = 16
_SHIFT_MIN = 0.2

Mark: TypeAlias = tuple[int, int, int, int, int]
START: Mark = (0, 0, 0, 0, 0)
_UNRIPE, _RIPE, _DONE = range(3)


class Innovation(NamedTuple):
    """How one node departs from what is expected, in standard normal or uniform numbers."""

    reward: float
    end: float
    length: float


class Particle:
    """Draws made once a node, kept for ever, so that probabilities do not jitter."""

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


class ImaginedTree:
    """One particle's `TreeView` for one strand, which keeps the calls that were demanded in it."""

    __slots__ = (
        "_demanded",
        "_kids",
        "_particle",
        "_predictor",
        "_reads",
        "_rewards",
        "_siblings",
        "_steps",
        "_tree",
        "decision",
    )

    def __init__(
        self, tree: Tree, particle: Particle, predictor: Predictor, siblings: dict[NodeId, tuple[float, int]]
    ) -> None:
        self.decision: int = 0
        self._tree = tree
        self._particle = particle
        self._predictor = predictor
        self._siblings = siblings
        # Filled in the order of the decisions, so that going back to one means popping from their ends.
        # Real results are kept beside imagined ones: one look for what is read again and again.
        self._reads: dict[Expand | NodeId, int] = {}  # texts by their calls, rewards by their nodes' parents
        self._kids: dict[Expand, tuple[NodeId, ...]] = {}
        self._steps: dict[NodeId, Sketch] = {}
        self._rewards: dict[NodeId, float] = {}
        self._demanded: dict[Call, int] = {}

    # What a search reads

    def children(self, call: Expand) -> tuple[NodeId, ...]:
        found = self._kids.get(call)
        if found is None:
            found = self._tree.expansions.get(call)
            if found is None:
                self._reads.setdefault(call, self.decision)
                self.need((call,))
                found = (child(call),)
            self._kids[call] = found
        return found

    def step(self, node: NodeId) -> Sketch:
        found = self._steps.get(node)
        if found is None:
            found = self._tree.steps.get(node)
            if found is None:
                self._reads.setdefault(maker(node), self.decision)
                innovation = self._particle.innovation(node)
                ends = innovation.end < self._predictor.hazard(len(node))
                found = AbsentStep(ends, partial(self._predictor.length, innovation.length))
            self._steps[node] = found
        return found

    def score(self, call: Score) -> tuple[float, ...]:
        if self._demanded.get(call) is None:
            real = self._tree.scores.get(call)
            if real is not None:
                return real
            self.need((call,))
        elif self._demanded[call] == _DONE:
            return self._tree.scores[call]
        nodes = call.nodes
        return (self._reward(nodes[0]),) if len(nodes) == 1 else tuple(self._reward(node) for node in nodes)

    def need(self, calls: Iterable[Call]) -> None:
        demanded, tree = self._demanded, self._tree
        for call in calls:
            if call not in demanded:
                ripe = makeable(call, tree)
                # A text whose prompt does not exist has none; a score may be void without its node.
                if not ((ripe or isinstance(call, Score)) and call in tree):
                    demanded[call] = _RIPE if ripe else _UNRIPE

    # Going back and going on

    @property
    def ripe(self) -> list[Call]:
        """The demanded calls that could be made now."""
        return [call for call, stage in self._demanded.items() if stage == _RIPE]

    @property
    def is_barren(self) -> bool:
        """Whether the last demands were of nothing that could be made now: further on there will be less."""
        barren = 0
        for stage in reversed(self._demanded.values()):
            if stage == _RIPE:
                return False
            barren += stage == _UNRIPE
            if barren > _BARREN_MAX:
                return True
        return False

    def mark(self) -> Mark:
        """Where a decision begins."""
        return len(self._reads), len(self._kids), len(self._steps), len(self._rewards), len(self._demanded)

    def rewind(self, mark: Mark) -> None:
        """Forget everything since `mark`."""
        reads, kids, steps, rewards, demanded = mark
        _shorten(self._reads, reads)
        _shorten(self._kids, kids)
        _shorten(self._steps, steps)
        _shorten(self._rewards, rewards)
        _shorten(self._demanded, demanded)

    def put_back(self, news: Iterable[Call]) -> int | None:
        """The first decision that the finished calls `news` could change, if there is one."""
        found = [number for call in news if (number := self._changed(call)) is not None]
        return min(found, default=None)

    def settle(self, news: Iterable[Call]) -> None:
        """Take note that `news` have results: they need not be made any more, and others can be."""
        texts = False
        for call in news:
            if call in self._demanded:
                self._demanded[call] = _DONE
            if isinstance(call, Expand):
                texts = True
                self._settle_text(call)
            elif len(call.nodes) == 1 and call.nodes[0] in self._rewards and (values := self._tree.scores[call]):
                self._rewards[call.nodes[0]] = values[0]
        if texts:
            for call, stage in self._demanded.items():
                if stage == _UNRIPE and makeable(call, self._tree):
                    self._demanded[call] = _RIPE

    def _settle_text(self, call: Expand) -> None:
        nodes = self._tree.expansions[call]
        if call in self._kids:
            self._kids[call] = nodes
        for node in nodes:
            if node in self._steps:
                self._steps[node] = self._tree.steps[node]

    def _changed(self, call: Call) -> int | None:
        reads = self._reads
        if isinstance(call, Score):
            return min((reads[node[:-1]] for node in call.nodes if node[:-1] in reads), default=None)
        number = reads.get(call)
        if number is None:
            return None
        node = child(call)
        if self._tree.expansions[call] != (node,):
            return number
        imagined = self._steps.get(node)
        if imagined is not None and imagined.terminal != self._tree.steps[node].terminal:
            return number
        return reads.get(node[:-1], number) if self._is_shifted(node) else None

    def _is_shifted(self, node: NodeId) -> bool:
        """Whether the text of `node` tells so much of its reward that what was imagined will not do."""
        imagined = self._rewards.get(node)
        if imagined is None or Score((node,)) in self._tree.scores:
            return False
        expected, spread = self._expected(node)
        return abs(expected - imagined) > _SHIFT_MIN * spread

    def _reward(self, node: NodeId) -> float:
        """The node's real reward, or the imagined one: expectation plus this particle's innovation."""
        found = self._rewards.get(node)
        if found is None:
            known = self._tree.scores.get(Score((node,))) if node in self._tree.steps or node == ROOT else None
            if known:
                found = known[0]
            elif node == ROOT:
                found = ROOT_REWARD
            else:
                self._reads.setdefault(node[:-1], self.decision)
                found = min(1.0, max(0.0, self._expected(node)[0]))
            self._rewards[node] = found
        return found

    def _expected(self, node: NodeId) -> tuple[float, float]:
        """The reward that this particle expects of `node`, and the spread that its innovation was scaled by."""
        step = self._tree.steps.get(node)
        parent = self._reward(node[:-1])
        if step is None:
            estimate = self._predictor.of_imagined(parent, len(node))
        else:
            around = Surroundings(parent, len(node), *self._siblings.get(node[:-1], (0.0, 0)))
            estimate = self._predictor.of_text(step, around)
        return estimate.mean + estimate.spread * self._particle.innovation(node).reward, estimate.spread


def makeable(call: Call, tree: Tree) -> bool:
    """Whether the call's prompt exists: the parent's text, or the texts to be scored."""
    steps = tree.steps
    if isinstance(call, Expand):
        return call.parent in steps or call.parent == ROOT
    nodes = call.nodes
    return nodes[0] in steps or nodes[0] == ROOT if len(nodes) == 1 else all(n in steps or n == ROOT for n in nodes)


def _shorten(entries: dict[K, V], size: int) -> None:
    for _ in range(len(entries) - size):
        entries.popitem()
