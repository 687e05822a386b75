"""Searches are found by name and built from text; every mistake is told by the key that was typed."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from types import SimpleNamespace
from typing import Literal

import pytest

from spex.errors import InputError
from spex.search.ab_mcts import AbMcts
from spex.search.base import Demand, Outlook, Stop
from spex.search.beam import Beam
from spex.search.best_first import BestFirst
from spex.search.best_of_n import BestOfN
from spex.search.catalog import allowed_for, answer_rule_of, build_search, find_search, search_names
from spex.search.dvts import Dvts
from spex.search.ets import Ets
from spex.search.mcts import Mcts
from spex.search.rebase import Rebase
from spex.search.rest_mcts import RestMcts
from spex.search.rstar import RStar
from spex.search.self_consistency import SelfConsistency
from spex.search.tot_bfs import TotBfs
from spex.search.tot_dfs import TotDfs
from spex.search.virtual_loss import VirtualLoss
from spex.search.wu_uct import WuUct
from spex.tree import TreeView

OURS = {
    "ab-mcts": AbMcts,
    "beam": Beam,
    "best-first": BestFirst,
    "best-of-n": BestOfN,
    "dvts": Dvts,
    "ets": Ets,
    "mcts": Mcts,
    "rebase": Rebase,
    "rest-mcts": RestMcts,
    "rstar": RStar,
    "self-consistency": SelfConsistency,
    "tot-bfs": TotBfs,
    "tot-dfs": TotDfs,
    "virtual-loss": VirtualLoss,
    "wu-uct": WuUct,
}


@dataclass(frozen=True)
class Plugged:
    """A plug-in's search, with a parameter of every kind that can be typed."""

    size: int
    pace: Literal["slow", "fast"] = "slow"
    loud: bool = False
    limit: int | None = 5
    label: str = "none"
    parts: tuple[int, ...] = ()
    either: int | str = 1

    def start(self, seed: int) -> int:
        return 0

    def advance(self, state: int, tree: TreeView) -> tuple[int, Demand | Stop]:
        return state, Stop(())

    def outlook(self, state: int, tree: TreeView) -> Outlook:
        return Outlook(0)


@dataclass(frozen=True)
class Lenient(Plugged):
    """A search that checks nothing."""

    size: int = 1


def plain() -> Plugged:
    """A factory that is no class."""
    return Plugged(3)


