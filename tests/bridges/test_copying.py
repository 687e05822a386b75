"""A copy is as its original, shares nothing with it that can change, and goes on alone."""

from __future__ import annotations

import copy
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spex.bridges.copying import copied
from tests.builders import node


@dataclass
class Twig:
    """As a library's node: it knows its parent, and that knows it."""

    name: str
    parent: Twig | None = None
    kids: list[Twig] = field(default_factory=list)


@dataclass(frozen=True)
class Ticket:
    number: int
    path: tuple[Any, ...] = ()


class Slotted:
    __slots__ = ("values",)

    def __init__(self) -> None:
        self.values = [1]


class Tame(list[int]):
    """A list with an attribute."""


def test_a_tree_whose_nodes_know_their_parents_is_copied_whole() -> None:
    root = Twig("root")
    root.kids.append(Twig("kid", root))
    made = copied(root)
    assert made is not root
    assert made.kids[0] is not root.kids[0]
    assert made.kids[0].parent is made
    made.kids[0].kids.append(Twig("grandchild", made.kids[0]))
    assert root.kids[0].kids == []


def test_what_is_met_twice_is_copied_once() -> None:
    shared = [1]
    made = copied({"one": shared, "two": [shared, shared]})
    assert made["one"] is made["two"][0] is made["two"][1]
    assert made["one"] is not shared


def test_what_cannot_change_is_shared() -> None:
    path, ticket = node(1, 2), Ticket(3)
    made = copied([path, ticket, test_what_cannot_change_is_shared, (1, "a")])
    assert made[0] is path
    assert made[1] is ticket
    assert made[2] is test_what_cannot_change_is_shared


def test_a_tuple_with_something_changeable_is_copied() -> None:
    inside = [1]
    made = copied((inside, 2))
    made[0].append(2)
    assert (inside, made) == ([1], ([1, 2], 2))


def test_a_dict_with_defaults_keeps_them() -> None:
    original: defaultdict[str, list[int]] = defaultdict(list, {"a": [1]})
    made = copied(original)
    made["a"].append(2)
    assert made["new"] == []
    assert original == {"a": [1]}


@pytest.mark.parametrize("original", [Slotted(), Tame([1]), np.array([1.0, 2.0]), {1, 2}, bytearray(b"a")])
def test_anything_else_is_copied_as_the_standard_library_does_it(original: Any) -> None:
    made = copied([original])[0]
    assert made is not original
    assert type(made) is type(original)
    for name in ("values", "__len__"):
        if hasattr(original, name):
            assert repr(made).partition(" at ")[0] == repr(original).partition(" at ")[0]


VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=3) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_it_is_what_a_deep_copy_is(value: Any) -> None:
    assert copied(value) == copy.deepcopy(value) == value


@given(st.lists(VALUES, min_size=1))
def test_a_change_of_the_copy_does_not_reach_the_original(values: list[Any]) -> None:
    before = copy.deepcopy(values)
    made = copied(values)
    for part in [made, *made]:
        if isinstance(part, list):
            part.append("new")
        elif isinstance(part, dict):
            part["new"] = 1
    assert values == before
