"""Carries a scenario out: plain, then speculative among faults, then killed and continued."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from spex.control.clock import run_virtual
from spex.control.run import Conduct, Run, run
from spex.control.setup import Setup, recorded, replayed
from spex.engine.base import Generation
from spex.engine.retrying import Retrying
from spex.engine.simulated import SimulatedPolicy, SimulatedReward
from spex.events import Event
from spex.policy import Policy
from spex.problem import Problem
from spex.record import MemoryLog
from spex.sim.task import SimulatedTask
from spex.sim.world import World
from tests.swarm.checker import Limits, check_run, compare, faults_of
from tests.swarm.faulty import FaultyEngine, FaultyReward
from tests.swarm.scenario import Faults, Scenario

_ATTEMPTS = 5


@dataclass
class Trial:
    """One run, with all that can be known of it from outside."""

    run: Run
    events: list[dict[str, Any]]
    generated: int
    in_flight: int
    asked: Counter[str]


def plain_of(scenario: Scenario) -> Scenario:
    """The same scenario, undisturbed and without speculation."""
    return replace(scenario, faults=Faults(), killed_at_share=None)


def carry_out(
    scenario: Scenario, *, speculate: bool, log: MemoryLog | None = None, until_seconds: float | None = None
) -> Trial:
    """Run the scenario in virtual time, to its end or until it is killed."""
    world = World(scenario.workload)
    asked: Counter[str] = Counter()

    def write(request: Generation) -> Any:
        asked[request.key] += 1
        return world.write(request)

    engine = SimulatedPolicy(
        write,
        scenario.curve,
        believed=scenario.believed,
        slots=scenario.slots,
        prefill_seconds=scenario.prefill_seconds,
        cancel_delay_seconds=scenario.cancel_delay_seconds,
        seed="positional" if scenario.positional else "whole",
    )
    reward = SimulatedReward(world.judge, scenario.reward_curve, slots=scenario.reward_slots)
    faulty = Retrying(FaultyEngine(engine, scenario.faults, scenario.seed), _ATTEMPTS, wait_jitter_seconds=0.0)
    setup = Setup(
        search=scenario.search,
        policy=Policy(faulty, SimulatedTask()),
        rewards={"reward": FaultyReward(reward, scenario.faults, scenario.seed)},
        seed=scenario.seed,
        speculation=scenario.speculation if speculate else None,
    )
    if log is not None:
        setup = recorded(setup, log)
    events: list[Event] = []
    problems = [Problem(f"problem {number}", f"q{number}") for number in range(scenario.queries)]
    conduct = Conduct(scenario.concurrency, on_event=events.append, deadline_seconds=until_seconds)
    result = run_virtual(run(problems, setup, conduct))
    in_flight = engine.counters().running + reward.counters().running
    traced = [msgspec.to_builtins(event) for event in events]
    return Trial(result, traced, engine.counters().cost.generated, in_flight, asked)


def judge(scenario: Scenario) -> list[str]:
    """Everything that is wrong with the scenario, in words."""
    plain = carry_out(plain_of(scenario), speculate=False)
    log = MemoryLog()
    speculative = carry_out(scenario, speculate=True, log=log)
    limits = Limits(
        scenario.slots,
        scenario.in_flight_max,
        scenario.reward_slots,
        scenario.cancel_delay_seconds,
        aborts_work=not scenario.faults.any,
    )
    wrong = faults_of(plain.events, speculative.events, limits, speculative.generated, speculative.in_flight)
    wrong += check_run(plain.events, replace(limits, speculations_max=0), plain.generated, plain.in_flight)
    wrong += _sums(speculative)
    wrong += _replayed(scenario, plain, log)
    if scenario.killed_at_share is not None:
        wrong += _killed(scenario, plain, speculative.run.seconds * scenario.killed_at_share)
    return wrong


def _sums(trial: Trial) -> list[str]:
    """G4: the reported classes add up to the engine's count."""
    usage = trial.run.usage
    total = usage.useful.generated + usage.wasted.generated + usage.lost.generated
    return [] if total == trial.generated else [f"G4: classes sum to {total}, the engine counted {trial.generated}"]


def _replayed(scenario: Scenario, plain: Trial, log: MemoryLog) -> list[str]:
    """The plain run from the speculating run's log alone is the plain run."""
    setup = Setup(
        search=scenario.search,
        policy=Policy(SimulatedPolicy(World(scenario.workload).write, scenario.curve), SimulatedTask()),
        rewards={"reward": SimulatedReward(World(scenario.workload).judge)},
        seed=scenario.seed,
    )
    events: list[Event] = []
    problems = [Problem(f"problem {number}", f"q{number}") for number in range(scenario.queries)]
    result = run_virtual(run(problems, replayed(setup, log), Conduct(on_event=events.append)))
    wrong = [f"replay: {solution.error}" for solution in result.solutions if solution.error]
    return wrong + compare(plain.events, [msgspec.to_builtins(event) for event in events])


def _killed(scenario: Scenario, plain: Trial, seconds: float) -> list[str]:
    """G5: cut off at some moment and continued from the log, the run is the same, and repeats no finished call."""
    log = MemoryLog()
    carry_out(scenario, speculate=True, log=log, until_seconds=max(seconds, 1e-3))
    finished = set(log.entries)
    second = carry_out(scenario, speculate=True, log=log)
    wrong = [f"G5: finished call {key} was made again" for key in sorted(finished & set(second.asked))]
    return wrong + [f"after a kill: {fault}" for fault in compare(plain.events, second.events)]
