"""What `spex solve` does with problems that are right: search them all, with a trace and a live view, and report."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, nullcontext

from spex import api
from spex.cli.failures import ENVIRONMENT, interruptible
from spex.cli.results import advice, exit_code_of, live_view, show, together
from spex.cli.running import Interrupt, carry_out, configuration_of, options_of
from spex.cli.settings import SolveSettings
from spex.cli.streams import say
from spex.cli.usual import with_usual
from spex.control.run import Run
from spex.engine.base import Engine
from spex.errors import InputError
from spex.problem import Problem
from spex.report.lacks import lacks_line, lacks_of
from spex.tasks.base import Task
from spex.trace.write import TraceWriter
from spex.visible import visible


def search_all(problems: Sequence[Problem], settings: SolveSettings) -> int:
    """Check what is left to check, search, print, and return the exit code."""
    try:
        with interruptible():
            return _searched(problems, with_usual(settings))
    except Exception as error:
        error.add_note(f"seed {settings.seed}")
        raise


def _searched(problems: Sequence[Problem], settings: SolveSettings) -> int:
    options = options_of(settings)
    setup = api.setup_of(options)  # refuses what is not acceptable before anything is opened
    if settings.merge and not any(_tells_states(setup.policy.task, problem) for problem in problems):
        raise InputError("merge", None, f"the task {settings.task} tells no states, so that nothing would be merged")
    configuration = configuration_of(setup, settings)
    interrupt = Interrupt()
    with ExitStack() as stack:
        trace = stack.enter_context(TraceWriter(settings.trace, configuration)) if settings.trace else None
        live = live_view(len(problems), quiet=settings.quiet)
        with live or nullcontext():
            sink = together([sink for sink in (trace, live) if sink is not None])
            if sink is not None:
                options["on_event"] = sink
            lacks: list[str] = []
            options["on_open"] = lambda engine: lacks.extend(_told_lacks(engine, quiet=settings.quiet))
            run = carry_out(problems, options, interrupt)
    _refuse_unfit(run, settings)
    show(run, configuration, settings, setup.policy.task, lacks)
    if interrupt.number is not None:
        say(f"interrupted; {advice(settings.log)}")
        return interrupt.exit_code
    if trace is not None and trace.error is not None:
        say(trace.error)
        return ENVIRONMENT
    return exit_code_of(run)


def _told_lacks(engine: Engine, *, quiet: bool) -> list[str]:
    """What the engine that is open has not got; it is said, where there is something."""
    line = lacks_line(engine)
    if line is not None and not quiet:
        say(visible(line))
    return lacks_of(engine.capabilities)


def _tells_states(task: Task, problem: Problem) -> bool:
    """Whether there is a state at the root; of a problem that is none for the task, it is told as it is searched."""
    try:
        return task.start(problem) is not None
    except Exception:  # noqa: BLE001  # a task may be a user's code
        return True


def _refuse_unfit(run: Run, settings: SolveSettings) -> None:
    """A single problem that only the engine could find unfit (too long, say) is bad input like any other."""
    errors = [solution.error for solution in run.solutions]
    if settings.file is None and errors and isinstance(errors[0], InputError):
        raise errors[0]
