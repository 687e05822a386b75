"""What all tests of this folder have in common: nobody waits between two attempts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import stamina


@pytest.fixture
def at_once() -> Iterator[None]:
    """Two attempts at everything, without a pause between them."""
    with stamina.set_testing(True, attempts=2, cap=True):
        yield
