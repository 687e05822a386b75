"""What `spex solve` prints: results on standard output, how it went on standard error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec

from spex.cli.failures import DONE, SOME_FAILED, failure_of
from spex.cli.settings import SolveSettings
from spex.cli.streams import put, put_json, put_table, say, talk_console, width_of_stdout
from spex.control.run import Run
from spex.errors import InvariantError, RecordError
from spex.events import Event, Sink
from spex.render import tree_text
from spex.report.live import LiveView
from spex.report.records import run_record
from spex.report.table import solutions_table, summary_lines
from spex.solution import Solution
from spex.tasks.base import Task
from spex.visible import visible

_FAILURES_SHOWN = 5


def live_view(problems: int, *, quiet: bool) -> LiveView | None:
    """A live view where standard error is a terminal that can show it and nobody asked for quiet."""
    console = talk_console()
    return LiveView(console, problems) if console.is_terminal and not console.is_dumb_terminal and not quiet else None


def together(sinks: Sequence[Sink]) -> Sink | None:
    """One sink that gives every event to all of `sinks`; None where there is none."""
    if len(sinks) < 2:
        return sinks[0] if sinks else None

    def give(event: Event) -> None:
        for sink in sinks:
            sink(event)

    return give


def show(
    run: Run, configuration: Mapping[str, object], settings: SolveSettings, task: Task, lacks: Sequence[str]
) -> None:
    """Print the results in the form that was asked for; `task` checks the answers in a tree."""
    record = run_record(
        run.solutions, run.seconds, configuration, interrupted=run.interrupted, unread=run.unread, lacks=lacks
    )
    if settings.json_:
        put_json(msgspec.to_builtins(record))
    elif settings.quiet:
        for solution in run.solutions:
            put(_answer(solution) if settings.file is None else f"{solution.problem.id}\t{_answer(solution)}")
    elif settings.file is None:
        for solution in run.solutions:
            judge = partial(task.check, solution.problem)
            put(tree_text(solution.tree, _title(solution), width_of_stdout(), judge=judge))
            put(f"answer: {_answer(solution) or 'none'}")
    else:
        put_table(solutions_table(record.solutions))
    _say_how_it_went(run, settings, summary_lines(record.summary, interrupted=run.interrupted))


def exit_code_of(run: Run) -> int:
    """0 where no problem failed; what all failures mean where every problem did; else 1.

    A defect of SPEX and an unusable log are never only "some".
    """
    errors = [solution.error for solution in run.solutions if solution.error is not None]
    grave = [error for error in errors if isinstance(error, InvariantError | RecordError)]
    if grave:
        return failure_of(grave[0]).exit_code
    if not errors:
        return DONE
    return SOME_FAILED if len(errors) < len(run.solutions) else failure_of(errors[0]).exit_code


def advice(log: Path | None) -> str:
    """How to go on after an interruption."""
    if log is None:
        return "with --log FILE the same command could go on from here"
    return f"the same command goes on from {visible(str(log))}"


def _say_how_it_went(run: Run, settings: SolveSettings, lines: Sequence[str]) -> None:
    failed = [solution for solution in run.solutions if solution.error is not None]
    for solution in failed[:_FAILURES_SHOWN]:
        where = "" if settings.file is None else f"{visible(solution.problem.id)}: "
        say(f"{where}{visible(str(solution.error))}")
    if len(failed) > _FAILURES_SHOWN:
        say(f"… and {len(failed) - _FAILURES_SHOWN} more problems failed")
    for line in () if settings.quiet else lines:
        say(line)


def _title(solution: Solution) -> str:
    return f"{solution.problem.id}" + ("" if solution.partial is None else f" (partial: {solution.partial})")


def _answer(solution: Solution) -> str:
    return "" if solution.answer is None else visible(solution.answer)
