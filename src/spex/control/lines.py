"""Entries as lines of the call log: JSON where JSON can say it, and exact where it cannot.

JSON knows neither NaN nor infinity (msgspec writes null for them) nor lone surrogates (msgspec
refuses them). Such an entry is written as Python's `json` does it: `NaN`, `-Infinity`, and
surrogates as the three bytes that UTF-8 would have for them.
"""

from __future__ import annotations

import json

import msgspec

from spex.record import Entry

_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[Entry] = msgspec.json.Decoder(Entry)


def encoded(entry: Entry) -> bytes:
    """`entry` on one line, without the line's end."""
    try:
        line = _ENCODER.encode(entry)
    except UnicodeEncodeError:
        return _exact(entry)
    # Only a number that JSON does not know becomes null. The word in a text does no harm.
    return _exact(entry) if b"null" in line else line


def decoded(line: bytes) -> Entry:
    """The entry of a line. Raises `ValueError` for a line that is damaged."""
    try:
        return _DECODER.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError) as damaged:
        try:
            plain = json.loads(line.decode("utf-8", "surrogatepass"))
            entry: Entry = msgspec.convert(plain, type=Entry)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise ValueError(str(damaged)) from None
        return entry


def _exact(entry: Entry) -> bytes:
    text = json.dumps(msgspec.to_builtins(entry), ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")
