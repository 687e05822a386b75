"""The library's front door: `solve` one problem, `run` many; both also without `await`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import TypedDict, Unpack

from spex.answer import AnswerRule, answer_rule
from spex.control.blocking import complete
from spex.control.logged import logged
from spex.control.opening import opened
from spex.control.run import Conduct, Run, refuse_repeated
from spex.control.run import run as carry_out
from spex.control.setup import Setup, Speculation
from spex.engine.base import Engine, Sampling
from spex.engine.catalog import find_engine
from spex.engine.profiled import profiled
from spex.engine.retrying import retrying
from spex.engine.template import Template, Templated
from spex.engine.waits import Waits, told_of_waits, waits_of
from spex.errors import InputError
from spex.events import Sink
from spex.policy import Policy
from spex.problem import Problem
from spex.record import CallLog
from spex.reward.base import Reward, unread_by
from spex.reward.catalog import served
from spex.reward.fitting import refuse_unfit
from spex.reward.named import find_reward
from spex.search.base import AnySearch, Parallel
from spex.search.catalog import answer_rule_of, build_search, models_of
from spex.search.rebase import Rebase
from spex.solution import Solution
from spex.speculate.stopping import StoppingRule, stopping_rule
from spex.tasks.base import Task
from spex.tasks.catalog import TASKS
from spex.tasks.usual import ANY_POLICY, ANY_REWARD, asked_of, usual
from spex.tree import Tree

_SEARCH_ALLOWED = "it must be a search, such as Rebase(width=16), or the name of one"


class Options(TypedDict, total=False):
    """What `solve` and `run` take by name.

    policy: an engine, or a name such as `"llamacpp"` or `"llamacpp:/path/model.gguf"`. Where it is not given, the task
    `"game24"` is asked of the small models for it that come with this package, unless a reward is given for the second.
    reward: a reward, a name (`"confidence"`, `"judge"`, `"prm:math-shepherd-7b@sglang:http://127.0.0.1:30001"`, ...:
    `spex.reward.named`), or one for each `Score` model; those that only the search knows of (its `models`) have usual
    ones.
    search: what decides, or its name for its usual parameters (default: `Rebase()`).
    task: a task or its name (default `"text"`).
    answer_rule: how terminals vote (default: the search's own). seed: 0 to 2^63 − 1.
    template: how the policy's chats become prompts: `"chat"`, by the chat template of its model, or `"none"` (default:
    the former where the engine can). enable_thinking: told to that template, where it knows of it.
    temperature: of the policy's sampling, ≥ 0. step_tokens_max: of one step, ≥ 1.
    speculation: None for the plain run. concurrency: queries at once, ≥ 1.
    log: a call log, or the path of one: finished calls are read from it, and kept in it.
    profile: a file that `spex probe --out` wrote of the policy's engine (default for an engine by name: what is kept
    under that name). deadline_seconds: for each problem, and for the opening of engine and rewards.
    connect_seconds, first_token_seconds, token_gap_seconds: deadlines of servers by name, for a connection (usually 5),
    for the first token of an answer (300), and between two (60); above 0. patience_seconds: how long one that is away,
    full or silent is asked again, four times in any case (60); a policy that is an engine has that alone.
    on_event, on_solution: called as things happen; on_open: with the policy's engine when it and the rewards are open.
    stop: set it to end the run with what there is. stop_early: when a search may end before its end: `"off"`
    (default), `"exact"`, `"confident:0.05"`, `"paper"`, `"adaptive-consistency"`, or a stopping rule.
    """

    policy: Engine | str
    reward: Reward | str | Mapping[str, Reward]
    search: AnySearch | str
    task: Task | str
    answer_rule: AnswerRule
    seed: int
    template: Template | None
    enable_thinking: bool | None
    temperature: float
    step_tokens_max: int
    speculation: Speculation | None
    concurrency: int
    log: CallLog | Path | str
    profile: Path | str
    deadline_seconds: float
    connect_seconds: float
    first_token_seconds: float
    token_gap_seconds: float
    patience_seconds: float
    on_event: Sink
    on_open: Callable[[Engine], None]
    on_solution: Callable[[Solution], None]
    stop: asyncio.Event
    stop_early: StoppingRule | str


async def solve(problem: Problem | str, **options: Unpack[Options]) -> Solution:
    """Search for the answer of one problem.

    The engine is opened for the call and closed after it, unless it was open already. Raises
    `InputError` for what is not acceptable, and the query's `EngineError` or `SearchError`.
    """
    result = await run([problem], **options)
    if not result.solutions:  # stopped while the engine was opened
        return Solution(_problems([problem])[0], None, None, Tree(), partial="interrupted")
    solution = result.solutions[0]
    if solution.error is not None:
        raise solution.error
    return solution


async def run(problems: Sequence[Problem | str], **options: Unpack[Options]) -> Run:
    """Search for the answers of many problems, several at once.

    A problem that fails gives a partial solution with its error; the others go on. Raises
    `InputError` for what is not acceptable, `LogMismatch` for a log of another configuration.
    """
    setup = setup_of(options)
    conduct = Conduct(
        concurrency=options.get("concurrency", 4),
        deadline_seconds=options.get("deadline_seconds"),
        on_event=options.get("on_event"),
        on_solution=options.get("on_solution"),
        stop=options.get("stop"),
    )
    all_problems = _problems(problems)
    refuse_unfit(all_problems, setup.rewards.values())
    # The log first: one that cannot be used is told before a model is loaded.
    async with (
        logged(setup, options.get("log")) as with_log,
        opened(with_log, conduct.stop, conduct.deadline_seconds) as are_open,
    ):
        if not are_open:
            return Run((), 0.0, interrupted=True)
        if (tell := options.get("on_open")) is not None:
            tell(with_log.policy.engine)
        before = unread_by(setup.rewards.values())
        done = await carry_out(all_problems, with_log, conduct)
        return replace(done, unread=unread_by(setup.rewards.values()) - before)


def solve_sync(problem: Problem | str, **options: Unpack[Options]) -> Solution:
    """`solve` without `await`; works inside a running event loop too (a notebook)."""
    return complete(solve(problem, **options))


def run_sync(problems: Sequence[Problem | str], **options: Unpack[Options]) -> Run:
    """`run` without `await`; works inside a running event loop too (a notebook)."""
    return complete(run(problems, **options))


def _problems(given: Sequence[Problem | str]) -> list[Problem]:
    if isinstance(given, str | bytes | Problem) or not isinstance(given, Iterable):
        raise InputError("problems", given, "it must be several problems, in a list; `solve` takes a single one")
    problems = [problem if isinstance(problem, Problem) else Problem(problem) for problem in given]
    refuse_repeated(problems)
    return problems


def setup_of(options: Options) -> Setup:
    """The configuration that the options name. Raises `InputError`."""
    _refuse_unknown(options)
    seed = options.get("seed", 0)
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 1 << 63:
        raise InputError("seed", seed, "it must be a whole number from 0 to 2^63 - 1")
    speculation = options.get("speculation", Speculation())
    if not isinstance(speculation, Speculation | None):
        raise InputError("speculation", speculation, "it must be a Speculation, or None for the plain run")
    options = with_usual(options)
    waits = _waits(options)
    plain = _engine(options["policy"], options.get("profile"), waits)
    engine = retrying(plain, waits.patience_seconds)
    templated = _templated(plain, options)
    writer = engine if templated is plain else retrying(templated, waits.patience_seconds)
    search = _search(options)
    return Setup(
        search=search,
        policy=Policy(writer, _task(options.get("task", "text")), _sampling(options), _step_tokens_max(options)),
        rewards=served(_rewards(options, engine, waits), models_of(search)),
        answer_rule=_answer_rule(options, search),
        seed=seed,
        speculation=speculation,
        stopping=_stopping(options.get("stop_early", "off")),
    )


def with_usual(options: Options) -> Options:
    """The options with a policy and a reward: those that are usual for the task (`spex.tasks.usual`)."""
    complete, task = options.copy(), options.get("task", "text")
    if "policy" not in options and isinstance(task, str):
        found = usual(task)
        complete["task"], complete["policy"] = found.task, found.policy
        complete.setdefault("reward", found.reward)
    complete.setdefault("policy", ANY_POLICY)
    if isinstance(task, str) and isinstance(complete["policy"], str):
        complete["task"] = asked_of(complete["policy"], task)
    complete.setdefault("reward", ANY_REWARD)
    return complete


def _refuse_unknown(options: Options) -> None:
    names = sorted(Options.__annotations__)
    for name in options:
        if name not in names:
            nearest = get_close_matches(name.casefold(), names, n=1)
            meant = f"did you mean {nearest[0]}? " if nearest else ""
            raise InputError("option", name, f"{meant}it must be one of {', '.join(names)}")


def _check_kind(field: str, value: object, verb: str, allowed: str) -> None:
    """Raise `InputError` for what does not have the verb of its kind; a class is not one of its objects."""
    if isinstance(value, type) or not hasattr(value, verb):
        raise InputError(field, value, allowed)


def _waits(options: Options) -> Waits:
    """Raises `InputError` for a deadline, too, where nothing is named that it could be of."""
    waits = waits_of(options)
    if waits.unusual is not None and not any(isinstance(options[key], str) for key in ("policy", "reward")):
        name = told_of_waits(options)[0]
        raise InputError(name, None, "it is of engines and rewards by name; others have their own, `deadlines`")
    return waits


def _engine(policy: Engine | str, profile: Path | str | None, waits: Waits) -> Engine:
    engine = find_engine(policy, waits.unusual) if isinstance(policy, str) else policy
    _check_kind("policy", engine, "generate", "it must be an engine or the name of one")
    if profile is not None and not isinstance(profile, Path | str):
        raise InputError("profile", profile, "it must be the path of a file that `spex probe` wrote")
    if profile is not None:
        return profiled(engine, Path(profile))
    return profiled(engine) if isinstance(policy, str) else engine


def _templated(engine: Engine, options: Options) -> Engine:
    """The engine whose chats are the policy's; a reward that asks the same engine has its usual ones."""
    template, enable_thinking = options.get("template"), options.get("enable_thinking")
    return engine if template is None and enable_thinking is None else Templated(engine, template, enable_thinking)


