"""What the demo does with each problem: samples, then each search in both modes, the record replayed to compare."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from spex.api import Options, run, setup_of
from spex.control.clock import run_virtual
from spex.control.run import Conduct
from spex.control.run import run as carry_out
from spex.control.setup import Speculation, replayed
from spex.demo.programmes import Programme
from spex.engine.base import Engine
from spex.events import Sink
from spex.problem import Problem
from spex.record import MemoryLog
from spex.reward.base import Reward
from spex.search.base import AnySearch
from spex.search.self_consistency import SelfConsistency
from spex.sim.simulate import Simulation, same_trees
from spex.sim.workload import find_workload
from spex.solution import Solution
from spex.usage import Usage

_SIMULATED_QUERIES = 8


@dataclass(slots=True)
class Side:
    """One search in one mode over all problems."""

    solutions: list[Solution] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        return sum(solution.timings.latency_seconds for solution in self.solutions)

    @property
    def solved(self) -> int:
        return sum(solution.correct is True for solution in self.solutions)

    @property
    def tokens_per_second(self) -> float:
        """Useful tokens a second."""
        return self.usage.useful.generated / self.seconds if self.seconds else 0.0

    @property
    def usage(self) -> Usage:
        total = Usage()
        for solution in self.solutions:
            total = total.plus(solution.usage)
        return total


@dataclass(slots=True)
class Shown:
    """One search: both modes, whether the plain run replayed from the speculative record is the same, and simulated."""

    name: str
    plain: Side = field(default_factory=Side)
    speculative: Side = field(default_factory=Side)
    same_tree: bool = True
    simulated_speed_up: float = 1.0
    simulated_same_tree: bool = True

    @property
    def speed_up(self) -> float:
        """Useful tokens a second, speculative over plain: live texts may differ in length from mode to mode."""
        plain, speculative = self.plain.tokens_per_second, self.speculative.tokens_per_second
        return speculative / plain if plain else 1.0


@dataclass(frozen=True, slots=True)
class Demonstration:
    """All that was seen. `single_right` of `single_samples` texts sampled without a search were right."""

    problems: int
    single_samples: int
    single_right: int
    searches: tuple[Shown, ...]


class Stage(NamedTuple):
    """On what it is shown: an open policy and an open reward; `sink` gets the events."""

    programme: Programme
    policy: Engine
    reward: Reward
    seed: int
    sink: Sink | None


async def demonstrate(stage: Stage, limit: int | None, say: Callable[[str], None]) -> Demonstration:
    """Run it on the first `limit` problems. `say` gets a line before each.

    Problem by problem, first the samples, which fill the prompt cache of every slot for all that
    follows; then each search in both modes, either first every other time.
    """
    problems = stage.programme.problems[:limit]
    searches = tuple(Shown(name) for name in stage.programme.searches)
    right = 0
    for number, problem in enumerate(problems):
        say(f"{number + 1} of {len(problems)}: {problem.text}")
        right += await _single(stage, problem)
        for shown in searches:
            await _both(stage, problem, shown, plain_first=number % 2 == 0)
    return Demonstration(len(problems), stage.programme.samples * len(problems), right, searches)


def simulate(demonstration: Demonstration, programme: Programme, seed: int) -> None:
    """Add what the same searches gain on a simulated GPU. Not inside a running loop: it brings its own clock."""
    for shown in demonstration.searches:
        simulation = Simulation(
            programme.searches[shown.name], find_workload("reference"), _SIMULATED_QUERIES, concurrency=1, seed=seed
        )
        plain, speculative = run_virtual(simulation.carry_out(None)), run_virtual(simulation.carry_out(Speculation()))
        shown.simulated_speed_up = plain.seconds / speculative.seconds
        shown.simulated_same_tree = same_trees(plain, speculative)


async def _single(stage: Stage, problem: Problem) -> int:
    """How many of the samples are right."""
    options = _options(stage, SelfConsistency(width=stage.programme.samples))
    options["speculation"] = None
    task = stage.programme.task
    solution = (await run([problem], **options)).solutions[0]
    answers = [solution.tree.steps[node].answer for node in solution.terminals]
    return sum(answer is not None and task.check(problem, answer) is True for answer in answers)


async def _both(stage: Stage, problem: Problem, shown: Shown, *, plain_first: bool) -> None:
    """One search of one problem in both modes."""
    sides = [(shown.plain, None), (shown.speculative, Speculation())]
    for side, speculation in sides if plain_first else sides[::-1]:
        log = MemoryLog()
        options = _options(stage, stage.programme.searches[shown.name])
        options["speculation"] = speculation
        options["log"] = log
        solution = (await run([problem], **options)).solutions[0]
        side.solutions.append(solution)
        if speculation is not None:
            shown.same_tree &= await replays(solution, options, log)


async def replays(live: Solution, options: Options, log: MemoryLog) -> bool:
    """Whether the plain run, made from the speculative run's record alone, is the same tree with the same answer."""
    plain = (await carry_out([live.problem], replayed(setup_of(options), log), Conduct())).solutions[0]
    return plain.error is None and (plain.tree, plain.answer) == (live.tree, live.answer)


def _options(stage: Stage, search: AnySearch) -> Options:
    programme = stage.programme
    options = Options(
        policy=stage.policy,
        reward=stage.reward,
        search=search,
        task=programme.task,
        seed=stage.seed,
        temperature=programme.temperature,
        concurrency=1,
    )
    if stage.sink is not None:
        options["on_event"] = stage.sink
    return options
