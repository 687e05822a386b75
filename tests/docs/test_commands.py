"""Every command in the documents exists, with every option that it is shown with."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from functools import cache
from shutil import which

import pytest

from tests.docs.documents import ROOT, all_blocks, commands_of

COMMANDS = [
    pytest.param(shlex.split(command), id=f"{block.place}: {command}")
    for block in all_blocks("console")
    for command in commands_of(block)
]
VERBS = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@cache
def help_of(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "spex", *command, "--help"], capture_output=True, text=True, check=True
    )
    return done.stdout


def without_variables(words: list[str]) -> list[str]:
    """The words after those that set variables for the command."""
    return words[1:] if re.match(r"[A-Z_]+=", words[0]) else words


@pytest.mark.parametrize("words", COMMANDS)
def test_a_command_of_the_documents_exists(words: list[str]) -> None:
    program, *arguments = without_variables(words)
    match program.rpartition("/")[2]:
        case "make":
            assert {word for word in arguments if "=" not in word and word not in VERBS} == set()
        case "spex":
            flags = {word.partition("=")[0] for word in arguments if word.startswith("--")}
            assert {flag for flag in flags if flag not in help_of(arguments[0])} == set()
        case "serve":
            command = [str(ROOT / "engines" / "serve"), "--help"]
            told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            assert {word for word in arguments if word.startswith("--") and word not in told} == set()
        case "python":
            flag, module, *options = arguments
            assert flag == "-m"
            command = [sys.executable, "-m", module, "--help"]
            told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
            assert {option for option in options if option not in told} == set()
        case other:
            assert other in {"pip", "git", "cd", "run", "pre-commit", "pytest"}


def test_all_verbs_of_make_are_told_by_its_help() -> None:
    command = [str(which("make")), "--no-print-directory", "help"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(re.findall(r"^  make ([\w-]+)", told.stdout, re.MULTILINE)) == VERBS
