"""Carries a scenario out on fresh engines, in virtual time, and keeps what can be seen of it from outside."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import msgspec

from spex.control.clock import run_virtual
from spex.control.run import Conduct, run
from spex.control.setup import Setup, recorded, replayed
from spex.engine.base import Scoring
from spex.engine.retrying import Retrying
from spex.engine.simulated import SimulatedPolicy, SimulatedReward
from spex.events import Event
from spex.policy import Policy
from spex.problem import Problem
from spex.record import CallLog
from spex.sim.world import World
from spex.solution import Solution
from spex.usage import Tokens, Usage
from tests.swarm.faulty import Doomed, FaultyEngine, FaultyReward
from tests.swarm.proposing import ProposingTask
from tests.swarm.register import Register
from tests.swarm.scenario import Scenario

_ATTEMPTS = 5


class How(Enum):
    """What ends a run before its time."""

    DEADLINE = auto()
    """Every query has one."""
    STOP = auto()
    """The run is asked to stop."""
    CANCEL = auto()
    """Its task is cancelled."""


@dataclass(frozen=True)
class Cut:
    """A run is cut short after some seconds (> 0)."""

    how: How
    seconds: float


@dataclass(frozen=True)
class Trial:
    """One run, with all that can be known of it from outside.

    `cost` and `in_flight` are the engines' own counts; `overstayed` are the queries of which an engine was still
    busy when they were said to be over.
    """

    solutions: tuple[Solution, ...]
    seconds: float
    events: Sequence[dict[str, Any]]
    cost: Tokens
    in_flight: int
    overstayed: tuple[str, ...]
    register: Register

    @property
    def usage(self) -> Usage:
        """What the queries say that they cost."""
        total = Usage()
        for solution in self.solutions:
            total = total.plus(solution.usage)
        return total

    @property
    def demanded(self) -> frozenset[str]:
        """The keys of the demanded calls."""
        return frozenset(f"{event['query']}|{event['call']}" for event in self.events if event["event"] == "demanded")


def nothing_doomed(key: str) -> bool:
    return False


def carry_out(
    scenario: Scenario,
    *,
    speculate: bool,
    log: CallLog | None = None,
    cut: Cut | None = None,
    doomed: Doomed = nothing_doomed,
) -> Trial:
    """Run the scenario to its end, or until it is cut short; with `log`, go on from it and keep it."""
    stage = _Stage(scenario, doomed)
    setup = stage.setup(speculate=speculate)
    seconds = run_virtual(stage.play(recorded(setup, log) if log is not None else setup, cut))
    return stage.seen(seconds)


def replay(scenario: Scenario, log: CallLog) -> Trial:
    """The plain run of the scenario from a log alone, with no engine."""
    stage = _Stage(scenario, nothing_doomed)
    seconds = run_virtual(stage.play(replayed(stage.setup(speculate=False), log), None))
    return stage.seen(seconds)


class _Stage:
    """Fresh engines for one run, and what was seen on them."""

    def __init__(self, scenario: Scenario, doomed: Doomed) -> None:
        self._scenario = scenario
        self._doomed = doomed
        self._register = Register()
        self._world = World(scenario.workload)
        self._engine = SimulatedPolicy(
            self._world.write,
            scenario.curve,
            believed=scenario.believed,
            slots=scenario.slots,
            prefill_seconds=scenario.prefill_seconds,
            cancel_delay_seconds=scenario.cancel_delay_seconds,
            seed="positional" if scenario.positional else "whole",
        )
        self._judgements = {"reward": self._world.judge, "clusters": self._world.cluster}
        self._reward = SimulatedReward(self._judged, scenario.reward_curve, slots=scenario.reward_slots)
        self._events: list[Event] = []
        self._solutions: list[Solution] = []
        self._overstayed: list[str] = []

    def setup(self, *, speculate: bool) -> Setup:
        scenario = self._scenario
        faults, seed = scenario.faults, scenario.faults_seed
        engine = FaultyEngine(self._engine, faults, seed, self._register, self._doomed)
        reward = FaultyReward(self._reward, faults, seed, self._register, self._doomed)
        return Setup(
            search=scenario.search,
            policy=Policy(Retrying(engine, _ATTEMPTS, wait_jitter_seconds=0.0), ProposingTask()),
            rewards=dict.fromkeys(self._judgements, reward),
            answer_rule=scenario.answer_rule,
            seed=scenario.seed,
            speculation=scenario.speculation if speculate else None,
            stopping=scenario.stopping,
        )

    def _judged(self, request: Scoring) -> tuple[float, ...]:
        """One server for all models."""
        return self._judgements[request.model](request)

    async def play(self, setup: Setup, cut: Cut | None) -> float:
        """Run the problems; the length of the run in seconds."""
        loop = asyncio.get_running_loop()
        problems = [Problem(f"problem {number}", f"q{number}") for number in range(self._scenario.queries)]
        stop = asyncio.Event()
        conduct = Conduct(
            self._scenario.concurrency,
            deadline_seconds=cut.seconds if cut is not None and cut.how is How.DEADLINE else None,
            on_event=self._listen,
            on_solution=self._solutions.append,
            stop=stop,
        )
        running = loop.create_task(run(problems, setup, conduct))
        if cut is not None and cut.how is not How.DEADLINE:
            loop.call_later(cut.seconds, stop.set if cut.how is How.STOP else running.cancel)
        await asyncio.wait([running])
        if not running.cancelled():
            running.result()
        return loop.time()

    def _listen(self, event: Event) -> None:
        self._events.append(event)
        if event.event == "query_finished" and self._register.present(event.query):
            self._overstayed.append(event.query)

    def seen(self, seconds: float) -> Trial:
        engine, reward = self._engine.counters(), self._reward.counters()
        return Trial(
            solutions=tuple(sorted(self._solutions, key=lambda solution: solution.problem.id)),
            seconds=seconds,
            events=[msgspec.to_builtins(event) for event in self._events],
            cost=engine.cost.plus(reward.cost),
            in_flight=engine.running + reward.running,
            overstayed=tuple(self._overstayed),
            register=self._register,
        )
