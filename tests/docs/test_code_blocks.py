"""Every block of Python in the documents runs as it stands, and prints what stands below it.

A block is marked `python engine` where it needs the embedded model. A `text` block right after
a block of Python is its whole output.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.documents import DOCUMENTS, Block, all_blocks, blocks_of, commands_of, places_in

PYTHON = [
    pytest.param(block, id=block.place, marks=pytest.mark.engine if "engine" in block.marks else ())
    for block in all_blocks("python")
]


def run(block: Block, folder: Path) -> str:
    """What the block prints, run by an interpreter of its own; errors name the document's own lines."""
    program = folder / block.document.name
    program.write_text("\n" * (block.line - 1) + block.text)
    done = subprocess.run(
        [sys.executable, "-W", "error", str(program)], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("block", PYTHON)
def test_a_block_of_python_runs_and_prints_what_it_is_said_to_print(block: Block, tmp_path: Path) -> None:
    printed = run(block, tmp_path)
    assert block.output is None or printed == block.output


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_every_place_that_a_document_names_exists(document: Path) -> None:
    assert {place for place in places_in(document) if not (document.parent / place).exists()} == set()


def test_blocks_are_found_with_their_lines_marks_and_output(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    page = (
        "# A",
        "```python engine",
        "print(1)",
        "```",
        "",
        "```text",
        "1",
        "```",
        "and",
        "```console",
        "$ make x  # y",
    )
    document.write_text("\n".join([*page, "1", "```", ""]))
    first, printed, typed = blocks_of(document)
    assert first == Block(document, 3, "python", frozenset({"engine"}), "print(1)\n", "1\n")
    assert (printed.language, printed.output) == ("text", None)
    assert commands_of(typed) == ["make x"]


def test_a_block_that_fails_says_on_which_line_of_its_document(tmp_path: Path) -> None:
    block = Block(Path("page.md"), 40, "python", frozenset(), "good = 1\nraise LookupError\n", None)
    with pytest.raises(AssertionError, match=r"page\.md\", line 41"):
        run(block, tmp_path)
