"""The conformance suite passes honest searches and names what each cheat breaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from spex.errors import SearchError
from spex.ids import ROOT, Expand
from spex.search.base import Demand, Outlook, Stop
from spex.search.catalog import build_search
from spex.seeds import draw
from spex.testing import check_search
from spex.tree import TreeView
from tests.testing.cheats import (
    CountingOpenNodes,
    CountingStrangers,
    CountingTwice,
    Crashing,
    DemandingWords,
    Endless,
    InPlace,
    InventingUnknown,
    Keyed,
    KeyedForEver,
    KeyedInName,
    Legless,
    Listed,
    Mumbling,
    OnAbsence,
    OnAbsenceOfAll,
    OnChance,
    OnClock,
    OnDate,
    OnEntropy,
    OnLateArrival,
    OnOrder,
    OnPeeking,
    OnSystemRandom,
    PromisingNonsense,
    PromisingOneTooFew,
    PromisingToKeep,
    PromisingTooLittle,
    PromisingTooLow,
    ReadingWithoutEnd,
    Remembering,
    Rootless,
    Speechless,
    StandingStill,
    Unseeded,
    Unsteady,
    Walker,
    WritingInPlace,
)


def test_mcts_conforms_with_unvisited_children_first_and_a_limit_on_nodes() -> None:
    settings = {"iterations": "8", "children": "3", "depth_max": "4", "unvisited": "first", "nodes_max": "10"}
    check_search(build_search("mcts", settings), seeds=[12])


def test_a_search_that_only_reads_conforms() -> None:
    check_search(Walker(), seeds=[0])


def test_a_search_that_keys_the_shared_generators_and_says_so_conforms() -> None:
    check_search(Keyed(), seeds=[0])


def test_a_search_with_draws_keyed_by_its_seed_conforms() -> None:
    class Seeded(NamedTuple):
        seed: int
        depth: int = 0

    class Drawn:
        def start(self, seed: int) -> Seeded:
            return Seeded(seed)

        def advance(self, state: Seeded, tree: TreeView) -> tuple[Seeded, Demand | Stop]:
            if state.depth == 3:
                return state, Stop(())
            chosen = int(draw(state.seed, 0, state.depth) * 10)
            return Seeded(state.seed, state.depth + 1), Demand((Expand(ROOT, "step", chosen),))

        def outlook(self, state: Seeded, tree: TreeView) -> Outlook:
            return Outlook(0)

    check_search(Drawn(), seeds=[5])


CHEATS: list[tuple[Callable[[], Any], str]] = [
    (OnAbsence, "caught Unknown"),
    (OnAbsenceOfAll, "caught Unknown"),
    (OnOrder, "demands depend on the order of arrival"),
    (OnClock, "time.monotonic"),
    (OnDate, "datetime.now"),
    (OnChance, "chance"),
    (OnEntropy, "urandom"),
    (OnSystemRandom, "chance"),
    (Unsteady, "two results from one state"),
    (Remembering, "or the search itself"),
    (InPlace, "can be changed in place"),
    (Listed, r"changed in place, at \[1\]"),
    (WritingInPlace, "changed the state that it was given"),
    (Endless, "no end after 50 decisions"),
    (StandingStill, "left the state as it was"),
    (ReadingWithoutEnd, "one advance read"),
    (Crashing, "ZeroDivisionError: no samples"),
    (Rootless, "never demanded expand:root>step.7"),
    (InventingUnknown, "made its own"),
    (Mumbling, "returned Demand"),
    (DemandingWords, "no call"),
    (CountingTwice, "twice"),
    (CountingOpenNodes, "step.0, which is not terminal"),
    (CountingStrangers, "never demanded"),
    (Unseeded, "two states from one seed"),
    (KeyedInName, "two results from one state"),
    (KeyedForEver, "did not put back the generators"),
    (PromisingTooLittle, "Outlook"),
    (PromisingOneTooFew, r"Outlook\(answers=0, best=1.0, keeps=False\), and 1 came"),
    (PromisingTooLow, "Outlook"),
    (PromisingToKeep, "its outlook keeps terminals, and"),
    (PromisingNonsense, "outlook gave"),
    (Speechless, "outlook raised LookupError"),
    (OnPeeking, "demands depend on the order of arrival"),
    (OnLateArrival, "decisions depend on the order of arrival"),
    (Legless, "a search has start, advance and outlook, or strands"),
]


@pytest.mark.parametrize(("cheat", "broken"), CHEATS)
def test_a_cheat_is_caught_and_named(cheat: Callable[[], Any], broken: str) -> None:
    with pytest.raises(SearchError, match=broken) as caught:
        check_search(cheat(), seeds=[0, 1], decisions_max=50)
    assert str(caught.value).startswith(f"{cheat.__name__}: ")
