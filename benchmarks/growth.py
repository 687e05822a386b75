"""Searches whose cost once grew faster than their work: a long chain, many demands at once, many queries at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple, TypeAlias

from spex.control.clock import run_virtual
from spex.control.run import Conduct, run
from spex.control.setup import Setup
from spex.ids import ROOT, Expand, NodeId
from spex.policy import Policy
from spex.problem import Problem
from spex.search.base import AnySearch, Demand, Outlook, Stop
from spex.search.rebase import Rebase
from spex.sim.task import SimulatedTask
from spex.sim.workload import WORKLOADS
from spex.sim.world import World
from spex.tree import TreeView

Row: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Chain:
    """One step after another, `length` of them."""

    length: int

    def start(self, seed: int) -> NodeId:  # noqa: ARG002
        return ROOT

    def advance(self, state: NodeId, tree: TreeView) -> tuple[NodeId, Demand | Stop]:
        if len(state) == self.length:
            return state, Stop(())
        return tree.children(Expand(state))[0], Demand(())

    def outlook(self, state: NodeId, tree: TreeView) -> Outlook:  # noqa: ARG002
        return Outlook(0)


@dataclass(frozen=True, slots=True)
class Fan:
    """`width` steps from the root, all demanded at once."""

    width: int

    def start(self, seed: int) -> int:  # noqa: ARG002
        return 0

    def advance(self, state: int, tree: TreeView) -> tuple[int, Demand | Stop]:
        calls = tuple(Expand(ROOT, "step", index) for index in range(self.width))
        if state == 0:
            return 1, Demand(calls)
        tree.need(calls)
        return 2, Stop(())

    def outlook(self, state: int, tree: TreeView) -> Outlook:  # noqa: ARG002
        return Outlook(0)


class Case(NamedTuple):
    """`search` of a size, by as many queries at once as `queries` says; how many calls that is."""

    name: str
    sizes: tuple[int, ...]
    search: Callable[[int], AnySearch]
    queries: Callable[[int], int]


CASES = (
    Case("chain", (200, 400, 800), Chain, lambda _: 1),
    Case("demands at once", (2_000, 8_000, 32_000), Fan, lambda _: 1),
    Case("queries at once", (125, 500, 2_000), lambda _: Rebase(width=4), lambda size: size),
)


def growth(case: Case, factor: float, cpu_seconds: Callable[[Callable[[], object]], float]) -> list[Row]:
    """CPU time of plain runs by size, in all and for each demanded call."""
    rows: list[Row] = []
    for size in case.sizes:
        scaled = max(2, round(size * factor))
        calls: list[int] = []
        seconds = cpu_seconds(partial(_carry_out, case, scaled, calls))
        each = seconds / calls[0] * 1e6
        rows.append({
            "case": case.name,
            "size": scaled,
            "calls": calls[0],
            "cpu_seconds": seconds,
            "microseconds_per_call": each,
        })  # fmt: skip
    return rows


def _carry_out(case: Case, size: int, calls: list[int]) -> None:
    """One plain run; `calls` gets the number of its demanded ones."""
    load = replace(WORKLOADS["reference"], depth_min=1_000_000, depth_max=1_000_000)
    load = WORKLOADS["reference"] if case.queries(size) > 1 else load
    world = World(load)
    setup = Setup(
        case.search(size),
        Policy(load.policy(world.write), SimulatedTask()),
        {"reward": load.reward(world.judge)},
        speculation=None,
    )
    problems = [Problem(f"simulated problem {number}", f"q{number}") for number in range(case.queries(size))]
    done = run_virtual(run(problems, setup, Conduct(concurrency=len(problems))))
    calls.append(sum(len(solution.tree.expansions) + len(solution.tree.scores) for solution in done.solutions))
