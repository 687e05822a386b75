"""Names of tasks, rewards and whatever else can be chosen."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint

import pytest

import spex.catalog
from spex.catalog import Catalog
from spex.errors import InputError
from spex.reward.arithmetic import Arithmetic
from spex.reward.catalog import REWARDS
from spex.reward.confidence import Confidence
from spex.tasks.catalog import TASKS
from spex.tasks.game24 import Game24
from spex.tasks.gsm8k import Gsm8k
from spex.tasks.text import Text

SHAPES: Catalog[object] = Catalog("shape", "spex.shapes", {"round": "fractions:Fraction", "square": "no.such:Thing"})


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two installed plug-ins: one works, one takes a name of ours."""
    entries = {
        "spex.shapes": [
            EntryPoint("oval", "decimal:Decimal", "spex.shapes"),
            EntryPoint("round", "decimal:Decimal", "spex.shapes"),
            EntryPoint("broken", "fractions:Nothing", "spex.shapes"),
        ]
    }
    monkeypatch.setattr(spex.catalog, "entry_points", lambda group: entries.get(group, []))


def test_each_task_has_its_name() -> None:
    assert [TASKS.load(name) for name in ("text", "gsm8k", "game24")] == [Text, Gsm8k, Game24]
    assert [TASKS.load(name)().name for name in ("text", "gsm8k", "game24")] == ["text", "gsm8k", "game24"]


def test_each_reward_has_its_name() -> None:
    assert [REWARDS.load(name) for name in ("arithmetic", "confidence")] == [Arithmetic, Confidence]
    assert {"arithmetic", "confidence", "judge"} <= set(REWARDS.names())


@pytest.mark.parametrize("name", ["gsm8", "GSM8K", "gsm-8k"])
def test_an_unknown_name_is_answered_with_the_nearest_one_and_the_list(name: str) -> None:
    with pytest.raises(InputError, match=r"did you mean gsm8k\? it must be one of .*game24, game24-bare, gsm8k, text"):
        TASKS.load(name)


def test_a_name_like_no_other_is_answered_with_the_list_alone() -> None:
    with pytest.raises(InputError, match=r"task: 'zzz' is not valid; it must be one of .*game24"):
        TASKS.load("zzz")


@pytest.mark.usefixtures("plugins")
def test_plugins_add_names_and_cannot_take_ours() -> None:
    assert SHAPES.names() == ("broken", "oval", "round", "square")
    assert SHAPES.load("oval").__name__ == "Decimal"
    assert SHAPES.load("round").__name__ == "Fraction"


@pytest.mark.usefixtures("plugins")
@pytest.mark.parametrize(
    ("name", "why"),
    [("square", "no.such:Thing, which fails: ModuleNotFoundError"), ("broken", "Nothing, which fails: AttributeError")],
)
def test_what_cannot_be_imported_is_told_in_one_line(name: str, why: str) -> None:
    with pytest.raises(InputError) as caught:
        SHAPES.load(name)
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)


def test_nothing_is_imported_before_it_is_named() -> None:
    lazy: Catalog[object] = Catalog("shape", "spex.shapes", {"poll": "this:s"})
    assert lazy.names() == ("poll",)
    assert "this" not in sys.modules
