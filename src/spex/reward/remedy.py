"""What to do about a reward's server that answers what cannot be right, told with what it was asked of.

Who talks to a server says what is wrong with an answer, and knows of no problem and no step.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from spex.errors import Misbehaving

SERVED = "is it the model that is meant, laid out in its form? `spex prm NAME` prints how it is served"
"""What to do about a PRM."""

_FINITE = "do its numbers overflow? serve it in bfloat16 or float32 (--dtype), or another copy of it"
# SGLang writes what is not finite as null.
_NOT_FINITE = re.compile(r"\b(?:nan|inf|infinity)\b|got `null`", re.IGNORECASE)
_READ_CHARACTERS = 4096


@contextmanager
def asked_of(where: str, advice: str) -> Iterator[None]:
    """A `Misbehaving` that comes out says of what it was asked, and what to do: `advice`, or what helps against NaN.

    One that asks the reader something has said what to do.
    """
    try:
        yield
    except Misbehaving as error:
        remedy = "" if "?" in error.expected else f" ({_FINITE if _is_not_finite(error) else advice})"
        raise Misbehaving(error.engine, f"{error.expected}, for {where}{remedy}", error.got) from error


def _is_not_finite(error: Misbehaving) -> bool:
    said = error.got if isinstance(error.got, str) else ascii(error.got)
    return _NOT_FINITE.search(f"{error.expected} {said[:_READ_CHARACTERS]}") is not None
