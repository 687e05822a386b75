"""What a rule must not read: the clock, and chance that is not `spex.seeds.draw`."""

from __future__ import annotations

import gc
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from types import FrameType, ModuleType
from typing import Any

_MODULES = ("time", "_uuid")
_NAMES = ("urandom", "getrandom")
_DATES = ("now", "utcnow", "today")
_PLAIN = frozenset({tuple, list, dict, set, frozenset, str, int, float, range, type(None)})


@contextmanager
def watched(*, shared_too: bool = True) -> Iterator[list[str]]:
    """Collects the names of the clocks and sources of chance that are read in this thread meanwhile.

    `shared_too`: the generators that whole programs share among them.

    Calls are watched rather than names replaced, so that `from time import time` is seen as well.
    """
    read: list[str] = []

    def note(frame: FrameType, event: str, called: object) -> None:
        del frame
        if event == "c_call":
            owner = getattr(called, "__self__", None)
            if type(owner) not in _PLAIN and (_is_outside(called, owner) or (shared_too and _is_shared(owner))):
                read.append(f"{_place(owner)}.{getattr(called, '__name__', '')}")

    before, collecting = sys.getprofile(), gc.isenabled()
    # The garbage collector calls back whoever asked for it (Hypothesis reads a clock there), in the rule's midst.
    gc.disable()
    sys.setprofile(note)
    try:
        yield read
    finally:
        sys.setprofile(before)
        if collecting:
            gc.enable()


def _is_outside(called: object, owner: object) -> bool:
    """Whether the built-in `called`, of the module, class or object `owner`, is a source of time or chance."""
    name = getattr(called, "__name__", "")
    if isinstance(owner, ModuleType):
        return owner.__name__ in _MODULES or name in _NAMES
    if isinstance(owner, type):
        return name in _DATES and issubclass(owner, date)
    return isinstance(owner, random.SystemRandom)


def shared_state() -> list[object]:
    """Where the shared generators stand."""
    return [_state_of(generator) for generator in _global_chance()]


def stir() -> None:
    """Let the shared generators go on, so that what hangs on where they stand differs."""
    for generator in _global_chance():
        generator.random()


def _state_of(generator: Any) -> object:
    if isinstance(generator, random.Random):
        return generator.getstate()
    return [part.tobytes() if hasattr(part, "tobytes") else part for part in generator.get_state()]


def _is_shared(owner: object) -> bool:
    return any(owner is chance for chance in _global_chance())


def _global_chance() -> list[Any]:
    """The generators that whole programs share: Python's, and NumPy's where it is loaded."""
    numpy_random = sys.modules.get("numpy.random.mtrand")
    shared = [getattr(random.random, "__self__", None), getattr(numpy_random, "_rand", None)]
    return [generator for generator in shared if generator is not None]


def _place(owner: object) -> str:
    return owner.__name__ if isinstance(owner, ModuleType | type) else type(owner).__module__
