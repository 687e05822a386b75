"""`spex solve`: one problem, or many from a file."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from spex.cli import options as flag
from spex.cli.files import refuse_shared_files
from spex.cli.problems import problem_of_stream, problems_of_file
from spex.cli.settings import SolveSettings, load, told_as_typed, unknown_variables
from spex.cli.streams import say
from spex.errors import InputError
from spex.problem import Problem

_FLAGS_APART = ("problem", "config")


def solve(
    problem: Annotated[
        str | None, typer.Argument(metavar="PROBLEM", help="A question, or - for standard input.")
    ] = None,
    file: flag.File = None,
    answer: flag.Answer = None,
    task: flag.Task = None,
    thinking: flag.Thinking = None,
    thinking_tokens: flag.ThinkingTokens = None,
    thinking_spent: flag.ThinkingSpent = None,
    thinking_seen: flag.ThinkingSeen = None,
    policy: flag.Policy = None,
    model: flag.Model = None,
    draft: flag.Draft = None,
    template: flag.Template = None,
    enable_thinking: flag.EnableThinking = None,
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
    stop: flag.Stop = None,
    merge: flag.Merge = None,
    deadline: flag.Deadline = None,
    patience_seconds: flag.PatienceSeconds = None,
    connect_seconds: flag.ConnectSeconds = None,
    first_token_seconds: flag.FirstTokenSeconds = None,
    token_gap_seconds: flag.TokenGapSeconds = None,
    trace: flag.Trace = None,
    log: flag.Log = None,
    profile: flag.Profile = None,
    config: flag.Config = None,
    json: flag.Json = None,
    quiet: flag.Quiet = None,
) -> int:
    """Search for the answer of PROBLEM, or of every problem of --file.

    spex solve "What is 17 * 23?" --set width=8

    spex solve --file problems.jsonl --task gsm8k --log run.log --json > results.json
    """
    flags = {key: value for key, value in locals().items() if value not in (None, []) and key not in _FLAGS_APART}
    return _solved(problem, flags, None if config is None else Path(config))


def _solved(problem: str | None, flags: Mapping[str, object], config: Path | None) -> int:
    for warning in unknown_variables(os.environ):
        say(warning)
    if problem is not None and "file" in flags:
        raise InputError("--file", flags["file"], "give either PROBLEM or --file, not both")
    settings = load(SolveSettings, flags, config)
    if problem is not None:
        settings = settings.model_copy(update={"file": None})
    with told_as_typed(settings):
        refuse_shared_files(settings)
        problems = problems_of(problem, settings)
        from spex.cli.searching import search_all  # noqa: PLC0415  # engines and searches: when the input is right

        return search_all(problems, settings)


def problems_of(problem: str | None, settings: SolveSettings) -> tuple[Problem, ...]:
    """The problems that were asked for. Raises `InputError`."""
    if settings.file is not None:
        if settings.answer is not None:
            raise InputError("answer", settings.answer, "it is for a single problem; a file has its own answers")
        return problems_of_file(settings.file, settings.limit)
    if problem is None:
        raise InputError("problem", None, "give a question, - for standard input, or --file FILE")
    if problem == "-":
        return (problem_of_stream(sys.stdin.buffer, settings.answer),)
    return (Problem(problem, answer=settings.answer),)
