"""A course goes back only as far as a new result reaches, and is what a new course would be."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spex.control.strand import RunningStrand, running_strands
from spex.ids import ROOT, Call, Expand, Score, child, maker
from spex.search.ab_mcts import AbMcts
from spex.search.base import AnySearch, Demand, Stop
from spex.search.beam import Beam
from spex.search.best_first import BestFirst
from spex.search.dvts import Dvts
from spex.search.ets import Ets
from spex.search.mcts import Mcts
from spex.search.merging import Merging
from spex.search.rebase import Rebase
from spex.search.rest_mcts import RestMcts
from spex.search.rstar import RStar
from spex.search.tot_bfs import TotBfs
from spex.search.tot_dfs import TotDfs
from spex.search.virtual_loss import VirtualLoss
from spex.search.wu_uct import WuUct
from spex.speculate.answers import Answers
from spex.speculate.course import Course
from spex.speculate.imagined import ImaginedTree, makeable
from spex.speculate.particle import Particle
from spex.speculate.predictor import Predictor
from spex.testing.world import SHAPES, SyntheticWorld
from spex.tree import Step, Tree, TreeView
from tests.builders import Decision, Rule, demand, grow, node, rate, rule, stop

SEARCHES: list[AnySearch] = [Rebase(6), Beam(6, 2), Dvts(6, 2), Mcts(12, 3), Mcts(20, 2, c=0.1)]
SEARCHES += [BestFirst(3, nodes_max=20), TotDfs(3, visits=8, answers=3), TotBfs(3, 2)]
SEARCHES += [TotBfs(3, 2, evaluate="vote"), TotBfs(3, 2, select="sample", samples=2)]
SEARCHES += [Mcts(12, 2, select="puct", widening=0.5), Mcts(6, 2, rollout=True), VirtualLoss(12, 2), WuUct(12, 2)]
SEARCHES += [Beam(6, 2, dedup=True), Beam(6, 2, 6, lookahead=2), RestMcts(8), RestMcts(8, rollout_children=2)]
SEARCHES += [AbMcts(12), AbMcts(12, "beta")]
SEARCHES += [Ets(6), Ets(6, cost=2.0, diversity=0.3)]
SEARCHES += [RStar(6, 2, depth_max=4, votes=3), RStar(6, 2, confidence="reward")]
SEARCHES += [Merging(Rebase(6)), Merging(Dvts(6, 2)), Merging(Mcts(12, 3))]
DEPTH = 12


class Growing:
    """Real strands over a tree whose results come one at a time."""

    def __init__(self, search: AnySearch, world: SyntheticWorld) -> None:
        self.tree = Tree()
        self.finished: list[Call] = []
        self.strands: list[RunningStrand] = running_strands(search, 7, "p")
        self._world = world
        self._advance()

    def make(self, call: Call) -> None:
        """The engine has answered `call`; what is void by that is known at once."""
        if isinstance(call, Score):
            self.tree.scores[call] = self._world.scores(call)
        else:
            self.tree.expand(call, self._world.steps(call))
        self._take(call)
        while void := next((call for strand in self.strands for call in strand.demanded if self._is_void(call)), None):
            self.tree.void(void)
            self._take(void)
        self._advance()

    def can_be_made(self) -> list[Call]:
        demanded = [call for strand in self.strands for call in strand.demanded]
        return [call for call in demanded if call not in self.tree and makeable(call, self.tree)]

    def _take(self, call: Call) -> None:
        self.finished.append(call)
        for strand in self.strands:
            if call in strand.demanded:
                strand.finished(call, self.tree)

    def _is_void(self, call: Call) -> bool:
        if call in self.tree:
            return False
        nodes = (call.parent,) if isinstance(call, Expand) else call.nodes
        unmade = [node for node in nodes if not self.tree.exists(node)]
        if unmade:
            return maker(unmade[0]) in self.tree
        return isinstance(call, Expand) and call.parent != ROOT and self.tree.steps[call.parent].terminal

    def _advance(self) -> None:
        for strand in self.strands:
            if not strand.blocked:
                strand.advance(self._show)

    def _show(self, strand: RunningStrand, calls: Sequence[Call]) -> None:
        for call in calls:
            if call in self.tree:
                strand.finished(call, self.tree)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(SEARCHES), st.sampled_from(SHAPES), st.integers(0, 2**32))
def test_it_asks_for_what_a_new_course_in_the_same_world_would_ask_for(
    search: AnySearch, shape: object, seed: int
) -> None:
    random = Random(seed)
    world = SyntheticWorld(seed, shape)  # type: ignore[arg-type]
    growing, particle, predictor, answers = Growing(search, world), Particle(seed), Predictor(), Answers()
    for answer in ("1", "2", "1", None):
        answers.observe(Step("a", terminal=True, answer=answer))

    def imagined() -> ImaginedTree:
        return ImaginedTree(growing.tree, particle, predictor, {}, answers)

    courses = [Course(strand.snapshot(), imagined()) for strand in growing.strands]
    for _ in range(80):
        wished: dict[Call, None] = {}
        for course, strand in zip(courses, growing.strands, strict=True):
            if strand.stop is None:
                asked = set(course.follow(strand.snapshot(), growing.finished, DEPTH))
                assert asked == set(Course(strand.snapshot(), imagined()).follow(strand.snapshot(), [], DEPTH))
                wished.update(dict.fromkeys(sorted(asked, key=repr)))
        possible = list(dict.fromkeys([*growing.can_be_made(), *wished]))
        possible = [call for call in possible if not growing._is_void(call)]  # the query asks that too
        if not possible:
            break
        growing.make(random.choice(possible))


class Counting:
    """A rule that counts how often it is asked to decide."""

    def __init__(self, inner: Rule) -> None:
        self._inner = inner
        self.decisions: list[int] = []

    def advance(self, state: int, tree: TreeView) -> tuple[int, Demand | Stop]:
        self.decisions.append(state)
        return self._inner.advance(state, tree)

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)


@pytest.mark.parametrize(
    ("call", "as_imagined", "again"),
    [
        (grow(0), True, []),
        (grow(0), False, [1, 2, 3, 4]),
        (rate(0), True, [1, 2, 3, 4]),
        (grow(0, 0), True, []),
        (grow(0, 0), False, [3, 4]),
        (rate(0, 0), True, [3, 4]),
        (grow(7), True, []),
        (rate(7, 7), True, []),
    ],
)
def test_only_decisions_that_the_result_could_change_are_taken_again(
    call: Call, as_imagined: bool, again: list[int]
) -> None:
    below = [demand(grow(0, 0), rate(0, 0)), read_step(grow(0, 0)), stop()]
    counting = Counting(rule(demand(grow(0), rate(0)), read_step(grow(0)), *below))
    tree = Tree()
    view = ImaginedTree(tree, Particle(1), Predictor(), {})
    strand = running_strands(counting, 7, "p")[0].snapshot()  # type: ignore[arg-type]
    course = Course(strand, view)
    course.follow(strand, [], DEPTH)
    assert counting.decisions == [0, 1, 2, 3, 4]
    counting.decisions.clear()
    if isinstance(call, Score):
        tree.scores[call] = (0.5,)
    else:
        terminal = view.step(child(call)).terminal
        tree.expand(call, [Step("a", (1, 2, 3), terminal=terminal == as_imagined)])
    course.follow(strand, [call], DEPTH)
    assert counting.decisions == again


@pytest.mark.parametrize(("reads", "state", "again"), [(True, "a", [1]), (True, None, [1]), (False, "a", [])])
def test_an_imagined_state_that_was_read_is_contradicted_by_a_real_one(
    reads: bool, state: str | None, again: list[int]
) -> None:
    def decide(tree: TreeView) -> Demand:
        step = tree.step(node(0))
        return Demand((grow(0, 0),) if reads and step.state is None else ())

    counting = Counting(rule(demand(grow(0)), decide, stop()))
    tree = Tree()
    view = ImaginedTree(tree, Particle(1), Predictor(), {})
    strand = running_strands(counting, 7, "p")[0].snapshot()  # type: ignore[arg-type]
    course = Course(strand, view)
    course.follow(strand, [], DEPTH)
    terminal = view.step(node(0)).terminal
    counting.decisions.clear()
    tree.expand(grow(0), [Step("a", (1, 2), terminal=terminal, state=state)])
    course.follow(strand, [grow(0)], DEPTH)
    assert counting.decisions[:1] == again


def read_step(call: Expand) -> Decision:
    """Read what the call made, and its reward."""

    def decide(tree: TreeView) -> Demand:
        for made in tree.children(call):
            assert tree.step(made).token_count
            assert tree.score(Score((made,)))
        return Demand(())

    return decide
