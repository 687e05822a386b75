"""Every search of the catalogue, small enough for many runs. A new one joins by its line; without it, tests fail.

Where searches share a parameter they have the same value, so that their rules alone make them differ.
"""

from __future__ import annotations

from collections.abc import Mapping

from spex.search.base import AnySearch
from spex.search.catalog import SEARCHES, build_search

NAMES = tuple(sorted(SEARCHES.own))

SMALL: Mapping[str, Mapping[str, str]] = {
    "ab-mcts": {"iterations": "14", "depth_max": "5"},
    "beam": {"width": "6", "children": "3", "depth_max": "5"},
    "best-first": {"children": "3", "nodes_max": "24", "depth_max": "5"},
    "best-of-n": {"width": "6"},
    "dvts": {"width": "6", "children": "3", "depth_max": "5"},
    # No two steps of these worlds mean the same: worth as much as by default, meanings would keep every leaf.
    "ets": {"width": "6", "cost": "2", "diversity": "0.3", "tokens_max": "150", "depth_max": "5"},
    "mcts": {"iterations": "8", "children": "3", "depth_max": "5"},
    "rebase": {"width": "6", "tokens_max": "150", "depth_max": "5"},
    "rest-mcts": {"iterations": "8", "children": "3", "depth_max": "5"},
    "rstar": {"iterations": "6", "children": "2", "votes": "3"},
    "self-consistency": {"width": "6"},
    "tot-bfs": {"children": "3", "keep": "2", "depth_max": "5"},
    "tot-dfs": {"children": "3", "visits": "12", "answers": "3", "depth_max": "5"},
    "virtual-loss": {"iterations": "8", "children": "3", "workers": "3", "depth_max": "5"},
    "wu-uct": {"iterations": "8", "children": "3", "workers": "3", "depth_max": "5"},
}


def small(name: str) -> AnySearch:
    """The search called `name` with its small parameters."""
    return build_search(name, SMALL[name])
