"""Every error that SPEX raises on purpose: one tree, one leaf per remedy.

SpexError
├── InputError            correct the named field                    (exit code 2)
├── EngineError           look at the engine that is named           (exit code 3)
│   ├── Unreachable       start it, or correct its address
│   ├── Overloaded        wait, or ask for less at once
│   ├── TimedOut          raise the named deadline, or look for a hang
│   └── Misbehaving       it answered, and the answer cannot be right
├── RecordError           the call log cannot be used as it is       (exit code 3)
│   ├── LogMismatch       it belongs to another configuration: name another file, or the same settings (exit code 2)
│   ├── LogUnwritable     free the disk, then run the same command again
│   └── NotLossless       a replayed run asked for what was never recorded
├── SearchError           a search broke its contract; names class and call
└── InvariantError        a defect of SPEX; report it with the seed  (exit code 4)
"""

from __future__ import annotations


class SpexError(Exception):
    """Root of the tree; `exit_code` is what the command line ends with."""

    exit_code = 1


class InputError(SpexError):
    """A value from outside is not acceptable.

    Carries `field` (its name as the user typed it), `value` (None: there is none) and `allowed`.
    """

    exit_code = 2

    def __init__(self, field: str, value: object, allowed: str) -> None:
        self.field = field
        self.value = value
        self.allowed = allowed
        super().__init__(
            f"{field}: {allowed}" if value is None else f"{field}: {_shown(value)} is not valid; {allowed}"
        )


class EngineError(SpexError):
    """An engine or reward did not do its work; `engine` names it."""

    exit_code = 3

    def __init__(self, engine: str, message: str) -> None:
        self.engine = engine
        super().__init__(f"{engine}: {message}")


class Unreachable(EngineError):
    """The engine cannot be reached, or it died."""


class Overloaded(EngineError):
    """The engine refuses work for now; `retry_after_seconds` where it says for how long."""

    def __init__(self, engine: str, message: str, retry_after_seconds: float | None = None) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(engine, message)


class TimedOut(EngineError):
    """A named deadline ran out (`connect`, `first_token`, `token_gap`, or `query` while an engine opens)."""

    def __init__(self, engine: str, deadline: str, seconds: float) -> None:
        self.deadline = deadline
        self.seconds = seconds
        flag = "deadline" if deadline == "query" else f"{deadline.replace('_', '-')}-seconds"
        option = f"{'deadline' if deadline == 'query' else deadline}_seconds"
        more = f"allow more (--{flag}, in Python {option}=)"
        super().__init__(engine, f"deadline {deadline} of {seconds:g} s ran out: look whether it hangs, or {more}")


class Misbehaving(EngineError):
    """The engine answered something that cannot be right; `got` is what it said, `expected` what it should have."""

    def __init__(self, engine: str, expected: str, got: object) -> None:
        self.expected = expected
        self.got = got
        super().__init__(engine, f"expected {expected}, got {_shown(got)}")


PASSING = (Unreachable, Overloaded, TimedOut)
"""What may pass by itself, so that it is worth asking again."""


class RecordError(SpexError):
    """The call log cannot be used."""

    exit_code = 3


class LogMismatch(RecordError):
    """The log on disk belongs to another configuration, or is no call log."""

    exit_code = 2


class LogUnwritable(RecordError):
    """The log cannot be written; nothing that was acknowledged is lost."""


class NotLossless(RecordError):
    """A replay demanded a call that the recorded run never made: the proof of a loss."""

    def __init__(self, call: str) -> None:
        self.call = call
        super().__init__(f"replay: demanded call {call} is not in the log")


class SearchError(SpexError):
    """A search broke its contract (impure, raised, makes no progress)."""


class InvariantError(SpexError):
    """SPEX found itself in a state that cannot be; a defect of SPEX."""

    exit_code = 4


def _shown(value: object) -> str:
    """`value` on one line, control characters escaped, at most 200 characters."""
    text = ascii(value)
    return text if len(text) <= 200 else text[:200] + "…"
