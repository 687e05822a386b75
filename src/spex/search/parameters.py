"""Checks of a search's parameters: whole and real numbers within a range."""

from __future__ import annotations

from spex.errors import InputError

WIDTH_MAX = 65_536
DEPTH_MAX = 1_000
TOKENS_MAX = 10_000_000


def check_whole(field: str, value: object, lowest: int, highest: int) -> None:
    """Raise `InputError` unless `value` is an int (no bool) from `lowest` to `highest`."""
    if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
        raise InputError(field, value, f"it must be a whole number from {lowest} to {highest}")


def check_real(field: str, value: object, lowest: float, highest: float) -> None:
    """Raise `InputError` unless `value` is a number (no bool) from `lowest` to `highest`."""
    # NaN is not within any range.
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not lowest <= value <= highest:
        raise InputError(field, value, f"it must be a number from {lowest:g} to {highest:g}")


def check_truth(field: str, value: object) -> None:
    """Raise `InputError` unless `value` is true or false."""
    if not isinstance(value, bool):
        raise InputError(field, value, "it must be true or false")


def check_tree_search(iterations: object, children: object, c: object, nodes_max: object, depth_max: object) -> None:
    """Raise `InputError` unless the limits of an MCTS are within their ranges, and so is its exploration."""
    check_whole("iterations", iterations, 1, WIDTH_MAX)
    check_whole("children", children, 1, 1024)
    check_real("c", c, 0.0, 1000.0)
    check_whole("nodes_max", nodes_max, 1, 1_000_000)
    check_whole("depth_max", depth_max, 1, DEPTH_MAX)
