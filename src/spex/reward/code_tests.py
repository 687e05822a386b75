"""Tests of code: what is asked of it inside the sandbox, and what is expected, which never goes there.

An assertion is taken apart: its call is evaluated where the code is, and the value that comes back is compared here. So
no code can pass by what it does to `assert`, to `==` or to its output: it would have to know the value. These are taken
apart, each with a message or without one:

    assert CALL == LITERAL        assert CALL is None (True, False)
    assert CALL                   assert not CALL

Equal are a tuple and a list of equal values, and numbers of which one is a float and that differ by a billionth at
most. What a program prints is compared by lines, without white space at their ends and blank lines at the end.
"""

from __future__ import annotations

import ast
from functools import lru_cache
from math import isclose
from typing import Any, NamedTuple, TypeAlias

from spex.errors import InputError
from spex.problem import CodeTest

_ALLOWED = "it must be `assert CALL == LITERAL`, `assert CALL` or `assert not CALL`: only a call's value is believed"


class CallTest(NamedTuple):
    """`call`: an expression, which must have the value `expected`, of plain Python types."""

    call: str
    expected: object


class ProgramTest(NamedTuple):
    """What a program reads on standard input, and what it must print."""

    read: str
    printed: str


Test: TypeAlias = CallTest | ProgramTest


@lru_cache(maxsize=4096)
def parsed(test: CodeTest) -> Test:
    """A problem's test, taken apart. Raises `InputError`."""
    if isinstance(test, tuple):
        return ProgramTest(*test)
    try:
        body = ast.parse(test.strip()).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise InputError("tests", test, f"it is no Python: {error}") from None
    if len(body) != 1 or not isinstance(body[0], ast.Assert):
        raise InputError("tests", test, _ALLOWED)
    return _taken_apart(body[0].test, test)


def _taken_apart(asserted: ast.expr, test: str) -> CallTest:
    if isinstance(asserted, ast.Compare) and len(asserted.ops) == 1 and isinstance(asserted.ops[0], ast.Eq | ast.Is):
        sides = (asserted.left, asserted.comparators[0])
        for call, literal in (sides, sides[::-1]):
            if not _compares(call) and _is_literal(literal):
                return CallTest(ast.unparse(call), ast.literal_eval(literal))
        raise InputError("tests", test, _ALLOWED)
    negated = isinstance(asserted, ast.UnaryOp) and isinstance(asserted.op, ast.Not)
    call = asserted.operand if isinstance(asserted, ast.UnaryOp) and negated else asserted
    if _compares(call):
        raise InputError("tests", test, _ALLOWED)
    return CallTest(f"bool({ast.unparse(call)})", not negated)


def _compares(expression: ast.expr) -> bool:
    """Whether a comparison is left for the code to answer as it likes."""
    return any(isinstance(node, ast.Compare) for node in ast.walk(expression)) or _is_literal(expression)


def _is_literal(expression: ast.expr) -> bool:
    try:
        ast.literal_eval(expression)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return True


def equal(value: object, expected: object) -> bool:
    """Whether what came out of a sandbox is what was expected. Goes no deeper than `expected` does."""
    if isinstance(expected, bool) or expected is None:
        return value is expected
    if isinstance(expected, int | float | complex):
        return type(value) in (int, float, complex) and _near(value, expected)
    if isinstance(expected, tuple | list):
        return (
            isinstance(value, list | tuple) and len(value) == len(expected) and all(map(equal, tuple(value), expected))
        )
    if isinstance(expected, dict):
        return (
            type(value) is dict
            and value.keys() == expected.keys()
            and all(equal(value[key], expected[key]) for key in expected)
        )
    return type(value) in (str, bytes, set, frozenset) and value == expected


def _near(value: Any, expected: complex) -> bool:
    kinds = {type(value), type(expected)}
    try:
        if float in kinds and complex not in kinds:
            return isclose(value, expected.real, rel_tol=1e-9, abs_tol=1e-9)
    except OverflowError:  # a whole number beyond all floats
        return False
    return bool(value == expected)


def printed_alike(printed: str, expected: str) -> bool:
    """Whether a program printed what it should."""
    return _lines(printed) == _lines(expected)


def _lines(text: str) -> list[str]:
    return "\n".join(line.rstrip() for line in text.splitlines()).rstrip().split("\n")
