"""Every way a command can fail: an exit code and at most one line."""

from __future__ import annotations

import pytest
import typer

from spex.cli.failures import failure_of
from spex.errors import (
    InputError,
    InvariantError,
    LogMismatch,
    LogUnwritable,
    Misbehaving,
    NotLossless,
    Overloaded,
    SearchError,
    TimedOut,
    Unreachable,
)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("seed", "x", "it must be a number"), 2),
        (typer.TyperException("No such option: --x"), 2),
        (Unreachable("engine", "gone"), 3),
        (Overloaded("engine", "full"), 3),
        (TimedOut("engine", "connect", 3.0), 3),
        (Misbehaving("engine", "a text", 3), 3),
        (LogMismatch("another"), 2),
        (LogUnwritable("full"), 3),
        (NotLossless("expand:root>step.0"), 3),
        (SearchError("impure"), 1),
        (InvariantError("cannot be"), 4),
        (ZeroDivisionError("division by zero"), 4),
        (KeyboardInterrupt(), 130),
        (typer.Abort(), 130),
        (BrokenPipeError(), 141),
        (OSError(28, "No space left on device"), 3),
        (SystemExit(7), 7),
        (SystemExit("words"), 4),
    ],
)
def test_every_error_has_its_exit_code_and_at_most_one_line(error: BaseException, code: int) -> None:
    failure = failure_of(error)
    assert failure.exit_code == code
    assert failure.line is None or failure.line.isprintable()


def test_a_setting_is_named_by_its_flag_and_what_is_no_setting_by_its_own_name() -> None:
    refusals = [InputError(field, "x", "it must be less") for field in ("seed", "answer_rule", "step_tokens_max")]
    lines = [str(failure_of(refusal).line).partition(":")[0] for refusal in (*refusals, InputError("problem", "", ""))]
    assert lines == ["--seed", "--answer-rule", "--step-tokens", "problem"]


def test_what_is_missing_is_not_called_none() -> None:
    assert failure_of(InputError("problem", None, "give a question")).line == "problem: give a question"


def test_a_message_of_several_lines_becomes_one() -> None:
    assert failure_of(Unreachable("engine", "first\nsecond\x1b[31m")).line == "engine: first␊second␛[31m"


def test_in_a_group_the_error_that_was_raised_on_purpose_counts() -> None:
    group = BaseExceptionGroup("", [KeyError("x"), ExceptionGroup("", [InputError("seed", "x", "it must be less")])])
    assert failure_of(group).exit_code == 2


def test_a_group_of_accidents_counts_as_its_first() -> None:
    failure = failure_of(ExceptionGroup("", [KeyError("x"), ValueError("y")]))
    assert failure.exit_code == 4
    assert "KeyError" in str(failure.line)


def test_notes_say_where_an_accident_happened() -> None:
    error = ValueError("y")
    error.add_note("seed 7")
    line = str(failure_of(error).line)
    assert line.startswith("internal error (seed 7): ValueError: y")
    assert "--traceback" in line
