"""A snapshot is equal for equal contents only, and finds what could be changed in place."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from random import Random

import numpy as np
import pytest
from immutables import Map

from spex.ids import Edge
from spex.testing.snapshot import changeable_part, snapshot

PATH = (Edge("step", 0), Edge("step", 1))


class Plain:
    def __init__(self, value: object) -> None:
        self.value = value


class Slotted:
    __slots__ = ("missing", "value")

    def __init__(self, value: object) -> None:
        self.value = value


class OneSlot:
    __slots__ = "value"  # noqa: PLC0205  # allowed by Python, so it must be understood

    def __init__(self, value: object) -> None:
        self.value = value


@dataclass(frozen=True)
class Frozen:
    value: object


@dataclass
class Open:
    value: object = field(default=0)


PAIRS = [
    (1, 2),
    (1.0, 2.0),
    ("a", "b"),
    (0.0, -0.0),
    ((1, 2), (2, 1)),
    (PATH, PATH[:1]),
    ([1], [2]),
    ((1,), [1]),
    ({"a": 1}, {"a": 2}),
    ({1, 2}, {1, 3}),
    (frozenset({1}), frozenset({2})),
    (Map({1: 2}), Map({1: 3})),
    (Plain(1), Plain(2)),
    (Slotted(1), Slotted(2)),
    (OneSlot(1), OneSlot(2)),
    (Frozen((1, Plain(1))), Frozen((1, Plain(2)))),
    (Random(1), Random(2)),
    (np.int64(1), np.int64(2)),
    (np.array([1, 2]), np.array([1, 3])),
    (array("d", [1.0]), array("d", [2.0])),
    (object(), object()),
]


@pytest.mark.parametrize(("one", "other"), PAIRS, ids=lambda value: type(value).__name__)
def test_what_differs_has_different_snapshots(one: object, other: object) -> None:
    assert snapshot(one) == snapshot(one)
    assert snapshot(one) != snapshot(other)


def test_equal_contents_have_equal_snapshots_whatever_equality_says() -> None:
    assert snapshot(Plain((1.5, Slotted(None)))) == snapshot(Plain((1.5, Slotted(None))))
    assert snapshot(float("nan")) == snapshot(float("nan"))
    assert snapshot(Map({1: Plain(2), 3: 4})) == snapshot(Map({3: 4, 1: Plain(2)}))


def test_a_snapshot_keeps_what_was_though_the_value_changes() -> None:
    value = Plain([1])
    before = snapshot(value)
    value.value = [1, 2]
    assert snapshot(value) != before


def test_a_value_that_contains_itself_has_a_snapshot() -> None:
    value = Plain(None)
    value.value = (value,)
    assert snapshot(value) == snapshot(value)
    assert changeable_part(value) is None


@pytest.mark.parametrize(
    ("value", "part"),
    [
        ((1, "a", 2.0, PATH, Map({1: Frozen((1,))}), frozenset({1}), range(3)), None),
        ([], "the value itself"),
        ((1, {2}), "[1]"),
        (Map({"a": [1]}), "['a']"),
        (Frozen((0, {})), ".value[1]"),
        (Open(), "the value itself"),
        (Plain(bytearray(b"x")), ".value"),
        (Frozen(Random(1)), ".value"),
        (frozenset({Frozen(OneSlot([]))}), None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_first_part_that_could_be_changed_is_named(value: object, part: str | None) -> None:
    found = changeable_part(value)
    if isinstance(value, frozenset):
        assert found is not None
        assert found.endswith(".value.value")
    else:
        assert found == part