def _search(options: Options) -> AnySearch:
    given = options.get("search", Rebase())
    search = build_search(given, {}) if isinstance(given, str) else given
    _check_kind("search", search, "strands" if isinstance(search, Parallel) else "advance", _SEARCH_ALLOWED)
    return search


def _answer_rule(options: Options, search: AnySearch) -> AnswerRule:
    rule = options.get("answer_rule") or answer_rule(answer_rule_of(search))
    _check_kind("answer_rule", rule, "weigh", "it must be a rule, such as Majority()")
    return rule


def _stopping(given: StoppingRule | str) -> StoppingRule | None:
    if isinstance(given, str):
        return stopping_rule(given)
    _check_kind("stop_early", given, "stops", "it must be a stopping rule or the name of one")
    return given


def _task(task: Task | str) -> Task:
    found = TASKS.load(task)() if isinstance(task, str) else task
    _check_kind("task", found, "read", "it must be a task or the name of one")
    return found


def _sampling(options: Options) -> Sampling:
    temperature = options.get("temperature", 1.0)
    if type(temperature) not in (int, float) or not 0.0 <= temperature <= 100.0:
        raise InputError("temperature", temperature, "it must be a number from 0 to 100")
    return Sampling(temperature)


def _step_tokens_max(options: Options) -> int | None:
    tokens = options.get("step_tokens_max")
    if tokens is not None and (type(tokens) is not int or tokens < 1):
        raise InputError("step_tokens_max", tokens, "it must be a whole number of at least 1")
    return tokens


def _rewards(options: Options, engine: Engine, waits: Waits) -> dict[str, Reward]:
    reward, policy = options["reward"], options["policy"]
    if isinstance(reward, str):
        place = policy if isinstance(policy, str) else None
        messages = _task(options.get("task", "text")).messages
        return {"reward": find_reward(reward, engine, place, messages, waits)}
    rewards = dict(reward) if isinstance(reward, Mapping) else {"reward": reward}
    if not rewards:
        raise InputError("reward", reward, "it must name one reward at least")
    for one in rewards.values():
        _check_kind("reward", one, "score", "it must be a reward or the name of one, or rewards by their names")
    return rewards
