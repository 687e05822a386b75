"""Tools for tests: a conformance suite for searches, synthetic worlds, a driver without a controller, unequal trees."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spex.testing.conformance import check_search
    from spex.testing.difference import Difference, first_difference
    from spex.testing.trial import FIRST_COME, LAST_COME, Order, Run, run_alone, shuffled
    from spex.testing.world import SHAPES, Shape, SyntheticWorld, World

__all__ = [
    "FIRST_COME",
    "LAST_COME",
    "SHAPES",
    "Difference",
    "Order",
    "Run",
    "Shape",
    "SyntheticWorld",
    "World",
    "check_search",
    "first_difference",
    "run_alone",
    "shuffled",
]

_PLACES = {
    "spex.testing.conformance": ("check_search",),
    "spex.testing.difference": ("Difference", "first_difference"),
    "spex.testing.trial": ("FIRST_COME", "LAST_COME", "Order", "Run", "run_alone", "shuffled"),
    "spex.testing.world": ("SHAPES", "Shape", "SyntheticWorld", "World"),
}


def __getattr__(name: str) -> object:
    # Every pytest run imports this package for its plug-in; it should not load the suite as well.
    for module, names in _PLACES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
