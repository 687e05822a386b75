"""A problem: one question, perhaps with its reference answer, or with the tests that a program must pass."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TypeAlias

from spex.errors import InputError

_ID_LENGTH_MAX = 200
_TESTS_MAX = 1000

CodeTest: TypeAlias = str | tuple[str, str]
"""An assertion about a function, `"assert add(2, 3) == 5"`, or what a program reads and what it must print."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One question to search.

    `id` names it in seeds, traces and logs (1 to 200 printable characters); `answer` is the
    reference that a task checks against, where there is one (not blank). `tests`: what a program
    that solves it must pass (1,000 at most; `spex.reward.code_tests`). Raises `InputError`.
    """

    text: str
    id: str = ""
    answer: str | None = None
    tests: tuple[CodeTest, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.text, str) or not self.text.strip():
            raise InputError("problem", self.text, "it must be a text that is not blank")
        if has_surrogates(self.text):
            raise InputError("problem", self.text, "it must be valid Unicode (it has lone surrogates)")
        if self.answer is not None and not self.answer.strip():
            raise InputError("answer", self.answer, "it must be a text that is not blank, or be left out")
        if not self.id:
            digest = blake2b(self.text.encode(), digest_size=6).hexdigest()
            object.__setattr__(self, "id", f"problem-{digest}")
        if not self.id.isprintable() or len(self.id) > _ID_LENGTH_MAX:
            raise InputError("id", self.id, f"it must be 1 to {_ID_LENGTH_MAX} printable characters")
        if not isinstance(self.tests, tuple) or len(self.tests) > _TESTS_MAX or not all(map(_is_test, self.tests)):
            allowed = f"it must be a tuple of at most {_TESTS_MAX} assertions, or pairs of what is read and printed"
            raise InputError("tests", self.tests, allowed)


def _is_test(test: object) -> bool:
    texts = test if isinstance(test, tuple) and len(test) == 2 else (test,)
    return all(isinstance(text, str) and not has_surrogates(text) for text in texts)


def has_surrogates(text: str) -> bool:
    """Whether half of a character stands alone: no Unicode, and nothing that a tokenizer takes."""
    return any("\ud800" <= character <= "\udfff" for character in text)
