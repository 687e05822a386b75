"""A run of the command line: what the settings ask of the library, and what a signal does to it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType

from spex import api
from spex.cli.choice import chosen, rule_name
from spex.cli.parameters import parameters_of
from spex.cli.settings import SolveSettings
from spex.cli.streams import end_at_once, say
from spex.cli.thinking import task_of, thinking_of
from spex.control.run import Run
from spex.control.setup import Setup, Speculation
from spex.errors import InputError
from spex.problem import Problem
from spex.tasks.usual import ANY_POLICY, ANY_REWARD

_SERVERS: Mapping[str, str] = MappingProxyType(
    {
        "llamacpp-server": "llamacpp-server:http://127.0.0.1:8080, and is the one that it was started with",
        "openai": "openai:https://api.openai.com/v1#NAME",
        "openai-chat": "openai-chat:https://api.openai.com/v1#NAME",
        "sglang": "sglang:http://127.0.0.1:30000, and is the one that it was started with",
        "vllm": "vllm:http://127.0.0.1:8000#NAME",
    }
)
_ONE_INSTANT_SECONDS = 0.2


@dataclass(slots=True)
class Interrupt:
    """The signal that ended a run early, if one did."""

    number: signal.Signals | None = None

    @property
    def exit_code(self) -> int:
        """What a shell expects of a command that a signal ended."""
        return 0 if self.number is None else 128 + self.number


def options_of(settings: SolveSettings) -> api.Options:
    """The library's options that the settings stand for. Raises `InputError`."""
    search, rule = chosen(settings)
    options = api.Options(
        policy=_engine_spec(settings),
        reward=settings.reward or ANY_REWARD,
        search=search,
        task=task_of(settings),
        answer_rule=rule,
        seed=settings.seed,
        temperature=settings.temperature,
        speculation=Speculation() if settings.speculation else None,
        concurrency=settings.concurrency,
        stop_early=settings.stop,
    )
    if settings.template is not None:
        options["template"] = settings.template
    if settings.enable_thinking is not None:
        options["enable_thinking"] = settings.enable_thinking
    if settings.step_tokens is not None:
        options["step_tokens_max"] = settings.step_tokens
    if settings.deadline is not None:
        options["deadline_seconds"] = settings.deadline
    options.update(api.Options(**settings.waits))  # type: ignore[typeddict-item]
    if settings.profile is not None:
        options["profile"] = settings.profile
    if settings.log is not None:
        options["log"] = settings.log
    return options


def configuration_of(setup: Setup, settings: SolveSettings) -> dict[str, object]:
    """A run's configuration as values that JSON has, by the names of the settings."""
    return {
        "policy": setup.policy.engine.name,
        "reward": settings.reward,
        "task": settings.task,
        "thinking": thinking_of(setup.policy.task),
        "template": settings.template,
        "enable_thinking": settings.enable_thinking,
        "search": settings.search,
        "set": parameters_of(setup.search),
        "answer_rule": rule_name(settings, setup.search),
        "aggregate": settings.aggregate,
        "seed": settings.seed,
        "temperature": settings.temperature,
        "step_tokens": settings.step_tokens,
        "concurrency": settings.concurrency,
        "deadline": settings.deadline,
        "speculation": settings.speculation,
        "stop": settings.stop,
        "merge": settings.merge,
    }


def carry_out(problems: Sequence[Problem], options: api.Options, interrupt: Interrupt) -> Run:
    """Search every problem. The first signal asks the run to stop with what there is."""

    async def main() -> Run:
        stop = asyncio.Event()
        with _stopping(stop, interrupt):
            stoppable = options.copy()
            stoppable["stop"] = stop
            return await api.run(problems, **stoppable)

    return asyncio.run(main())


@contextmanager
def _stopping(stop: asyncio.Event, interrupt: Interrupt) -> Iterator[None]:
    """The first SIGINT or SIGTERM sets `stop`; another one ends the process.

    The system has what was logged already. Signals of one instant, as a shell and a wrapper send
    them, are one.
    """
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)
    first_at_seconds = 0.0

    def heard(number: signal.Signals) -> None:
        nonlocal first_at_seconds
        if not stop.is_set():
            interrupt.number = number
            first_at_seconds = loop.time()
            stop.set()
            say("stopping what is in flight; once more to end at once")
        elif loop.time() - first_at_seconds > _ONE_INSTANT_SECONDS:
            end_at_once(128 + number)

    listen: Callable[..., None] = loop.add_signal_handler
    for number in signals:
        listen(number, heard, number)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


def _engine_spec(settings: SolveSettings) -> str:
    spec = settings.policy or ANY_POLICY
    if settings.model is not None:
        if ":" in spec:
            raise InputError("model", settings.model, f"--policy {spec} names a model already")
        if spec in _SERVERS:
            told = f"the model of a server is named in --policy, as {_SERVERS[spec]}"
            raise InputError("model", settings.model, told)
        spec = f"{spec}:{settings.model}"
    if settings.draft is None:
        return spec
    if spec.partition(":")[0] != "llamacpp":
        told = "it is for llamacpp, in this process: a server drafts as it was started (README, Drafts)"
        raise InputError("draft", settings.draft, told)
    return f"{spec}#{settings.draft}" if ":" in spec else f"{spec}:#{settings.draft}"
