"""What happens in a run, as one flat kind of event: the trace is these, one a line."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Literal, TypeAlias

import msgspec

from spex.ids import Call, Expand, call_key, node_key
from spex.tree import Step

Kind: TypeAlias = Literal[
    "query_started",
    "demanded",
    "started",
    "promoted",
    "finished",
    "cancelled",
    "failed",
    "discarded",
    "decided",
    "query_finished",
]


class Event(msgspec.Struct, frozen=True, omit_defaults=True):
    """One event. `t` is in seconds since the run began; what does not apply is left out.

    For calls: `call` (stable id), `kind`, `parent` (of an expansion), `speculative`, `tokens`
    (generated so far), `digest` (of the result), `engine`, `probability` (at the start of a
    speculation), `texts` and `terminals` (one a child) or `scores`, `reason` (of a failure).
    For decisions: `strand`, `calls`. For the end of a query: `answer`, `reason` where partial.
    """

    t: float
    query: str
    event: Kind
    call: str | None = None
    kind: Literal["expand", "score"] | None = None
    parent: str | None = None
    speculative: bool | None = None
    tokens: int | None = None
    digest: str | None = None
    engine: str | None = None
    probability: float | None = None
    texts: tuple[str, ...] | None = None
    terminals: tuple[bool, ...] | None = None
    scores: tuple[float, ...] | None = None
    strand: int | None = None
    calls: tuple[str, ...] | None = None
    answer: str | None = None
    reason: str | None = None


Sink: TypeAlias = Callable[[Event], None]


def call_event(t: float, query: str, event: Kind, call: Call, *, speculative: bool, **more: object) -> Event:
    """An event of `call`."""
    expand = isinstance(call, Expand)
    return Event(
        t,
        query,
        event,
        call=call_key(call),
        kind="expand" if expand else "score",
        parent=node_key(call.parent) if isinstance(call, Expand) else None,
        speculative=speculative,
        **more,  # type: ignore[arg-type]  # the fields of Event, by name
    )


def steps_digest(steps: tuple[Step, ...]) -> str:
    """16 hexadecimal digits of what an expansion made."""
    return _digest(repr([(step.text, step.token_ids, step.logprobs, step.end, step.answer) for step in steps]))


def scores_digest(values: tuple[float, ...]) -> str:
    """16 hexadecimal digits of scores."""
    return _digest(repr(values))


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
