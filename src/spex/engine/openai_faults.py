"""What servers of OpenAI's kind tell of texts that went wrong, whatever form they have for it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from spex.engine.faults import BUSY, OWN_FAULT, PASSING_STATUSES
from spex.errors import EngineError, Misbehaving, Overloaded, Unreachable

_SHOWN = 200
_WRONG = frozenset({"invalid_request_error", "authentication_error", "permission_error", "not_found_error"})
_FULL = frozenset({"rate_limit_error", "rate_limit_exceeded", "overloaded_error"})
_CLIENTS_FAULT = range(400, OWN_FAULT)
_REFUSAL = re.compile(r"4(?:00|13|22): ")
_TOO_LONG = re.compile(
    r"maximum (?:context|model) len|context_length_exceeded|exceed_context_size"
    r"|(?:exceed|larger than|longer than|greater than)[^.]{0,40} context (?:size|length|window)"
    r"|context length of only|prompt is too long|`max_new_tokens` must be <=",
    re.IGNORECASE,
)


def told_fault(engine: str, error: object) -> EngineError:
    """The error for what was told within a stream: what asking again cannot mend is `Misbehaving`."""
    told: Mapping[object, object] = error if isinstance(error, dict) else {}
    status = _status(told.get("code")) or _status(told.get("status"))
    kinds = {kind for kind in (told.get("type"), told.get("code")) if isinstance(kind, str)}
    shown = ascii(error)[:_SHOWN]
    if _TOO_LONG.search(str(error)):
        return Misbehaving(engine, "status 200", f"400: {error}")
    if status in BUSY or kinds & _FULL:
        return Overloaded(engine, f"it takes no more requests now: wait, or ask for less at once ({shown})")
    if (status in _CLIENTS_FAULT and status not in PASSING_STATUSES) or kinds & _WRONG:
        return Misbehaving(engine, "a piece of a text", error)
    return Unreachable(engine, f"it failed in the middle of a text: {shown}")


def is_too_long(error: Misbehaving) -> bool:
    """Whether it is a refusal of a prompt, with what is to be written behind it, for its length."""
    got = str(error.got)
    return error.expected == "status 200" and bool(_REFUSAL.match(got) and _TOO_LONG.search(got))


def _status(code: object) -> int | None:
    """A status, which some servers tell as a text."""
    if isinstance(code, str) and code.isdecimal() and len(code) == 3:
        return int(code)
    return code if isinstance(code, int) else None
