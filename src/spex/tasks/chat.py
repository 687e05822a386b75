"""How a task asks: instructions, example turns, and the question."""

from __future__ import annotations

from collections.abc import Sequence

from spex.engine.base import Message


def chat(instructions: str, examples: Sequence[tuple[str, str]], question: str) -> tuple[Message, ...]:
    """A system message (none if `instructions` is empty), a turn for each example, and the question."""
    turns = [Message("system", instructions)] if instructions else []
    for asked, answered in examples:
        turns += [Message("user", asked), Message("assistant", answered)]
    return (*turns, Message("user", question))
