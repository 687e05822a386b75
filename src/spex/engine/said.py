"""What a function said, cut to what was asked for: stop strings, the token limit, log-probabilities.

Tokens are UTF-8 bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import NamedTuple, TypeAlias

from spex.engine.base import Completion, Generation
from spex.errors import Misbehaving
from spex.tree import End, Step

Logprobs: TypeAlias = float | Sequence[float] | None
"""One number for all tokens, one for each of them, or none."""

Said: TypeAlias = str | tuple[str, Logprobs] | Step | Completion
"""What a function may return as a model's text."""

_FORMS = "a text, a pair of text and log-probabilities, a Step or a Completion"


class Utterance(NamedTuple):
    """A text as bytes, with a log-probability for each byte, and how it ended by itself."""

    data: bytes
    logprobs: tuple[float, ...] | None
    end: End


def said(answer: object, engine_name: str) -> Utterance:
    """`answer` (a `Said`) in one form. Raises `Misbehaving` for anything else."""
    match answer:
        case str():
            return Utterance(_encoded(answer, engine_name), None, "eos")
        # Before the pair: a Completion is a tuple too.
        case Step() | Completion():
            data = _encoded(answer.text, engine_name)
            if answer.token_ids and tuple(answer.token_ids) != tuple(data):
                raise Misbehaving(engine_name, "token ids that are the UTF-8 bytes of the text, or none", answer)
            return Utterance(data, _spread(answer.logprobs, len(data), engine_name), answer.end)
        case (str() as text, logprobs):
            data = _encoded(text, engine_name)
            return Utterance(data, _spread(logprobs, len(data), engine_name), "eos")
        case _:
            raise Misbehaving(engine_name, _FORMS, answer)


def completed(utterance: Utterance, request: Generation, engine_name: str) -> Completion:
    """The utterance as the request bounds it."""
    stops = tuple(_encoded(stop, engine_name) for stop in request.stop if stop)
    data, logprobs, end = _delimited(utterance, stops) if utterance.end == "delimiter" else utterance
    stopped = min((found + len(stop) for stop in stops if (found := data.find(stop)) >= 0), default=None)
    if stopped is not None:
        data, end = data[:stopped], "delimiter"
    if len(data) > request.tokens_max:
        data, end = _whole_characters(data[: max(0, request.tokens_max)]), "length"
    return Completion(data.decode(), tuple(data), None if logprobs is None else logprobs[: len(data)], end)


def _delimited(utterance: Utterance, stops: tuple[bytes, ...]) -> Utterance:
    """An utterance that ended at a delimiter, with one; without stop strings it ended by itself."""
    data, logprobs, _ = utterance
    if not stops or any(stop in data for stop in stops):
        return utterance._replace(end="eos")
    # The delimiter was not drawn by anyone, so it counts as certain.
    certain = (0.0,) * len(stops[0])
    return Utterance(data + stops[0], None if logprobs is None else logprobs + certain, "delimiter")


def _whole_characters(data: bytes) -> bytes:
    """`data` without a last character that was cut in two."""
    return data.decode(errors="ignore").encode()


def _encoded(text: object, engine_name: str) -> bytes:
    try:
        if isinstance(text, str):
            return text.encode()
    except UnicodeEncodeError:
        pass
    raise Misbehaving(engine_name, "a text of valid Unicode", text)


def _spread(logprobs: object, count: int, engine_name: str) -> tuple[float, ...] | None:
    """A log-probability for each of `count` tokens."""
    if logprobs is None:
        return None
    values = (logprobs,) * count if isinstance(logprobs, float | int) else logprobs
    if not isinstance(values, Sequence) or len(values) != count or not all(map(_is_logprob, values)):
        expected = f"{count} finite log-probabilities, one for each UTF-8 byte, or one number"
        raise Misbehaving(engine_name, expected, logprobs)
    return tuple(float(value) for value in values)


def _is_logprob(value: object) -> bool:
    try:
        return isinstance(value, float | int) and isfinite(value)
    except OverflowError:
        return False
