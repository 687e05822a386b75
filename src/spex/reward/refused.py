"""What an engine refuses as a policy's, refused as a reward's: an engine takes itself for a policy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from spex.errors import InputError


@contextmanager
def of_a_reward() -> Iterator[None]:
    """An `InputError` that comes out names the reward where it named the policy."""
    try:
        yield
    except InputError as error:
        raise InputError("reward" if error.field == "policy" else error.field, error.value, error.allowed) from error
