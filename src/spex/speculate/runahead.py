"""Run-ahead: the search itself, run on imagined results, says what it will ask for. Technique 1.

Each of K particles holds its innovations for ever: for every node a draw of how its reward
departs from what is expected, whether it ends its path, and how long it is. The search's own
`advance` runs from its real state on each particle, many decisions ahead, on a view in which
everything is there: real results where they exist (demanded or not), imagined ones elsewhere.
The share of particles that demand a call is the probability that it will be demanded. A result
that comes in makes a particle go back only as far as something that it could change.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple

from spex.ids import ROOT, Call, Expand, NodeId, Score
from spex.speculate.absent import ROOT_REWARD
from spex.speculate.answers import Answers
from spex.speculate.course import Course, Strand
from spex.speculate.habits import Surroundings
from spex.speculate.imagined import ImaginedTree
from spex.speculate.particle import Particle
from spex.speculate.predictor import Predictor
from spex.tree import Tree


class Effort(NamedTuple):
    """How much a pass may do: `particles` (≥ 1), and decisions of a usual size ahead (`depth`, ≥ 1) for each strand."""

    particles: int = 8
    depth: int = 48


class RunAhead:
    """The particles of one query."""

    def __init__(self, tree: Tree, predictor: Predictor, seed: int) -> None:
        self._tree = tree
        self._predictor = predictor
        self._seed = seed
        self._particles: list[Particle] = []
        self._courses: list[dict[int, Course]] = []
        self._finished: list[Call] = []
        self._answers = Answers()
        self._siblings: dict[NodeId, tuple[float, int]] = {}

    def foresee(self, strands: Sequence[Strand], effort: Effort) -> dict[Call, float]:
        """The probability of each call that could be made now and has no result yet."""
        while len(self._particles) < effort.particles:
            self._particles.append(Particle(self._seed * 1_000_003 + len(self._particles)))
            self._courses.append({})
        counts: dict[Call, int] = {}
        for number in range(effort.particles):
            for call in self._wanted(number, strands, effort.depth):
                counts[call] = counts.get(call, 0) + 1
        return {call: count / effort.particles for call, count in counts.items()}

    def _wanted(self, particle: int, strands: Sequence[Strand], depth: int) -> Iterable[Call]:
        asked = [self._course(particle, strand).follow(strand, self._finished, depth) for strand in strands]
        return asked[0] if len(asked) == 1 else dict.fromkeys(chain.from_iterable(asked))

    def learn(self, call: Call) -> None:
        """Take in that a call of the query has finished, and tell the predictor what it has brought."""
        self._finished.append(call)
        if isinstance(call, Expand):
            for node in self._tree.expansions[call]:
                self._answers.observe(self._tree.steps[node])
                self._predictor.observe_step(node[-1].action, self._tree.steps[node], len(node))
        elif len(call.nodes) == 1 and call == Score(call.nodes) != Score((ROOT,)) and self._tree.scores[call]:
            self.scored(call.nodes[0], self._tree.scores[call][0])

    def scored(self, node: NodeId, reward: float) -> None:
        """Tell the predictor, and the node's siblings, of a real reward."""
        around = surroundings(self._tree, node, self._siblings)
        self._predictor.observe_reward(node[-1].action, self._tree.steps[node], around, reward)
        total, count = self._siblings.get(node[:-1], (0.0, 0))
        self._siblings[node[:-1]] = (total + reward, count + 1)

    def _course(self, particle: int, strand: Strand) -> Course:
        courses = self._courses[particle]
        found = courses.get(strand.number)
        if found is None:
            view = ImaginedTree(self._tree, self._particles[particle], self._predictor, self._siblings, self._answers)
            found = courses[strand.number] = Course(strand, view)
        return found


def surroundings(tree: Tree, node: NodeId, siblings: dict[NodeId, tuple[float, int]]) -> Surroundings:
    """What is known around a real node; an unscored parent counts as the nearest scored ancestor."""
    parent = node[:-1]
    reward = tree.reward(parent)
    while reward is None and parent != ROOT:
        parent = parent[:-1]
        reward = tree.reward(parent)
    return Surroundings(ROOT_REWARD if reward is None else reward, len(node), *siblings.get(node[:-1], (0.0, 0)))
