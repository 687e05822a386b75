"""`spex solve`: one problem, or many from a file."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Annotated

import typer

from spex.cli import options as flag
from spex.cli.failures import ENVIRONMENT
from spex.cli.problems import problem_of_stream, problems_of_file
from spex.cli.results import advice, exit_code_of, live_view, show, together
from spex.cli.running import Interrupt, carry_out, configuration_of, options_of
from spex.cli.settings import SolveSettings, load, unknown_variables
from spex.cli.streams import say
from spex.errors import InputError
from spex.problem import Problem
from spex.trace.write import TraceWriter

_FLAGS_APART = ("problem", "config")


def solve(
    problem: Annotated[
        str | None, typer.Argument(metavar="PROBLEM", help="A question, or - for standard input.")
    ] = None,
    file: flag.File = None,
    answer: flag.Answer = None,
    task: flag.Task = None,
    policy: flag.Policy = None,
    model: flag.Model = None,
    reward: flag.Reward = None,
    search: flag.Search = None,
    set: flag.Set = None,  # noqa: A002  # the flag's name
    answer_rule: flag.AnswerRule = None,
    aggregate: flag.Aggregate = None,
    seed: flag.Seed = None,
    concurrency: flag.Concurrency = None,
    temperature: flag.Temperature = None,
    step_tokens: flag.StepTokens = None,
    limit: flag.Limit = None,
    speculation: flag.Speculation = None,
    deadline: flag.Deadline = None,
    trace: flag.Trace = None,
    log: flag.Log = None,
    config: flag.Config = None,
    json: flag.Json = None,
    quiet: flag.Quiet = None,
) -> int:
    """Search for the answer of PROBLEM, or of every problem of --file.

    spex solve "What is 17 * 23?" --set width=8
    spex solve --file problems.jsonl --task gsm8k --log run.log --json > results.json
    """
    flags = {key: value for key, value in locals().items() if value not in (None, []) and key not in _FLAGS_APART}
    for warning in unknown_variables(os.environ):
        say(warning)
    if problem is not None and file is not None:
        raise InputError("--file", file, "give either PROBLEM or --file, not both")
    settings = load(SolveSettings, flags, None if config is None else Path(config))
    if problem is not None:
        settings = settings.model_copy(update={"file": None})
    problems = problems_of(problem, settings)
    try:
        return _carried_out(problems, settings)
    except Exception as error:
        error.add_note(f"seed {settings.seed}")
        raise


def problems_of(problem: str | None, settings: SolveSettings) -> tuple[Problem, ...]:
    """The problems that were asked for. Raises `InputError`."""
    if settings.file is not None:
        if settings.answer is not None:
            raise InputError("--answer", settings.answer, "it is for a single problem; a file has its own answers")
        return problems_of_file(settings.file, settings.limit)
    if problem is None:
        raise InputError("PROBLEM", problem, "give a question, - for standard input, or --file FILE")
    if problem == "-":
        return (problem_of_stream(sys.stdin.buffer, settings.answer),)
    return (Problem(problem, answer=settings.answer),)


def _carried_out(problems: Sequence[Problem], settings: SolveSettings) -> int:
    """Check all that is left to check, search, and report."""
    options = options_of(settings)
    configuration = configuration_of(options)
    interrupt = Interrupt()
    with ExitStack() as stack:
        trace = stack.enter_context(TraceWriter(settings.trace, configuration)) if settings.trace else None
        live = live_view(len(problems), quiet=settings.quiet)
        with live or nullcontext():
            sink = together([sink for sink in (trace, live) if sink is not None])
            if sink is not None:
                options["on_event"] = sink
            run = carry_out(problems, options, interrupt)
    show(run, configuration, settings)
    if interrupt.number is not None:
        say(f"interrupted; {advice(settings.log)}")
        return interrupt.exit_code
    if trace is not None and trace.error is not None:
        say(trace.error)
        return ENVIRONMENT
    return exit_code_of(run)
