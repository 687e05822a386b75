"""What ends a command: its exit code, and the one line that says why.

`EXIT_CODES` says what each code means.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import typer

from spex.cli.settings import flag_of
from spex.errors import InputError, InvariantError, SpexError
from spex.visible import visible

DONE = 0
SOME_FAILED = 1
BAD_INPUT = 2
ENVIRONMENT = 3
INTERNAL = 4
INTERRUPTED = 130
UNREAD = 141

EXIT_CODES = (
    f"Exit codes: {DONE} done; {SOME_FAILED} done, but some problems failed; {BAD_INPUT} bad input; "
    f"{ENVIRONMENT} engine or environment; {INTERNAL} a defect of SPEX; {INTERRUPTED} interrupted (143 by SIGTERM); "
    f"{UNREAD} nobody reads standard output any more."
)


class Failure(NamedTuple):
    """An exit code, and a line for standard error (None: nothing to say)."""

    exit_code: int
    line: str | None


def failure_of(error: BaseException) -> Failure:
    """What `error` means to whoever called the command."""
    leaf = _leaf(error)
    match leaf:
        case InvariantError():
            failure = Failure(INTERNAL, _internal(leaf, f"{leaf}"))
        case InputError():
            failure = Failure(BAD_INPUT, visible(f"{_with_flag(leaf)}"))
        case SpexError():
            failure = Failure(leaf.exit_code, visible(f"{leaf}"))
        case typer.TyperException():
            failure = Failure(BAD_INPUT, visible(_usage(leaf)))
        case KeyboardInterrupt() | typer.Abort():
            failure = Failure(INTERRUPTED, "interrupted")
        case BrokenPipeError() | SystemExit(__context__=BrokenPipeError()):  # the second is typer's word for it
            failure = Failure(UNREAD, None)
        case OSError():
            failure = Failure(ENVIRONMENT, visible(f"{leaf.strerror or leaf}"))
        case SystemExit():
            failure = Failure(leaf.code if isinstance(leaf.code, int) else INTERNAL, None)
        case _:
            failure = Failure(INTERNAL, _internal(leaf, f"{type(leaf).__name__}: {leaf}"))
    return failure


@contextmanager
def interruptible() -> Iterator[None]:
    """A Ctrl-C inside is told; typer would end the command with the right code and without a word."""
    try:
        yield
    except KeyboardInterrupt:
        raise typer.Abort from None


def _leaf(error: BaseException) -> BaseException:
    """The error to report of a group: the first that SPEX raised on purpose, else the first."""
    leaves = list(_leaves(error))
    return next((leaf for leaf in leaves if isinstance(leaf, SpexError)), leaves[0])


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from _leaves(part)
    else:
        yield error


def _with_flag(error: InputError) -> InputError:
    """The same refusal, of a setting by its flag."""
    return InputError(flag_of(error.field), error.value, error.allowed)


def _internal(error: BaseException, what: str) -> str:
    where = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
    return visible(f"internal error{where}: {what}; --traceback shows where, please report it")


def _usage(error: typer.TyperException) -> str:
    message = error.format_message().strip().rstrip(".").replace(". Did you", "; did you")
    nearest = getattr(error, "possibilities", None)
    if nearest:
        message = f"{error.message.rstrip('.')}; did you mean {nearest[0]}?"
    return message[:1].lower() + message[1:]
