"""How a task of free text reads a completion as a step.

- A path ends at its first final answer, however the step that completes it ended; the answer is
  looked for in the whole path's text, so it does not matter where steps were cut.
- It ends without an answer where the policy ended it (EOS) or the context did, and so does a
  `solution`, which is all that is left.
- A step without tokens, and a second blank step in a row, is dead: it ends the path too, so
  that no search goes round in circles on nothing. One blank step is a paragraph's end.
- A step that met its token limit is cut there, and the path goes on from its last token.
- A `rephrase` solves nothing yet, so that the path goes on where the policy ended it: it is closed
  by the delimiter that is missing, and gets the tokens of its text.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

from spex.engine.base import Completion
from spex.tree import Step


class Ended(NamedTuple):
    """A path's text states its final answer; None where what it states is no answer of this task."""

    answer: str | None


Find = Callable[[str, bool], Ended | None]
"""Looks for the final answer in a path's text; the flag says that the text may go on in mid-line."""


def read_text(path: Sequence[Step], action: str, completion: Completion, find: Find, delimiter: str) -> Step:
    """The step that a completion makes at the end of `path`; `delimiter` closes the steps of its task."""
    text = "".join([*(step.text for step in path), completion.text])
    ended = find(text, completion.end in ("length", "context"))
    if ended is None and action == "rephrase" and completion.end == "eos" and completion.text.strip():
        return Step(completion.text + delimiter)
    return step_of(
        completion,
        terminal=ended is not None or ends(path, action, completion),
        answer=None if ended is None else ended.answer,
    )


def step_of(completion: Completion, *, terminal: bool, answer: str | None, state: Hashable = None) -> Step:
    """A completion with what the task read of it."""
    text, token_ids, logprobs, end = completion
    return Step(text, token_ids, logprobs, end, terminal, answer, state)


def ends(path: Sequence[Step], action: str, completion: Completion) -> bool:
    """Whether the path ends here, whatever was written."""
    return action == "solution" or completion.end in ("eos", "context") or _is_dead(path, completion)


def _is_dead(path: Sequence[Step], completion: Completion) -> bool:
    """Whether the step brings the path no further, and never will."""
    follows_blank = bool(path) and not path[-1].text.strip()
    return not completion.token_ids or (follows_blank and not completion.text.strip())
