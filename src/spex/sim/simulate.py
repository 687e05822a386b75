"""Simulated runs: the controller itself, in virtual time, over simulated engines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from spex.answer import AnswerRule, Weighted
from spex.control.clock import run_virtual
from spex.control.run import Conduct, Run, run
from spex.control.setup import Setup, Speculation
from spex.errors import InputError
from spex.events import Sink
from spex.ids import REWARD
from spex.policy import Policy
from spex.problem import Problem
from spex.reward.base import Reward
from spex.search.base import AnySearch
from spex.search.catalog import models_of
from spex.sim.arrivals import Arrivals
from spex.sim.bounds import Floor, Pace, floor_of
from spex.sim.clairvoyant import Clairvoyant
from spex.sim.task import SimulatedTask
from spex.sim.workload import Workload
from spex.sim.world import World
from spex.speculate.stopping import StoppingRule


@dataclass(frozen=True, slots=True)
class Simulation:
    """One configuration to simulate: `queries` problems, `concurrency` at once (both from 1 to 65536).

    arrivals: None is a closed loop, in which a query begins as another ends. In an open loop queries
    begin as they arrive, however many run, and `concurrency` bounds nothing. `stopping` may end a search early.
    """

    search: AnySearch
    workload: Workload
    queries: int = 64
    concurrency: int = 4
    seed: int = 0
    answer_rule: AnswerRule = Weighted()
    arrivals: Arrivals | None = None
    stopping: StoppingRule | None = None

    def run(self, speculation: Speculation | None, on_event: Sink | None = None) -> Run:
        """Carry it out in virtual time; the same arguments give the same run."""
        return run_virtual(self.carry_out(speculation, on_event))

    async def carry_out(self, speculation: Speculation | None, on_event: Sink | None = None) -> Run:
        """Carry it out on the running loop's clock, which may be a real one."""
        world = World(self.workload)
        setup = Setup(
            search=self.search,
            policy=Policy(self.workload.policy(world.write), SimulatedTask()),
            rewards=self._rewards(world),
            answer_rule=self.answer_rule,
            seed=self.seed,
            speculation=speculation,
            stopping=self.stopping,
        )
        problems = [Problem(f"simulated problem {number}", f"q{number}") for number in range(self.queries)]
        conduct = Conduct(concurrency=self.queries_at_once, on_event=on_event, arrivals_seconds=self.arrivals_seconds())
        return await run(problems, setup, conduct)

    def _rewards(self, world: World) -> dict[str, Reward]:
        """A server for each model that the search asks for. Raises `InputError`."""
        judgements = {REWARD: world.judge, "clusters": world.cluster}
        for model in models_of(self.search):
            if model not in judgements:
                raise InputError("search", self.search, f"no world is there for the scores {model!r} that it asks for")
        return {model: self.workload.reward(judgements[model], model) for model in (REWARD, *models_of(self.search))}

    @property
    def queries_at_once(self) -> int:
        """The most that may run together."""
        return self.concurrency if self.arrivals is None else self.queries

    def arrivals_seconds(self) -> tuple[float, ...] | None:
        """When each query arrives; None in a closed loop."""
        return None if self.arrivals is None else self.arrivals.seconds(self.queries, self.seed)

    def clairvoyant(self, plain: Run) -> Speculation:
        """Speculation that knows what `plain`, a run of this simulation, has demanded."""
        return Speculation(rule=Clairvoyant.of(plain.solutions))

    def floor(self, plain: Run) -> Floor:
        """What no schedule of the calls that `plain`, a run of this simulation, has demanded can beat."""
        return floor_of(plain.solutions, pace_of(self.workload), self.queries_at_once, self.arrivals_seconds())


def pace_of(workload: Workload) -> Pace:
    """The best that a workload's engines can do."""
    return Pace(workload.curve, workload.slots, workload.prefill_seconds, workload.reward_curve.itl_seconds(1))


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
