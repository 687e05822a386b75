"""What a task reads is looked at before anything is built on it."""

from __future__ import annotations

import pytest

from spex.errors import SearchError
from spex.tasks.checked import checked_steps
from spex.tree import Step


def test_a_state_must_have_a_hash_because_equal_states_are_found_by_it() -> None:
    assert checked_steps((Step("a", (1,), state=(1, 2)),), "counting")
    with pytest.raises(SearchError, match=r"task counting: read made a step whose state has no hash: \[1, 2\]"):
        checked_steps((Step("a", (1,), state=[1, 2]),), "counting")  # type: ignore[arg-type]
