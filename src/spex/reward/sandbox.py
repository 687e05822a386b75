"""What a sandbox is: a place where code that a model wrote can do no harm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from spex.errors import InputError


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one run of code. seconds: by the clock (above 0). memory_bytes: of a process. processes: at once, its own too.

    output_bytes: what it may print, or say as a value. files_bytes: what it may keep. Raises `InputError`.
    """

    seconds: float = 5.0
    memory_bytes: int = 256 << 20
    processes: int = 8
    output_bytes: int = 1 << 20
    files_bytes: int = 16 << 20

    def __post_init__(self) -> None:
        if type(self.seconds) not in (int, float) or not 0.0 < self.seconds <= 3600.0:
            raise InputError("limits.seconds", self.seconds, "it must be a number above 0, and 3600 at most")
        for name, least in (("memory_bytes", 16 << 20), ("processes", 1), ("output_bytes", 1), ("files_bytes", 4096)):
            value = getattr(self, name)
            if type(value) is not int or not least <= value <= 1 << 40:
                raise InputError(f"limits.{name}", value, f"it must be a whole number from {least}")


class Told(NamedTuple):
    """What code came to; its value may be of any type."""

    value: object


class Sandbox(Protocol):
    """Where the values of calls are found. What the code does beside having a value is nothing: None is told of it."""

    @property
    def name(self) -> str: ...

    def refuse_missing(self) -> None:
        """Raise `InputError` where this machine has not got it, saying how to get it."""
        ...

    async def open(self) -> None:
        """Make it ready; a second call does nothing. Raises `InputError` where it does not work here."""
        ...

    async def close(self) -> None:
        """Leave nothing running; a second call does nothing."""
        ...

    async def value(self, code: str, call: str) -> Told | None:
        """The value of the expression `call` after `code`. When a cancellation comes through, nothing of it runs."""
        ...


class ProgramSandbox(Sandbox, Protocol):
    """One that runs whole programs, too."""

    async def printed(self, code: str, read: str) -> Told | None:
        """What the program prints that is given `read` on standard input, where it ends with exit status 0."""
        ...
