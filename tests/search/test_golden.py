"""The searches come to the golden trees, which an independent restatement of their formulas made."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from spex.ids import Expand, Score, call_key, child, node_key
from spex.search.base import Demand
from spex.search.catalog import build_search, search_names
from spex.search.mcts import State as MctsState
from spex.search.rstar import State as RStarState
from spex.testing import FIRST_COME, LAST_COME, Order, run_alone, shuffled
from spex.tree import Step
from tests.golden.make import files

GOLDEN = {
    path.stem: json.loads(path.read_text()) for path in sorted(Path(__file__).parent.parent.glob("golden/*.json"))
}


@dataclass(frozen=True)
class GoldenWorld:
    """Knows the nodes of a golden tree, and fails on a call that is not in it."""

    nodes: dict[str, Any]
    barren: list[str]
    meanings: dict[str, str]

    @classmethod
    def of(cls, golden: dict[str, Any]) -> GoldenWorld:
        return cls(golden["nodes"], golden["barren"], golden.get("meanings", {}))

    def steps(self, call: Expand) -> tuple[Step, ...]:
        if call_key(call) in self.barren:
            return ()
        node = self.nodes[node_key(child(call))]
        ids = tuple(range(node["tokens"]))
        return (Step("", ids, terminal=node["terminal"], answer=node["answer"]),)

    def scores(self, call: Score) -> tuple[float, ...]:
        if call.model == "clusters":
            return tuple(float(Fraction(self.meanings[node_key(node)])) for node in call.nodes)
        return tuple(float(Fraction(self.nodes[node_key(node)]["reward"])) for node in call.nodes)


@pytest.mark.parametrize("order", [FIRST_COME, LAST_COME, shuffled(1)], ids=lambda order: order.name)
@pytest.mark.parametrize("name", GOLDEN)
def test_a_search_comes_to_its_golden_tree(name: str, order: Order) -> None:
    golden = GOLDEN[name]
    run = run_alone(build_search(golden["search"], golden["settings"]), GoldenWorld.of(golden), order=order)
    assert set(map(node_key, run.tree.steps)) == set(golden["nodes"])
    for course, strand in zip(run.courses, golden["strands"], strict=True):
        outcomes = [decided.outcome for decided in course.decisions]
        demands = [list(map(call_key, outcome.calls)) for outcome in outcomes if isinstance(outcome, Demand)]
        assert demands == strand["decisions"]
        assert course.stop is not None
        assert sorted(map(node_key, course.stop.terminals)) == sorted(strand["stop"])


@pytest.mark.parametrize("name", [name for name in GOLDEN if "statistics" in GOLDEN[name]])
def test_an_mcts_has_the_visits_and_totals_of_its_golden_tree(name: str) -> None:
    golden = GOLDEN[name]
    run = run_alone(build_search(golden["search"], golden["settings"]), GoldenWorld.of(golden))
    state = run.courses[0].state
    assert isinstance(state, MctsState | RStarState)
    found = {node_key(place.node): (place.visits, place.total) for place in state.places.values()}
    known = golden["statistics"]
    assert {name: visits for name, (visits, _) in found.items()} == {name: known[name]["visits"] for name in known}
    for node, (_, total) in found.items():
        assert total == pytest.approx(float(Fraction(known[node]["total"])))


def test_the_files_are_what_the_restatement_makes() -> None:
    made = dict(files())
    assert {path.stem for path in made} == set(GOLDEN)
    for path, text in made.items():
        assert path.read_text() == text


def test_every_search_has_golden_trees() -> None:
    assert {golden["search"] for golden in GOLDEN.values()} == set(search_names())
