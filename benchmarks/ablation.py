"""What is measured for the table of ablations: rows, searches, and one cell, a row of one search at one load."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from hashlib import blake2b

import msgspec
import numpy as np

from spex.answer import answer_rule
from spex.control.run import Run
from spex.control.setup import Speculation
from spex.ids import call_key
from spex.report.records import summary_record
from spex.search.catalog import answer_rule_of, build_search
from spex.sim.drafting import drafted
from spex.sim.simulate import Simulation
from spex.sim.workload import Workload, find_workload
from spex.solution import Solution
from spex.speculate.catalog import MARKETS, RULES
from spex.speculate.stopping import stopping_rule

ACCEPTANCE, DRAFT_TOKENS = 0.8, 4
FIRST_COME_MAX = 64

SEARCHES: Mapping[str, tuple[str, dict[str, str]]] = {
    "rebase-16": ("rebase", {"width": "16"}),
    "mcts-c1": ("mcts", {"c": "1"}),
    "mcts-c0.3": ("mcts", {"c": "0.3"}),
    "ets-16": ("ets", {"width": "16"}),
    "rstar-8": ("rstar", {"iterations": "16", "votes": "8"}),
    "rebase-64": ("rebase", {"width": "64"}),
}
QUERIES: Mapping[str, int] = {"ets-16": 16, "rstar-8": 16, "rebase-64": 16}
"""Of those that take the controller several seconds a query: fewer than it takes for an interval to mean much."""


class Row(msgspec.Struct, frozen=True):
    """How a run goes: its selection and budget by name (None: plain), what stops it, whether the engine drafts."""

    name: str
    rule: str | None = None
    market: str | None = None
    stop: str = "off"
    drafts: bool = False

    @property
    def own_plain(self) -> str:
        """The row without speculation on the same engine."""
        return "drafts, plain" if self.drafts else "plain"

    @property
    def speculation(self) -> Speculation | None:
        if self.rule is None or self.market is None:
            return None
        most = FIRST_COME_MAX if self.market == "first-come" else None
        return Speculation(rule=RULES[self.rule](), market=MARKETS[self.market](), in_flight_max=most)

    def on(self, load: Workload) -> Workload:
        return load.on(drafted(load.curve, ACCEPTANCE, DRAFT_TOKENS)) if self.drafts else load


ROWS = (
    Row("plain"),
    Row("ours: selection", "ours", "first-come"),
    Row("ours: + budget", "ours", "ours"),
    Row("ours: + exact", "ours", "ours", "exact"),
    Row("ours: + confident(0.05)", "ours", "ours", "confident:0.05"),
    Row("paper: selection", "paper", "first-come"),
    Row("paper: + budget", "paper", "paper"),
    Row("paper: + its stopping", "paper", "paper", "paper:0.5"),
    Row("drafts, plain", drafts=True),
    Row("drafts, ours: + budget", "ours", "ours", drafts=True),
    Row("drafts, paper: + budget", "paper", "paper", drafts=True),
)


class Place(msgspec.Struct, frozen=True):
    """Where a cell stands. `queries` ran, `concurrency` at once."""

    search: str
    concurrency: int
    row: str
    queries: int
    workload: str = "reference"

    @property
    def key(self) -> str:
        return f"{self.workload} | {self.search} | {self.concurrency} | {self.row} | n={self.queries}"


class Cell(msgspec.Struct, frozen=True):
    """A measured cell, latencies and answers in the order of the problems.

    `accuracy`: committed / speculated calls. `trees`: a digest of every demanded call and its result.
    """

    place: Place
    latencies_seconds: list[float]
    answers: list[str | None]
    correct: int
    stopped: int
    tokens_useful: int
    tokens_wasted: int
    accuracy: float | None
    trees: str
    wall_seconds: float

    @property
    def latency_seconds_mean(self) -> float:
        return sum(self.latencies_seconds) / len(self.latencies_seconds)

    @property
    def waste(self) -> float:
        return self.tokens_wasted / max(1, self.tokens_useful)

    def latency_seconds(self, percent: float) -> float:
        """A percentile, between neighbours in proportion."""
        return float(np.percentile(self.latencies_seconds, percent))


def measure(place: Place, row: Row) -> Cell:
    """Run one cell in virtual time."""
    name, settings = SEARCHES[place.search]
    search = build_search(name, settings)
    simulation = Simulation(
        search,
        row.on(find_workload(place.workload)),
        queries=place.queries,
        concurrency=place.concurrency,
        answer_rule=answer_rule(answer_rule_of(search)),
        stopping=stopping_rule(row.stop),
    )
    began = time.monotonic()
    return cell_of(place, simulation.run(row.speculation), began)


def cell_of(place: Place, run: Run, began: float) -> Cell:
    """The figures of a run that began at `began` on the process's clock."""
    summary = summary_record(run.solutions, run.seconds)
    return Cell(
        place=place,
        latencies_seconds=[solution.timings.latency_seconds for solution in run.solutions],
        answers=[solution.answer for solution in run.solutions],
        correct=summary.correct,
        stopped=sum(solution.stopped_early is not None for solution in run.solutions),
        tokens_useful=summary.tokens_useful,
        tokens_wasted=summary.tokens_wasted,
        accuracy=summary.speculation_accuracy,
        trees=_digest(run.solutions),
        wall_seconds=round(time.monotonic() - began, 1),
    )


def _digest(solutions: Sequence[Solution]) -> str:
    digest = blake2b(digest_size=8)
    for solution in solutions:
        tree = solution.tree
        results = [
            (call_key(call), repr([tree.steps[node] for node in made])) for call, made in tree.expansions.items()
        ]
        results += [(call_key(score), repr(values)) for score, values in tree.scores.items()]
        digest.update(repr((solution.problem.id, sorted(results), solution.answer, solution.terminals)).encode())
    return digest.hexdigest()
