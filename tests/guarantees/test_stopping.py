"""G1, G3 and G5 for searches that are stopped: the cut is the same in every run, and `exact` keeps the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spex.answer import AnswerRule, Best, Majority, Weighted
from spex.control.clock import run_virtual
from spex.control.run import Conduct, run
from spex.control.setup import Setup
from spex.engine.simulated import SimulatedPolicy, SimulatedReward
from spex.policy import Policy
from spex.profile import Affine
from spex.record import MemoryLog
from spex.search.base import AnySearch
from spex.search.beam import Beam
from spex.search.best_of_n import BestOfN
from spex.search.dvts import Dvts
from spex.search.mcts import Mcts
from spex.search.rebase import Rebase
from spex.search.self_consistency import SelfConsistency
from spex.sim.task import SimulatedTask
from spex.sim.workload import Workload
from spex.sim.world import World
from spex.solution import Solution
from spex.speculate.confident import Confident
from spex.speculate.stopping import Exact, StoppingRule
from tests.builders import problems
from tests.guarantees.situations import faults, late, levelled, scenarios, tried
from tests.swarm.judge import check_trial, differences, in_vain, plain_trial
from tests.swarm.scenario import ANSWER_RULES, STOPPING, Scenario
from tests.swarm.trial import carry_out, replay


@st.composite
def stopped(draw: st.DrawFn, situations: st.SearchStrategy[Scenario]) -> Scenario:
    """The same situations, with a rule that may stop their searches."""
    rules, answer_rules = st.sampled_from(STOPPING), st.sampled_from(ANSWER_RULES)
    return replace(draw(situations), stopping=draw(rules), answer_rule=draw(answer_rules))


@tried(40)
@given(stopped(scenarios()), st.integers(0, 9))
def test_a_search_is_cut_at_the_same_place_whatever_is_guessed_and_in_whatever_order_results_come(
    scenario: Scenario, order: int
) -> None:
    plain = plain_trial(scenario)
    assert differences(scenario, plain, carry_out(late(scenario, order), speculate=True)) == []
    assert differences(scenario, plain, carry_out(late(scenario, order), speculate=False)) == []


@tried(25)
@given(stopped(scenarios(levelled())), st.integers(0, 9))
def test_so_it_is_where_strands_are_ahead_of_each_other_in_time(scenario: Scenario, order: int) -> None:
    speculative = carry_out(late(scenario, order), speculate=True)
    assert differences(scenario, plain_trial(scenario), speculative) == []


@tried(30)
@given(stopped(scenarios(fault=faults())))
def test_a_stopped_run_is_replayed_from_its_log_alone_whatever_failed_in_it(scenario: Scenario) -> None:
    plain, log = plain_trial(scenario), MemoryLog()
    speculative = carry_out(scenario, speculate=True, log=log, doomed=in_vain(scenario, plain))
    assert differences(scenario, plain, speculative) == []
    assert differences(scenario, plain, replay(scenario, log)) == []


@tried(25)
@given(stopped(scenarios(fault=faults())))
def test_nothing_of_a_stopped_query_is_left_in_flight_and_all_of_it_is_accounted_for(scenario: Scenario) -> None:
    assert check_trial(scenario, carry_out(scenario, speculate=True), speculate=True) == []


@tried(60)
@given(scenarios(), st.sampled_from(ANSWER_RULES))
def test_exact_stopping_changes_no_answer(scenario: Scenario, rule: AnswerRule) -> None:
    whole = plain_trial(replace(scenario, answer_rule=rule, stopping=None)).solutions
    cut = plain_trial(replace(scenario, answer_rule=rule, stopping=Exact())).solutions
    assert [solution.answer for solution in cut] == [solution.answer for solution in whole]
    for one, other in zip(cut, whole, strict=True):
        assert set(one.terminals) <= set(other.terminals)
        assert one.tree.steps.items() <= other.tree.steps.items()


# Many queries

LOAD = Workload("small", step_tokens=8.0, depth_min=2, depth_max=5, end_probability=0.3)
USUAL: Sequence[tuple[AnySearch, AnswerRule]] = (
    (SelfConsistency(12), Majority()),
    (BestOfN(12), Weighted()),
    (Rebase(width=8), Weighted()),
    (Rebase(width=8), Best("min")),
    (Beam(width=8, depth_max=5), Majority()),
    (Dvts(width=8), Weighted("prod")),
    (Mcts(iterations=10), Weighted()),
)


def solutions(search: AnySearch, rule: AnswerRule, stopping: StoppingRule | None, count: int) -> tuple[Solution, ...]:
    world = World(LOAD)
    made = Setup(
        search=search,
        policy=Policy(SimulatedPolicy(world.write, Affine(0.01, 0.0), slots=4096), SimulatedTask()),
        rewards={"reward": SimulatedReward(world.judge)},
        answer_rule=rule,
        speculation=None,
        stopping=stopping,
    )
    return run_virtual(run(problems(count), made, Conduct(concurrency=count))).solutions


@pytest.mark.parametrize(("search", "rule"), USUAL, ids=repr)
def test_a_thousand_queries_keep_their_answers_under_exact_stopping(search: AnySearch, rule: AnswerRule) -> None:
    count = 143
    assert count * len(USUAL) >= 1000
    whole, cut = solutions(search, rule, None, count), solutions(search, rule, Exact(), count)
    assert [solution.answer for solution in cut] == [solution.answer for solution in whole]
    if rule in (Majority(), Weighted()) and not isinstance(search, Beam):
        assert any(solution.stopped_early for solution in cut)


@pytest.mark.parametrize(("search", "rule"), [USUAL[0], USUAL[1], USUAL[2], USUAL[6]], ids=repr)
def test_confident_stopping_changes_few_answers_and_saves_tokens(search: AnySearch, rule: AnswerRule) -> None:
    whole, cut = solutions(search, rule, None, 100), solutions(search, rule, Confident(0.05), 100)
    changed = sum(one.answer != other.answer for one, other in zip(whole, cut, strict=True))
    assert changed <= 12
    saved = [len(other.tree.steps) - len(one.tree.steps) for one, other in zip(cut, whole, strict=True)]
    assert sum(saved) > 0
