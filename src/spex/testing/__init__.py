"""Tools for testing searches: a conformance suite, synthetic worlds, a driver without a controller."""

from spex.testing.conformance import check_search
from spex.testing.trial import FIRST_COME, LAST_COME, Order, Run, run_alone, shuffled
from spex.testing.world import SHAPES, Shape, SyntheticWorld, World

__all__ = [
    "FIRST_COME",
    "LAST_COME",
    "SHAPES",
    "Order",
    "Run",
    "Shape",
    "SyntheticWorld",
    "World",
    "check_search",
    "run_alone",
    "shuffled",
]
