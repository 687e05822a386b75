"""`spex solve --thinking`, and how its chats become prompts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.terminal import Command

TOY = ("--policy", "toy", "--reward", "arithmetic", "--set", "width=4")


def test_a_thinker_answers_behind_its_thinking(spex: Command) -> None:
    assert spex("solve", "2 + 40?", *TOY, "--thinking", "--quiet").out == "\n"
    ended = spex("solve", "2 + 40?", *TOY, "--thinking", "--thinking-tokens", "5", "--quiet")
    assert ended.out in {"40\n", "41\n", "42\n"}


def test_what_was_asked_for_is_told(spex: Command) -> None:
    flags = ("--thinking", "--thinking-tokens", "5", "--thinking-spent", "end", "--thinking-seen", "answer")
    run = json.loads(spex("solve", "2 + 40?", *TOY, *flags, "--template", "none", "--json").out)["run"]
    assert run["task"] == "text"
    assert run["thinking"] == {"thinking_tokens": 5, "thinking_spent": "end", "thinking_seen": "answer"}
    assert (run["template"], run["enable_thinking"]) == ("none", None)


def test_a_log_of_another_thinking_or_template_is_refused(spex: Command, folder: Path) -> None:
    command = ("solve", "2 + 40?", *TOY, "--log", str(folder / "run.log"))
    assert spex(*command).code == 0
    assert spex(*command, "--thinking").code == 2
    assert spex(*command, "--template", "none").code == 2
    assert spex(*command).code == 0


@pytest.mark.parametrize(
    ("flags", "field"),
    [
        (("--thinking-tokens", "9"), "--thinking-tokens"),
        (("--thinking-spent", "end"), "--thinking-spent"),
        (("--thinking-seen", "whole"), "--thinking-seen"),
        (("--thinking", "--no-enable-thinking"), "--enable-thinking"),
        (("--enable-thinking",), "--enable-thinking"),
        (("--template", "chat"), "--template"),
        (("--template", "none", "--enable-thinking"), "--enable-thinking"),
        (("--thinking", "--task", "texd"), "--task"),
    ],
)
def test_what_has_no_use_is_refused_by_its_flag(spex: Command, flags: tuple[str, ...], field: str) -> None:
    ended = spex("solve", "2 + 40?", *TOY, *flags)
    assert ended.code == 2
    assert field in ended.err
