"""The generators that a whole program shares, made a function of a key for a while."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


@contextmanager
def keyed(seed: int) -> Iterator[None]:
    """Within, `random` and `numpy.random` give what follows from `seed` (0 to 2³² − 1); after it, what they would have.

    Another thread that draws from them meanwhile disturbs both.
    """
    plain, arrays = random.getstate(), np.random.get_state()  # noqa: NPY002  # the one that others use
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(plain)
        np.random.set_state(arrays)  # noqa: NPY002
