"""The example of a search of one's own runs as it stands, shows what it is said to show, and stays short."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "custom_search.py"
LINE = re.compile(r"(\w+): \d+\.\d\d s, (\d+) tokens written, answer (\w+), same tree: (True|False)")
CODE_LINES_MAX = 39


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str, bool]]:
    """What a process of its own prints of each run: the tokens that were written, the answer, the same tree or not."""
    command = [sys.executable, "-W", "error", str(EXAMPLE)]
    folder = tmp_path_factory.mktemp("empty")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert list(folder.iterdir()) == []
    found = [LINE.fullmatch(line) for line in done.stdout.splitlines()]
    return {line[1]: (int(line[2]), line[3], line[4] == "True") for line in found if line is not None}


def test_all_runs_have_the_same_tree_and_its_answer(printed: dict[str, tuple[int, str, bool]]) -> None:
    assert list(printed) == ["plain", "speculative", "replayed"]
    assert {(answer, same) for _, answer, same in printed.values()} == {("42", True)}


def test_the_replay_asks_no_model(printed: dict[str, tuple[int, str, bool]]) -> None:
    assert printed["plain"][0] > 0
    assert printed["speculative"][0] >= printed["plain"][0]
    assert printed["replayed"][0] == 0


def test_it_is_short_and_uses_public_names_alone() -> None:
    source = EXAMPLE.read_text()
    tree = ast.parse(source)
    origins = {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {origin for origin in origins if origin.startswith("spex")} == {"spex", "spex.testing"}
    told = {line for node in ast.walk(tree) for line in docstring_lines(node)}
    lines = [line.strip() for number, line in enumerate(source.splitlines(), 1) if number not in told]
    assert len([line for line in lines if line and not line.startswith("#")]) <= CODE_LINES_MAX


def docstring_lines(node: ast.AST) -> range:
    """The lines of the node's docstring."""
    if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) or not ast.get_docstring(node):
        return range(0)
    return range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1)
