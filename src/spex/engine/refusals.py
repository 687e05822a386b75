"""What it means that a server answers with another status than 200: which error it is, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from spex.engine.faults import BUSY, OWN_FAULT, PASSING_STATUSES, says_that_it_wants_tls, wants_tls
from spex.errors import EngineError, InputError, Misbehaving, Overloaded, SpexError, Unreachable

_REFUSED = frozenset({401, 403})
_ABSENT = frozenset({404, 501})
_MOVED = range(300, 400)
_NO_QUOTA = "insufficient_quota"
_SHOWN = 200
_WAIT_SECONDS_MAX = 600.0


class Refused(NamedTuple):
    """An answer that is a refusal. `text` holds no key; `advice`: what to do where the server wants another one."""

    path: str
    status: int
    text: str
    headers: Mapping[str, str]
    advice: str = ""

    @property
    def shown(self) -> str:
        """What it says, where it says anything, for the end of a message."""
        return f": {self.text[:_SHOWN]!a}" if self.text.strip() else ""


def refusal(name: str, url: str, refused: Refused, *, was_there: bool) -> SpexError:
    """The error of the server `name` at `url`. was_there: the same path has answered before."""
    wrong = _wrongly_asked(url, refused, was_there=was_there)
    return wrong or _not_done(name, refused)


def _wrongly_asked(url: str, refused: Refused, *, was_there: bool) -> InputError | None:
    """What is to be corrected on our side; None where nothing is."""
    status = refused.status
    if status in _REFUSED:
        told = f"{url} wants a key, or another one (status {status}){refused.advice}{refused.shown}"
        return InputError("key", None, told)
    if _NO_QUOTA in refused.text:
        return InputError("key", None, f"{url} has no quota left for it (status {status}){refused.shown}")
    if status in _MOVED:
        place = ascii(refused.headers.get("Location", "another address"))[1:-1][:_SHOWN]
        return InputError("policy", url, f"it says that it is at {place}: name that one")
    if says_that_it_wants_tls(status, refused.text):
        return wants_tls(url)
    if status in _ABSENT and not was_there:
        return InputError("policy", url, f"it has no {refused.path}: it is another kind of server, or another model")
    return None


def _not_done(name: str, refused: Refused) -> EngineError:
    status = refused.status
    if status in BUSY:
        told = f"it takes no more requests now (status {status}): wait, or ask for less at once{refused.shown}"
        return Overloaded(name, told, wait_seconds(refused.headers))
    if status in _ABSENT:
        return Unreachable(name, f"it has no {refused.path} now, and had it before (status {status}){refused.shown}")
    if status in PASSING_STATUSES:
        return Unreachable(name, f"it did not take the request (status {status}){refused.shown}")
    if status >= OWN_FAULT:
        return Unreachable(name, f"it failed with status {status}, see the server's log{refused.shown}")
    return Misbehaving(name, "status 200", f"{status}: {refused.text}")


def wait_seconds(headers: Mapping[str, str]) -> float | None:
    """A `Retry-After` in seconds (600 at most), where there is one that can be read.

    One that is a date is taken from the answer's own date: no clock of ours says how late it is there.
    """
    told = headers.get("Retry-After")
    if not told:
        return None
    try:
        seconds = float(told)
    except ValueError:
        seconds = _between(headers.get("Date"), told)
    return min(_WAIT_SECONDS_MAX, max(0.0, seconds)) if seconds == seconds else None  # noqa: PLR0124  # no NaN


def _between(start: str | None, end: str) -> float:
    """The seconds from one date to another; NaN where one cannot be read."""
    try:
        return (parsedate_to_datetime(end) - parsedate_to_datetime(start or "")).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return float("nan")
