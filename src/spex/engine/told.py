"""What servers told in numbers, and what they can be told: checks and foldings that several engines share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import fsum, isfinite

from spex.engine.base import Capabilities, Generation
from spex.errors import Misbehaving
from spex.visible import visible

ABORTED = "the text was aborted, and not by us: see who else stops requests at this server"
"""What is told of a text that somebody else has ended."""

CUT = "the stream ended before its text did: look in the server's log whether it died"

HALF = "\ufffd"
"""What a decoder has in the place of bytes that are no whole character."""

_NAMES_MAX, _NAME_SHOWN = 8, 100
_LOGPROB_MAX = 1e-3
_ROUNDING = 1e-3


def checked_logprob(value: float | None, engine: str) -> float:
    """A finite log-probability, 0 at most: what rounding put above it counts as 0. Raises `Misbehaving`."""
    if value is None or not isfinite(value) or value > _LOGPROB_MAX:
        raise Misbehaving(engine, "a log-probability", value)
    return min(0.0, value)


def checked_chances(values: Sequence[float], engine: str) -> tuple[float, ...]:
    """Probabilities of different tokens in one place: each in [0, 1], and together 1 at most, but for rounding.

    What rounding put above 1 counts as 1. Raises `Misbehaving`.
    """
    if not all(isfinite(value) and 0.0 <= value <= 1.0 + _ROUNDING for value in values):
        raise Misbehaving(engine, "a probability for each label", values)
    if fsum(values) > 1.0 + len(values) * _ROUNDING:
        raise Misbehaving(engine, "probabilities of different tokens that add up to 1 at most", values)
    return tuple(min(1.0, value) for value in values)


def room_of(request: Generation, capabilities: Capabilities, engine: str) -> int:
    """Tokens that fit behind the prompt. Raises `Misbehaving` when there are none."""
    context = capabilities.context_tokens
    room = request.tokens_max if context is None else context - request.prompt.token_count
    if room < 1:
        expected = f"a prompt shorter than the context of {context} tokens"
        raise Misbehaving(engine, expected, f"{request.prompt.token_count} tokens")
    return room


def begun(stop: Iterable[str]) -> list[str]:
    """What a stop string may have begun with, where it is not whole, sorted."""
    return sorted({one[:length] for one in stop for length in range(1, len(one))})


def folded(seed: int, bits: int) -> int:
    """A seed of 64 bits as one of `bits` (1 to 63): what is above them is not lost, but mixed in."""
    return (seed ^ seed >> bits) & ((1 << bits) - 1)


def rooted(url: str) -> tuple[str, str | None]:
    """The root of a server, and the model that is named behind `#`; the `/v1` of base addresses is taken off."""
    address, _, model = url.partition("#")
    return address.rstrip("/").removesuffix("/v1"), model or None


def listed(names: Iterable[str]) -> str:
    """The names that a server tells, in order, for a message: at most eight, none of them long; empty for none."""
    found = sorted(names)
    shown = [visible(name)[:_NAME_SHOWN] for name in found[:_NAMES_MAX]]
    return ", ".join([*shown, *([f"… ({len(found)} in all)"] if len(found) > _NAMES_MAX else [])])
