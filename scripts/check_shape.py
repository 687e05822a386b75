"""The shape of the code: no long functions, no long modules. Prints what it measured; exits with 1 for a long one.

A function is measured from its `def` to its last line, docstring included. Modules of tests are not
held to a length: they grow with what they test.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

FUNCTION_LINES_MAX = 60
MODULE_LINES_MAX = 300
_FOLDERS = ("src", "scripts", "benchmarks", "examples", "engines", "training", "tests")
_FOLDERS_OF_SHORT_MODULES = ("src", "scripts", "benchmarks", "examples", "engines", "training")


class Measured(NamedTuple):
    """Something with a length, and where it stands."""

    lines: int
    place: str


def main() -> int:
    """Measure the checkout that this script stands in."""
    root = Path(__file__).resolve().parents[1]
    sources = {folder: sorted((root / folder).rglob("*.py")) for folder in _FOLDERS}
    long: list[str] = []
    for folder, files in sources.items():
        functions = [measured for file in files for measured in functions_of(file, root)]
        modules = [Measured(len(file.read_text().splitlines()), str(file.relative_to(root))) for file in files]
        print(f"{folder:10} {summary('functions', functions)}; {summary('modules', modules)}")
        long += too_long("function", functions, FUNCTION_LINES_MAX)
        if folder in _FOLDERS_OF_SHORT_MODULES:
            long += too_long("module", modules, MODULE_LINES_MAX)
    for line in long:
        print(line)
    return 1 if long else 0


def functions_of(file: Path, root: Path) -> Iterator[Measured]:
    """Every function and method of `file`, nested ones too."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            lines = node.end_lineno - node.lineno + 1
            yield Measured(lines, f"{file.relative_to(root)}:{node.lineno}: {node.name}")


def summary(kind: str, all_measured: list[Measured]) -> str:
    """How many, and median, 90th percentile and greatest of their lengths."""
    lengths = sorted(measured.lines for measured in all_measured)
    if not lengths:
        return f"0 {kind}"
    ninth = lengths[(len(lengths) * 9 - 1) // 10]
    return f"{len(lengths)} {kind}, lines: median {median(lengths):.0f}, p90 {ninth}, max {lengths[-1]}"


def too_long(kind: str, all_measured: list[Measured], most: int) -> list[str]:
    """One line for each that has more than `most` lines."""
    return [
        f"{measured.place}: this {kind} has {measured.lines} lines, at most {most} are wanted"
        for measured in all_measured
        if measured.lines > most
    ]


if __name__ == "__main__":
    sys.exit(main())
