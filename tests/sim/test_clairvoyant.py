"""The schedule that knows what will be demanded: it starts that, as early as it can, and nothing else."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from spex.events import Event
from spex.ids import Expand, Score
from spex.search.base import AnySearch
from spex.search.rebase import Rebase
from spex.sim.clairvoyant import Plan
from spex.sim.simulate import Simulation, same_trees
from spex.sim.workload import WORKLOADS, Workload
from spex.speculate.runahead import Effort
from spex.tree import Step, Tree
from tests.builders import grow, node, rate
from tests.guarantees.situations import searches, workloads


def simulation(queries: int = 3) -> Simulation:
    return Simulation(Rebase(width=6, depth_max=6), WORKLOADS["slow-reward"], queries, concurrency=2)


@settings(max_examples=25, deadline=None)
@given(searches(), workloads(), st.integers(1, 3), st.integers(1, 2), st.integers(0, 1 << 16))
def test_it_discards_nothing_and_its_trees_are_those_of_the_plain_run(
    search: AnySearch, workload: Workload, queries: int, concurrency: int, seed: int
) -> None:
    drawn = Simulation(search, workload, queries, concurrency, seed)
    plain = drawn.run(None)
    events: list[Event] = []
    clairvoyant = drawn.run(drawn.clairvoyant(plain), events.append)
    assert same_trees(plain, clairvoyant)
    assert clairvoyant.usage.wasted.generated == 0
    assert "discarded" not in {event.event for event in events}


def test_a_child_starts_at_its_parents_text_while_the_score_is_still_to_come() -> None:
    plain = simulation().run(None)
    events: list[Event] = []
    simulation().run(simulation().clairvoyant(plain), events.append)
    done = {(event.query, event.call): event.t for event in events if event.event == "finished"}
    started = [event for event in events if event.event == "started" and event.kind == "expand"]
    waits = []
    for event in started:
        if event.parent != "root":
            parent, _, last = (event.parent or "").rpartition("/")
            maker = f"expand:{parent or 'root'}>{last}"
            waits.append(event.t - done[event.query, maker])
    two_iterations_seconds = 2 * simulation().workload.curve.itl_seconds(16)
    assert waits
    assert max(waits) <= two_iterations_seconds


def test_it_is_faster_than_the_plain_run() -> None:
    plain = simulation().run(None)
    assert simulation().run(simulation().clairvoyant(plain)).seconds < 0.7 * plain.seconds


def test_a_problem_of_which_nothing_is_known_is_not_speculated_about() -> None:
    few = simulation(1).run(None)
    clairvoyant = simulation(2).run(simulation(1).clairvoyant(few))
    assert [solution.foresight.speculated > 0 for solution in clairvoyant.solutions] == [True, False]


# A plan


DEMANDED = (grow(1), grow(0), grow(0, 0), rate(0), Score((node(0), node(1))))


def ripe(plan: Plan) -> list[Expand | Score]:
    foreseen = plan.foresee((), Effort())
    assert set(foreseen.values()) <= {1.0}
    return list(foreseen)


def test_what_can_be_made_now_is_foreseen_in_the_order_of_the_plain_runs_demands() -> None:
    tree = Tree()
    plan = Plan(DEMANDED, tree)
    assert ripe(plan) == [grow(1), grow(0)]
    tree.expand(grow(0), [Step("a", (1,))])
    plan.learn(grow(0))
    assert ripe(plan) == [grow(1), grow(0, 0), rate(0)]
    tree.expand(grow(1), [Step("b", (1,))])
    plan.learn(grow(1))
    assert ripe(plan) == [grow(0, 0), rate(0), Score((node(0), node(1)))]


def test_what_has_a_result_is_not_foreseen_again() -> None:
    tree = Tree()
    plan = Plan(DEMANDED, tree)
    for call in (grow(1), grow(0), grow(0, 0)):
        tree.expand(call, [Step("a", (1,))])
        plan.learn(call)
    for score in (rate(0), Score((node(0), node(1)))):
        tree.scores[score] = (0.5,) * len(score.nodes)
        plan.learn(score)
    assert ripe(plan) == []
