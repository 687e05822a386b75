"""The benchmark of the Game of 24: what counts as solved, and whose place a table may take."""

from __future__ import annotations

import ast
from fractions import Fraction
from operator import add, mul, sub, truediv
from pathlib import Path

import msgspec
import pytest

from benchmarks.game24 import Line, kept, main, table, written

_OPERATIONS = {ast.Add: add, ast.Sub: sub, ast.Mult: mul, ast.Div: truediv}


def line_of(rank: int, *, solved: bool, mode: str = "plain", seed: int = 0, search: str = "rebase") -> Line:
    values = {"rank": rank, "puzzle": "1 2 3 4", "search": search, "mode": mode, "expression": None, "solved": solved}
    costs = {"tokens_useful": 10, "tokens_wasted": 1, "latency_seconds": 2.0, "same_tree": None, "seed": seed}
    return msgspec.convert(values | costs, type=Line)


def both(rank: int, *, solved: bool, seed: int = 0, search: str = "rebase") -> list[Line]:
    return [line_of(rank, solved=solved, mode=mode, seed=seed, search=search) for mode in ("plain", "speculative")]


def test_a_row_has_the_share_that_is_solved_with_its_interval() -> None:
    rows = list(table([found for rank in range(901, 905) for found in both(rank, solved=rank > 901)]))
    assert rows[2].startswith("| REBASE, width 16 | plain | 75 [30, 95] | 10 | 1 | 2.000 |")


def test_samples_of_one_puzzle_are_together_in_the_interval() -> None:
    easy_and_hard = [
        found
        for rank in (901, 902)
        for seed in range(50)
        for found in both(rank, solved=rank == 901, seed=seed, search="single")
    ]
    assert "| 50 [0, 100] |" in list(table(easy_and_hard))[2]


def test_the_table_says_how_many_puzzles_it_is_of(tmp_path: Path) -> None:
    written(both(901, solved=True), tmp_path)
    assert "ranks 901 to 901" in (tmp_path / "game24.md").read_text()
    assert kept(tmp_path) == both(901, solved=True)


def test_a_table_of_a_few_puzzles_does_not_take_the_place_of_that_of_all(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--puzzles", "2", "--only", "single"])
    assert "name another folder by --out" in capsys.readouterr().err


@pytest.mark.engine
def test_what_is_solved_makes_24_of_each_number_once(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp")
    assert main(["--puzzles", "4", "--only", "majority", "--out", str(tmp_path / "new")]) == 0
    lines = kept(tmp_path / "new")
    assert len(lines) == 8
    assert any(found.solved for found in lines)
    for found in lines:
        assert found.solved == (found.expression is not None and is_right(found.puzzle, found.expression))


def is_right(puzzle: str, expression: str) -> bool:
    """By a reader of expressions that shares nothing with the task's."""
    used: list[int] = []

    def value(node: ast.expr) -> Fraction:
        if isinstance(node, ast.Constant):
            assert isinstance(node.value, int)
            used.append(node.value)
            return Fraction(node.value)
        assert isinstance(node, ast.BinOp)
        result: Fraction = _OPERATIONS[type(node.op)](value(node.left), value(node.right))
        return result

    return value(ast.parse(expression, mode="eval").body) == 24 and sorted(used) == sorted(map(int, puzzle.split()))
