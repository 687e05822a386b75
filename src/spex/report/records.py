"""What a run came to, as plain records: the JSON of the command line, and the figures of its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from spex.solution import Foresight, Solution
from spex.usage import Tokens, Usage

SCHEMA_VERSION = 1


class SolutionRecord(msgspec.Struct, frozen=True):
    """One problem's result. `partial` and `error` say why it did not end by itself, `stopped_early` which rule did.

    `score`: the answer's best reward, in [0, 1], where it has one.
    """

    problem: str
    answer: str | None
    correct: bool | None
    partial: str | None
    error: str | None
    stopped_early: str | None
    terminals: int
    nodes: int
    latency_seconds: float
    tokens_useful: int
    tokens_wasted: int
    tokens_lost: int
    score: float | None = None


class SummaryRecord(msgspec.Struct, frozen=True):
    """All problems together. `speculation_accuracy`: committed / speculated; `…_coverage`: foreseen / demanded.

    `verdicts_unread`: what rewards that a model writes could not read.
    """

    problems: int
    failed: int
    partial: int
    stopped_early: int
    answered: int
    checked: int
    correct: int
    makespan_seconds: float
    latency_seconds_mean: float
    tokens_useful: int
    tokens_wasted: int
    tokens_lost: int
    tokens_replayed: int
    prompt_tokens_cached: int
    prompt_tokens_uncached: int
    calls_speculated: int
    calls_committed: int
    calls_demanded: int
    calls_foreseen: int
    speculation_accuracy: float | None
    speculation_coverage: float | None
    head_start_seconds: float
    verdicts_unread: int = 0


class RunRecord(msgspec.Struct, frozen=True):
    """The one object of `spex solve --json`. `lacks`: what the policy's engine has not got (`spex.report.lacks`)."""

    spex: int
    run: dict[str, Any]
    interrupted: bool
    summary: SummaryRecord
    solutions: tuple[SolutionRecord, ...]
    lacks: tuple[str, ...] = ()


def run_record(
    solutions: Sequence[Solution],
    makespan_seconds: float,
    configuration: Mapping[str, object],
    *,
    interrupted: bool,
    unread: int = 0,
    lacks: Sequence[str] = (),
) -> RunRecord:
    """The record of a run; `configuration` as values that JSON has, by name. unread: verdicts, by all rewards."""
    return RunRecord(
        spex=SCHEMA_VERSION,
        run=dict(configuration),
        interrupted=interrupted,
        summary=summary_record(solutions, makespan_seconds, unread),
        solutions=tuple(map(solution_record, solutions)),
        lacks=tuple(lacks),
    )


def solution_record(solution: Solution) -> SolutionRecord:
    """The record of one problem."""
    usage = solution.usage
    return SolutionRecord(
        problem=solution.problem.id,
        answer=solution.answer,
        correct=solution.correct,
        partial=solution.partial,
        error=None if solution.error is None else f"{type(solution.error).__name__}: {solution.error}",
        stopped_early=solution.stopped_early,
        terminals=len(solution.terminals),
        nodes=len(solution.tree.steps),
        latency_seconds=solution.timings.latency_seconds,
        tokens_useful=usage.useful.generated,
        tokens_wasted=usage.wasted.generated,
        tokens_lost=usage.lost.generated,
        score=solution.score,
    )


def summary_record(solutions: Sequence[Solution], makespan_seconds: float, unread: int = 0) -> SummaryRecord:
    """The figures of all problems together."""
    usage = Usage()
    for solution in solutions:
        usage = usage.plus(solution.usage)
    prompt = _total(usage)
    calls = _together([solution.foresight for solution in solutions])
    latencies = [solution.timings.latency_seconds for solution in solutions]
    return SummaryRecord(
        problems=len(solutions),
        failed=sum(solution.error is not None for solution in solutions),
        partial=sum(solution.partial is not None for solution in solutions),
        stopped_early=sum(solution.stopped_early is not None for solution in solutions),
        answered=sum(solution.answer is not None for solution in solutions),
        checked=sum(solution.correct is not None for solution in solutions),
        correct=sum(solution.correct is True for solution in solutions),
        makespan_seconds=makespan_seconds,
        latency_seconds_mean=sum(latencies) / max(1, len(latencies)),
        tokens_useful=usage.useful.generated,
        tokens_wasted=usage.wasted.generated,
        tokens_lost=usage.lost.generated,
        tokens_replayed=usage.replayed.generated,
        prompt_tokens_cached=prompt.prompt_cached,
        prompt_tokens_uncached=prompt.prompt_uncached,
        calls_speculated=calls.speculated,
        calls_committed=calls.committed,
        calls_demanded=calls.demanded,
        calls_foreseen=calls.foreseen,
        speculation_accuracy=calls.committed / calls.speculated if calls.speculated else None,
        speculation_coverage=calls.foreseen / calls.demanded if calls.demanded else None,
        head_start_seconds=calls.head_start_seconds,
        verdicts_unread=unread,
    )


def _total(usage: Usage) -> Tokens:
    return usage.useful.plus(usage.wasted).plus(usage.lost)


def _together(parts: Sequence[Foresight]) -> Foresight:
    return Foresight(
        speculated=sum(part.speculated for part in parts),
        committed=sum(part.committed for part in parts),
        demanded=sum(part.demanded for part in parts),
        foreseen=sum(part.foreseen for part in parts),
        head_start_seconds=sum(part.head_start_seconds for part in parts),
    )
