"""What G1 says of two live runs of the same problems."""

from __future__ import annotations

import spex
from spex.testing import first_difference


def assert_same_trees(plain: spex.Run, speculating: spex.Run) -> None:
    """Both came to their ends by themselves, with the same trees and answers."""
    for left, right in zip(plain.solutions, speculating.solutions, strict=True):
        assert (left.partial, right.partial) == (None, None)
        difference = first_difference(left.tree, right.tree)
        assert difference is None, f"{left.problem.id}, plain against speculating: {difference}"
        assert (left.answer, left.terminals) == (right.answer, right.terminals)
