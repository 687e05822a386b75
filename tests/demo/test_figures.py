"""The demo's table and what stands below it: a reader must not take it for a comparison that it is not."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from spex.demo.figures import closing_lines, demonstration_record, demonstration_table
from spex.demo.show import Demonstration, Shown, Side
from spex.problem import Problem
from spex.solution import Solution, Timings
from spex.tree import Tree
from spex.usage import Tokens, Usage


def side(*, correct: bool, seconds: float) -> Side:
    solution = Solution(Problem("2 + 2?", "sum", "4"), "4" if correct else "5", correct, Tree())
    return Side([replace(solution, usage=Usage(Tokens(100), Tokens(7)), timings=Timings(0.0, seconds))])


@pytest.fixture
def shown() -> Shown:
    return Shown("rebase", side(correct=False, seconds=4.0), side(correct=True, seconds=2.0), simulated_speed_up=1.5)


def printed(shown: Shown) -> str:
    record = demonstration_record(Demonstration(1, 4, 2, (shown,)), "llamacpp", 0)
    file = StringIO()
    Console(file=file, width=120, color_system=None).print(demonstration_table(record))
    return file.getvalue() + "\n".join(closing_lines(record))


def test_two_rows_that_differ_are_said_to_be_two_live_runs(shown: Shown) -> None:
    text = printed(shown)
    rows = [line.split() for line in text.splitlines() if "plain  " in line or "speculative  " in line]
    assert [row[row.index(mode) + 1] for row, mode in zip(rows, ("plain", "speculative"), strict=True)] == [
        "0%",
        "100%",
    ]
    assert "llama.cpp's texts depend on what runs beside them" in text
    assert "may differ in texts, and so in solved and tokens" in text


def test_same_tree_is_said_to_be_of_the_replay_and_not_of_the_rows(shown: Shown) -> None:
    text = printed(shown)
    assert " ".join(text.split()).count("2.00 yes, replayed") == 1
    assert '"Same tree" does not compare the rows' in text
    assert "the plain run, replayed from the record of the speculative run" in text


def test_a_replay_that_differs_is_shouted(shown: Shown) -> None:
    shown.same_tree = False
    shown.simulated_same_tree = False
    text = printed(shown)
    assert "yes" not in text
    assert text.count("NO") == 2


def test_lines_below_the_table_fit_the_usual_width(shown: Shown) -> None:
    assert max(map(len, printed(shown).splitlines())) <= 120
