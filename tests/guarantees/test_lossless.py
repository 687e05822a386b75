"""G1: whatever is speculated, whatever fails, in whatever order it comes, the search finds what the plain run finds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spex.control.clock import run_virtual
from spex.control.run import run
from spex.control.setup import Speculation
from spex.engine.base import Completion, Generation, Scoring
from spex.engine.simulated import SimulatedPolicy, SimulatedReward
from spex.errors import EngineError
from spex.record import MemoryLog
from spex.search.base import AnySearch, Demand, Outlook, Search, Stop, strands_of
from spex.tree import TreeView, Unknown, Visible
from tests.builders import FLAT, problems, setup
from tests.guarantees.situations import (
    cut_at,
    cuts,
    faults,
    late,
    scenarios,
    senseless,
    senseless_searches,
    shares,
    tried,
)
from tests.search.small import NAMES, small
from tests.swarm.checker import compare
from tests.swarm.judge import in_vain, plain_trial
from tests.swarm.markets import Greedy
from tests.swarm.scenario import Scenario
from tests.swarm.senseless import SenselessStrands
from tests.swarm.trial import How, carry_out, replay

Events = Sequence[Mapping[str, Any]]


# The same tree


@tried(24)
@given(scenarios())
def test_a_speculating_run_decides_finds_and_answers_what_the_plain_run_does(scenario: Scenario) -> None:
    assert compare(plain_trial(scenario).events, carry_out(scenario, speculate=True).events) == []


@tried(35)
@given(scenarios(fault=faults()))
def test_so_it_does_whatever_fails_on_the_way_and_however_many_guesses_fail_for_ever(scenario: Scenario) -> None:
    plain = plain_trial(scenario)
    speculative = carry_out(scenario, speculate=True, doomed=in_vain(scenario, plain))
    assert compare(plain.events, speculative.events) == []


@pytest.mark.parametrize("name", NAMES)
@tried(12)
@given(drawn=st.data())
def test_so_it_does_with_every_search_of_the_catalogue_and_so_does_the_replay(name: str, drawn: st.DataObject) -> None:
    scenario = drawn.draw(scenarios(st.just(small(name)), fault=faults()))
    plain, log = plain_trial(scenario), MemoryLog()
    speculative = carry_out(scenario, speculate=True, log=log, doomed=in_vain(scenario, plain))
    assert compare(plain.events, speculative.events) == []
    assert compare(plain.events, replay(scenario, log).events) == []


@tried(60)
@given(scenarios(senseless_searches()), st.integers(0, 9))
def test_so_it_does_for_rules_whose_every_choice_hangs_on_all_that_they_have_read(
    scenario: Scenario, order: int
) -> None:
    speculative = carry_out(late(scenario, order), speculate=True)
    assert compare(plain_trial(scenario).events, speculative.events) == []


@tried(24)
@given(scenarios(), st.integers(0, 9))
def test_the_order_in_which_results_come_changes_nothing(scenario: Scenario, order: int) -> None:
    assert compare(plain_trial(scenario).events, carry_out(late(scenario, order), speculate=False).events) == []


@tried(24)
@given(scenarios(fault=faults()))
def test_the_log_of_a_speculating_run_holds_all_that_the_plain_run_asks_for(scenario: Scenario) -> None:
    plain, log = plain_trial(scenario), MemoryLog()
    carry_out(scenario, speculate=True, log=log, doomed=in_vain(scenario, plain))
    assert compare(plain.events, replay(scenario, log).events) == []


# The same requests


@tried(24)
@given(scenarios(fault=faults()))
def test_a_call_asks_for_the_same_whether_it_is_demanded_guessed_or_tried_again(scenario: Scenario) -> None:
    plain = plain_trial(scenario).register
    speculative = carry_out(scenario, speculate=True).register
    assert {len(digests) for digests in speculative.digests.values()} <= {1}
    for key, digests in plain.digests.items():
        assert speculative.digests[key] == digests


@tried(16)
@given(senseless(), st.integers(1, 3), st.integers(0, 99))
def test_equal_states_are_scored_with_equal_seeds_wherever_they_are(rule: Any, words: int, seed: int) -> None:
    scorings: list[Scoring] = []

    def write(request: Generation) -> Completion:
        word = request.seed % words
        return Completion(f"{word}", (word,), None, "delimiter")

    def judge(request: Scoring) -> tuple[float, ...]:
        scorings.append(request)
        return (0.5,) * len(request.paths)

    search = SenselessStrands(replace(rule, turns=6), 2)
    made = setup(search, SimulatedPolicy(write, FLAT), SimulatedReward(judge), Speculation(market=Greedy()), seed)
    run_virtual(run(problems(1), made))
    seeds: defaultdict[object, set[int]] = defaultdict(set)
    for scoring in scorings:
        seeds[tuple(path.prompt for path in scoring.paths), scoring.key.split(":")[1]].add(scoring.seed)
    assert {len(found) for found in seeds.values()} <= {1}
    assert len({seed for found in seeds.values() for seed in found}) == len(seeds)


# What a search can see


class Wary:
    """A strand that looks, whenever it is called, whether its view shows what it has not demanded."""

    def __init__(self, strand: Search[Any]) -> None:
        self._strand = strand
        self._demanded: dict[int, tuple[TreeView, set[object]]] = {}
        self.leaks: list[object] = []

    def start(self, seed: int) -> object:
        return self._strand.start(seed)

    def advance(self, state: object, tree: TreeView) -> tuple[object, Demand | Stop]:
        if not isinstance(tree, Visible):
            return self._strand.advance(state, tree)
        _, demanded = self._demanded.setdefault(id(tree), (tree, set()))
        shown = [*tree._expansions, *tree._scores, *(node for kids in tree._expansions.values() for node in kids)]
        allowed = demanded | {node for kids in tree._expansions.values() for node in kids}
        self.leaks += [what for what in (*shown, *tree._steps) if what not in allowed]
        try:
            after, outcome = self._strand.advance(state, tree)
        except Unknown as unknown:
            demanded.update(unknown.calls)
            raise
        if isinstance(outcome, Demand):
            demanded.update(outcome.calls)
        return after, outcome

    def outlook(self, state: object, tree: TreeView) -> Outlook:
        return self._strand.outlook(state, tree)


class WaryOfAll:
    """A search whose strands are all wary."""

    def __init__(self, search: AnySearch) -> None:
        self._strands = tuple(Wary(strand) for strand in strands_of(search))

    def strands(self) -> tuple[Wary, ...]:
        return self._strands

    @property
    def leaks(self) -> list[object]:
        return [leak for strand in self._strands for leak in strand.leaks]


@tried(20)
@given(scenarios(), st.integers(0, 9))
def test_a_strand_never_sees_what_it_has_not_demanded(scenario: Scenario, order: int) -> None:
    wary = WaryOfAll(scenario.search)
    carry_out(replace(late(scenario, order), search=wary), speculate=True)
    assert wary.leaks == []


# What did not end by itself


def of_query(events: Events, query: str) -> Events:
    return [event for event in events if event["query"] == query]


def begins_as(plain: Events, cut: Events) -> list[str]:
    """What is in the run that was cut short and is not the beginning of the plain one, strand by strand."""
    decided: defaultdict[tuple[str, int], list[list[str]]] = defaultdict(list)
    results = {(event["query"], event["call"]): event["digest"] for event in plain if event["event"] == "finished"}
    for event in plain:
        if event["event"] == "decided":
            decided[event["query"], event["strand"]].append(event["calls"])
    wrong = []
    for event in cut:
        key = (event["query"], event.get("call", ""))
        if event["event"] == "decided" and event["calls"] != decided[event["query"], event["strand"]].pop(0):
            wrong.append(f"decision {event}")
        if event["event"] == "finished" and key in results and event["digest"] != results[key]:
            wrong.append(f"result {event}")
    return wrong


@tried(24)
@given(scenarios(fault=faults()), cuts())
def test_a_query_that_is_cut_short_says_so_and_has_the_beginning_of_the_plain_run(
    scenario: Scenario, cut: tuple[How, float]
) -> None:
    plain = plain_trial(scenario)
    short = carry_out(scenario, speculate=True, cut=cut_at(cut, plain), doomed=in_vain(scenario, plain))
    whole = {solution.problem.id: solution for solution in plain.solutions}
    assert begins_as(plain.events, short.events) == []
    for solution in short.solutions:
        same = whole[solution.problem.id]
        assert solution.partial is not None or (solution.answer, solution.tree) == (same.answer, same.tree)


@tried(24)
@given(scenarios(fault=faults()), shares(), st.booleans())
def test_a_demanded_call_that_always_fails_ends_its_query_with_that_error_and_no_other(
    scenario: Scenario, share: float, speculate: bool
) -> None:
    plain = plain_trial(scenario)
    made = sorted(plain.register.asked)
    victim = made[int(share * (len(made) - 1))]
    trial = carry_out(scenario, speculate=speculate, doomed=lambda key: key == victim)
    for solution in trial.solutions:
        query = solution.problem.id
        events, others = of_query(plain.events, query), of_query(trial.events, query)
        if victim.startswith(f"{query}|"):
            assert isinstance(solution.error, EngineError)
            assert solution.partial == str(solution.error)
            assert begins_as(events, others) == []
        else:
            assert compare(events, others) == []


@tried(16)
@given(scenarios(senseless(reads_all=False)), st.integers(0, 9))
def test_a_rule_that_stops_before_it_has_read_all_that_it_demanded_stops_the_same(
    scenario: Scenario, order: int
) -> None:
    plain = plain_trial(scenario)
    speculative = carry_out(late(scenario, order), speculate=True)
    assert begins_as(plain.events, speculative.events) == begins_as(speculative.events, plain.events) == []
    assert [ended(solution) for solution in plain.solutions] == [ended(solution) for solution in speculative.solutions]


def ended(solution: Any) -> tuple[object, ...]:
    return solution.terminals, solution.partial, solution.error
