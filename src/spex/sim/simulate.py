"""Simulated runs: the controller itself, in virtual time, over simulated engines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from spex.answer import AnswerRule, Weighted
from spex.control.clock import run_virtual
from spex.control.run import Conduct, Run, run
from spex.control.setup import Setup, Speculation
from spex.events import Sink
from spex.policy import Policy
from spex.problem import Problem
from spex.search.base import AnySearch
from spex.sim.task import SimulatedTask
from spex.sim.workload import Workload
from spex.sim.world import World


@dataclass(frozen=True, slots=True)
class Simulation:
    """One configuration to simulate: `queries` problems, `concurrency` at once (both ≥ 1)."""

    search: AnySearch
    workload: Workload
    queries: int = 64
    concurrency: int = 4
    seed: int = 0
    answer_rule: AnswerRule = Weighted()

    def run(self, speculation: Speculation | None, on_event: Sink | None = None) -> Run:
        """Carry it out in virtual time; the same arguments give the same run."""
        return run_virtual(self.carry_out(speculation, on_event))

    async def carry_out(self, speculation: Speculation | None, on_event: Sink | None = None) -> Run:
        """Carry it out on the running loop's clock, which may be a real one."""
        world = World(self.workload)
        setup = Setup(
            search=self.search,
            policy=Policy(self.workload.policy(world.write), SimulatedTask()),
            rewards={"reward": self.workload.reward(world.judge)},
            answer_rule=self.answer_rule,
            seed=self.seed,
            speculation=speculation,
        )
        problems = [Problem(f"simulated problem {number}", f"q{number}") for number in range(self.queries)]
        return await run(problems, setup, Conduct(concurrency=self.concurrency, on_event=on_event))


def same_trees(plain: Run, speculative: Run, differs: Callable[[str], None] | None = None) -> bool:
    """Whether both runs demanded the same calls with the same results and gave the same answers."""
    if len(plain.solutions) != len(speculative.solutions):
        return False
    same = True
    for one, other in zip(plain.solutions, speculative.solutions, strict=True):
        if (one.tree, one.answer, one.terminals) != (other.tree, other.answer, other.terminals):
            same = False
            if differs is not None:
                differs(one.problem.id)
    return same
