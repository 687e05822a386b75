"""What a run is made of: everything that its requests and decisions are functions of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from spex.answer import AnswerRule, Weighted
from spex.engine.recorded import Recorded, Replayed
from spex.errors import InputError
from spex.policy import Policy
from spex.record import CallLog
from spex.reward.base import Reward
from spex.reward.recorded import RecordedReward, ReplayedReward
from spex.search.base import AnySearch
from spex.search.catalog import actions_of
from spex.seeds import seed_of
from spex.speculate.market import Market, RateMarket
from spex.speculate.predictor import Predictor
from spex.speculate.rule import Foresight, Imagination, Rule
from spex.speculate.runahead import Effort
from spex.speculate.stopping import StoppingRule
from spex.tasks.base import Task
from spex.tasks.catalog import TASKS
from spex.tree import Tree


@dataclass(frozen=True, slots=True)
class Speculation:
    """How a run speculates. There is nothing to tune: `effort` only bounds the controller's own work.

    `rule` says what a search will ask for, `market` what of it is worth starting.
    `in_flight_max` caps the speculations running on each engine (None: the engine's slots).
    `load_interval_seconds`: how often an engine whose server tells its load is asked what others have there, whose
    requests make speculation dearer as our own do, and whether some wait, so that it runs all it can (above 0; None:
    never). Raises `InputError`.
    """

    effort: Effort = Effort()
    market: Market = field(default_factory=RateMarket)
    in_flight_max: int | None = None
    rule: Rule = field(default_factory=Imagination)
    load_interval_seconds: float | None = 2.0

    def __post_init__(self) -> None:
        seconds = self.load_interval_seconds
        if seconds is not None and (type(seconds) not in (int, float) or not 0.0 < seconds < float("inf")):
            raise InputError("load_interval_seconds", seconds, "it must be a number of seconds above 0, or None")


@dataclass(frozen=True, slots=True)
class Setup:
    """One configuration. `rewards` maps the model names of `Score` calls; `speculation` None is the plain run.

    `stopping` may end a search before its end; None lets it come to its own. Raises `InputError` for the stopping of a
    search that `repeats_terminals`: what it has met does not say how often it will count; and for a search with
    `actions` that the task does not know.

    `logged`: results may come from a log, so that nothing is worth a guess before an engine has answered.
    """

    search: AnySearch
    policy: Policy
    rewards: Mapping[str, Reward]
    answer_rule: AnswerRule = field(default_factory=Weighted)
    seed: int = 0
    speculation: Speculation | None = field(default_factory=Speculation)
    logged: bool = False
    stopping: StoppingRule | None = None

    def __post_init__(self) -> None:
        if self.stopping is not None and getattr(self.search, "repeats_terminals", False):
            told = "it must be off: with equal states merged, answers count as often as is known at the end alone"
            raise InputError("stop_early", self.stopping.name, told)
        _refuse_unknown_actions(self.search, self.policy.task)


def _refuse_unknown_actions(search: AnySearch, task: Task) -> None:
    unknown = [action for action in actions_of(search) if not _knows(task, action)]
    if unknown:
        inner = getattr(search, "inner", search)
        able = [name for name in TASKS.own if all(_knows(TASKS.load(name)(), action) for action in unknown)]
        told = f"{type(inner).__name__} needs a task that knows {', '.join(unknown)}"
        told += f": {', '.join(able)}, or one of your own" if able else ""
        raise InputError("task", task.name, told)


def _knows(task: Task, action: str) -> bool:
    try:
        task.form(action)
    except InputError:
        return False
    except Exception:  # noqa: BLE001  # a task's own defect is told where a call meets it
        return True
    return True


def foresight(setup: Setup, problem_id: str, tree: Tree, predictor: Predictor) -> Foresight | None:
    """What one query speculates by; None in a plain run."""
    if setup.speculation is None:
        return None
    seed = seed_of(setup.seed, problem_id, "particles", "", "")
    return setup.speculation.rule.begin(problem_id, tree, predictor, seed)


def recorded(setup: Setup, log: CallLog) -> Setup:
    """The same setup, with every finished call read from `log` or kept in it."""
    return replace(
        setup,
        policy=replace(setup.policy, engine=Recorded(setup.policy.engine, log)),
        rewards={model: RecordedReward(reward, log) for model, reward in setup.rewards.items()},
        logged=True,
    )


def replayed(setup: Setup, log: CallLog) -> Setup:
    """The plain run of the same setup from `log` alone, with no engine: the proof that nothing was lost."""
    engine = setup.policy.engine
    return replace(
        setup,
        policy=replace(setup.policy, engine=Replayed(log, engine.capabilities, engine.name)),
        rewards={model: ReplayedReward(log, reward.name) for model, reward in setup.rewards.items()},
        speculation=None,
    )
