"""Records and tables of results: the figures add up, and hostile text stays text."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import msgspec
import pytest
from rich.console import Console
from rich.table import Table

from spex.errors import Misbehaving
from spex.ids import ROOT, Expand, child
from spex.problem import Problem
from spex.report.records import run_record, solution_record, summary_record
from spex.report.table import solutions_table, summary_lines, table
from spex.solution import Foresight, Solution, Timings
from spex.tree import Step, Tree
from spex.usage import Tokens, Usage


def solved(
    name: str = "p", answer: str | None = "42", *, correct: bool | None = None, seconds: float = 2.0
) -> Solution:
    tree = Tree()
    tree.expand(Expand(ROOT), [Step("text", terminal=True, answer=answer)])
    return Solution(
        Problem("question", name),
        answer,
        correct,
        tree,
        terminals=(child(Expand(ROOT)),),
        usage=Usage(Tokens(10, 1, 2), Tokens(5), Tokens(3), Tokens(4)),
        timings=Timings(0.0, seconds),
        foresight=Foresight(8, 4, 10, 6, 1.5),
    )


def failed(name: str = "bad") -> Solution:
    error = Misbehaving("toy", "a text", 3)
    return Solution(Problem("question", name), None, None, Tree(), partial=str(error), error=error)


def drawn(shown: Table) -> str:
    file = StringIO()
    Console(file=file, width=200, color_system=None).print(shown)
    return file.getvalue()


def test_a_solution_is_recorded_with_its_figures() -> None:
    record = solution_record(solved(correct=True))
    assert (record.problem, record.answer, record.correct, record.error) == ("p", "42", True, None)
    assert (record.nodes, record.terminals, record.latency_seconds) == (1, 1, 2.0)
    assert (record.tokens_useful, record.tokens_wasted, record.tokens_lost) == (10, 5, 3)


def test_a_failure_is_recorded_with_its_kind_and_reason() -> None:
    record = solution_record(failed())
    assert record.error == "Misbehaving: toy: expected a text, got 3"
    assert record.partial == "toy: expected a text, got 3"


def test_the_summary_adds_up() -> None:
    runs = [solved("a", correct=True), solved("b", correct=False, seconds=4.0), failed()]
    summary = summary_record(runs, 5.0)
    assert (summary.problems, summary.failed, summary.answered, summary.checked, summary.correct) == (3, 1, 2, 2, 1)
    assert summary.makespan_seconds == 5.0
    assert summary.latency_seconds_mean == 2.0
    assert (summary.tokens_useful, summary.tokens_wasted, summary.tokens_lost, summary.tokens_replayed) == (
        20,
        10,
        6,
        8,
    )
    assert (summary.prompt_tokens_cached, summary.prompt_tokens_uncached) == (2, 4)
    assert (summary.speculation_accuracy, summary.speculation_coverage) == (0.5, 0.6)
    assert summary.head_start_seconds == 3.0


def test_of_nothing_there_are_no_shares() -> None:
    summary = summary_record([], 0.0)
    assert summary.latency_seconds_mean == 0.0
    assert summary.speculation_accuracy is None
    assert summary.speculation_coverage is None


def test_a_run_record_is_plain_data_of_version_1() -> None:
    record = run_record([solved()], 1.0, {"seed": 0, "step_tokens": None}, interrupted=True)
    assert record.spex == 1
    assert msgspec.json.decode(msgspec.json.encode(record), type=type(record)) == record


def test_the_table_has_a_row_a_problem() -> None:
    rows = drawn(solutions_table([solution_record(solved("a", correct=True)), solution_record(failed())])).splitlines()
    assert "a" in rows[3]
    assert "yes" in rows[3]
    assert "expected a text" in rows[4]


def test_the_table_has_scores_where_nobody_can_tell_what_is_correct() -> None:
    checked = solution_record(replace(solved("a", correct=True), score=0.75))
    unchecked = solution_record(replace(solved("b"), score=1.0))
    shown = drawn(solutions_table([checked, unchecked, solution_record(failed())])).splitlines()
    assert "score" in shown[1]
    assert shown[3].split()[:4] == ["a", "42", "yes", "0.75"]
    assert shown[4].split()[:3] == ["b", "42", "1.00"]
    assert "score" not in drawn(solutions_table([checked]))
    assert "score" not in drawn(solutions_table([solution_record(solved())]))


@pytest.mark.parametrize("hostile", ["[red]x[/red]", "\x1b[31mx", "\u202ex", "[link=file:///x]y[/link]"])
def test_hostile_text_in_a_table_is_text(hostile: str) -> None:
    shown = drawn(table(("answer",), [(hostile,)]))
    assert all(line.isprintable() for line in shown.splitlines())
    assert hostile.replace("\x1b", "␛").replace("\u202e", r"\u202e") in shown


def test_the_talk_about_a_run_names_what_there_is_and_nothing_else() -> None:
    everything = "\n".join(summary_lines(summary_record([solved(correct=True), failed()], 3.0)))
    for words in ("2 problems in 3.00 s", "1 of 1 correct", "1 failed", "10 useful", "from the call log", "committed"):
        assert words in everything
    plain = "\n".join(summary_lines(summary_record([], 0.0)))
    for words in ("correct", "failed", "call log", "speculation"):
        assert words not in plain


def test_an_interrupted_run_says_what_became_of_the_calls_in_flight() -> None:
    words = "wasted includes what was in flight when the run was stopped"
    summary = summary_record([solved()], 3.0)
    assert words in summary_lines(summary, interrupted=True)[1]
    assert words not in "\n".join(summary_lines(summary))
    assert words not in "\n".join(summary_lines(summary_record([], 0.0), interrupted=True))


def test_verdicts_that_could_not_be_read_are_told() -> None:
    summary = summary_record([solved()], 1.0, 1234)
    assert summary.verdicts_unread == 1234
    said = summary_lines(summary)[-1]
    assert said == "reward: 1,234 verdicts were in no form that it reads, and count as undecided"
    assert summary_lines(summary_record([solved()], 1.0, 1))[-1].startswith("reward: 1 verdict was in no form")
    assert "verdict" not in "\n".join(summary_lines(summary_record([solved()], 1.0)))
    assert run_record([], 1.0, {}, interrupted=False, unread=3).summary.verdicts_unread == 3