def thing() -> object:
    return SimpleNamespace()


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Entry points of plug-ins: a search, a function, what is no search, a broken one, one that takes our name."""
    places = {
        "plugged": f"{__name__}:Plugged",
        "lenient": f"{__name__}:Lenient",
        "plain": f"{__name__}:plain",
        "thing": f"{__name__}:thing",
        "broken": "spex.search.nowhere:Missing",
        "rebase": f"{__name__}:Plugged",
    }
    entries = [EntryPoint(name, place, "spex.searches") for name, place in places.items()]
    monkeypatch.setattr("spex.catalog.entry_points", lambda group: entries if group == "spex.searches" else [])


@pytest.mark.parametrize("name", OURS)
def test_every_search_of_ours_is_found_and_built_with_its_defaults(name: str) -> None:
    assert find_search(name) is OURS[name]
    assert build_search(name, {}) == OURS[name]()
    assert name in search_names()


def test_only_the_named_search_is_imported() -> None:
    script = (
        "import sys; from spex.search.catalog import build_search; build_search('rebase', {'width': '4'});"
        "print([name for name in sys.modules if name.startswith('spex.search.') and 'mcts' in name])"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_an_unknown_search_is_told_the_nearest_name_and_the_list() -> None:
    with pytest.raises(
        InputError, match=r"search: 'rebas' is not valid; did you mean rebase\? .*beam, best-first"
    ) as caught:
        build_search("rebas", {})
    assert caught.value.exit_code == 2


def test_settings_are_read_by_the_types_of_the_fields() -> None:
    assert build_search("rebase", {"width": "64", "temperature": "0.5"}) == Rebase(width=64, temperature=0.5)
    assert build_search("mcts", {"c": "2", "unvisited": "first"}) == Mcts(c=2.0, unvisited="first")


@pytest.mark.parametrize("key", ["iterations", "rollouts", "num_simulations"])
def test_iterations_of_an_mcts_have_three_names(key: str) -> None:
    assert build_search("mcts", {key: "7"}) == Mcts(iterations=7)
    with pytest.raises(InputError, match=f"^{key}: 0 is not valid; it must be a whole number from 1 to 65536"):
        build_search("mcts", {key: "0"})


def test_one_parameter_under_two_names_is_refused() -> None:
    with pytest.raises(InputError, match="rollouts: '8' is not valid; iterations is set as well"):
        build_search("mcts", {"iterations": "7", "rollouts": "8"})


@pytest.mark.parametrize(
    ("name", "key", "text", "message"),
    [
        ("rebase", "width", "8x", "width: '8x' is not valid; it must be a whole number from 1 to 65536"),
        ("rebase", "width", "1e3", "a whole number from 1 to 65536"),
        ("rebase", "width", "", "a whole number from 1 to 65536"),
        ("rebase", "width", "1_000", "a whole number from 1 to 65536"),
        ("rebase", "width", "9" * 5000, "a whole number from 1 to 65536"),
        ("rebase", "width", "0", "width: 0 is not valid"),
        ("rebase", "temperature", "warm", "temperature: 'warm' is not valid; it must be a number from 0.002 to 1000"),
        ("rebase", "temperature", "nan", "temperature: nan is not valid"),
        ("beam", "children", "3", r"it must divide the width \(16\) without remainder"),
        ("mcts", "unvisited", "last", "unvisited: 'last' is not valid; it must be one of scored, first"),
        ("rebase", "widht", "8", r"set: 'widht' is not valid; did you mean width\? known keys: width, temperature"),
        ("beam", "q", "8", "set: 'q' is not valid; known keys: width, children, depth_max"),
        ("plugged", "pace", "medium", "pace: 'medium' is not valid; it must be one of slow, fast"),
        ("plugged", "loud", "loudly", "loud: 'loudly' is not valid; it must be true or false"),
        ("plugged", "limit", "many", "limit: 'many' is not valid; it must be a whole number"),
        ("plugged", "parts", "1,2", "parts: '1,2' is not valid; .* cannot be set by text"),
        ("plugged", "either", "1", "either: '1' is not valid; it may be of several types"),
        ("lenient", "size", "tall", "size: 'tall' is not valid; it must be a whole number"),
        ("plugged", "loud", "true", "^size: it must be set: plugged needs it$"),
        ("plain", "size", "1", "set: 'size' is not valid; this search has no parameters"),
    ],
)
@pytest.mark.usefixtures("plugins")
def test_a_bad_setting_is_named_with_what_is_allowed(name: str, key: str, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        build_search(name, {key: text})


@pytest.mark.usefixtures("plugins")
def test_a_plugin_is_built_by_its_entry_point() -> None:
    settings = {"size": "-3", "pace": "fast", "loud": "True", "limit": "none", "label": "none"}
    assert build_search("plugged", settings) == Plugged(-3, "fast", loud=True, limit=None, label="none")
    assert build_search("plugged", {"size": "1", "limit": "7"}) == Plugged(1, limit=7)
    assert build_search("plain", {}) == Plugged(3)
    assert {"plugged", "plain", *OURS} <= set(search_names())


@pytest.mark.usefixtures("plugins")
def test_a_plugin_cannot_take_a_name_of_ours() -> None:
    assert build_search("rebase", {}) == Rebase()


@pytest.mark.usefixtures("plugins")
def test_a_broken_plugin_is_told_in_one_line() -> None:
    with pytest.raises(InputError, match=r"^search: 'broken' is not valid; .*ModuleNotFoundError.*$"):
        build_search("broken", {})
    with pytest.raises(InputError, match="SimpleNamespace, which is no search"):
        build_search("thing", {})


@pytest.mark.parametrize(
    ("name", "key", "allowed"),
    [
        ("rebase", "width", "a whole number from 1 to 65536"),
        ("mcts", "unvisited", "one of scored, first"),
        ("plugged", "limit", "a whole number, or none"),
        ("plugged", "loud", "true or false"),
        ("plugged", "label", None),
    ],
)
@pytest.mark.usefixtures("plugins")
def test_a_parameter_says_in_words_what_it_may_be(name: str, key: str, allowed: str | None) -> None:
    assert allowed_for(name, key) == allowed


def test_each_search_says_how_its_answers_are_usually_voted_on() -> None:
    rules = {name: answer_rule_of(build_search(name, {})) for name in OURS}
    assert rules == dict.fromkeys(OURS, "weighted") | {
        "ab-mcts": "best",
        "best-first": "best",
        "rstar": "majority",
        "self-consistency": "majority",
        "tot-bfs": "best",
        "tot-dfs": "best",
    }
    assert answer_rule_of(Plugged(1)) == "weighted"
