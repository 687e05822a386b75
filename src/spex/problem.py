"""A problem: one question, perhaps with its reference answer."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

from spex.errors import InputError

_ID_LENGTH_MAX = 200


@dataclass(frozen=True, slots=True)
class Problem:
    """One question to search.

    `id` names it in seeds, traces and logs (1 to 200 printable characters); `answer` is the
    reference that a task checks against, where there is one (not blank). Raises `InputError`.
    """

    text: str
    id: str = ""
    answer: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.text, str) or not self.text.strip():
            raise InputError("problem", self.text, "it must be a text that is not blank")
        if _has_surrogates(self.text):
            raise InputError("problem", self.text, "it must be valid Unicode (it has lone surrogates)")
        if self.answer is not None and not self.answer.strip():
            raise InputError("answer", self.answer, "it must be a text that is not blank, or be left out")
        if not self.id:
            digest = blake2b(self.text.encode(), digest_size=6).hexdigest()
            object.__setattr__(self, "id", f"problem-{digest}")
        if not self.id.isprintable() or len(self.id) > _ID_LENGTH_MAX:
            raise InputError("id", self.id, f"it must be 1 to {_ID_LENGTH_MAX} printable characters")


def _has_surrogates(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)
