"""Makes the golden trees: every search's formula restated in exact arithmetic, sharing no code with the searches.

A case in which floats might come to another tree is refused. To write the files:

    python -m tests.golden.make
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spex.ids import NodeId, node_key
from tests.golden.mcts import Statistic
from tests.golden.runs import STRANDS
from tests.golden.world import Record, World

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Case:
    """One golden tree: a search with its settings, as they are typed, on a world."""

    search: str
    settings: dict[str, str]
    world: World

    def strands(self) -> tuple[list[Record], dict[NodeId, Statistic]]:
        return STRANDS[self.search](self.world, self.settings)


ORDINARY = World(1)
TIES = World(2, levels=3)
EQUAL = World(3, levels=1)
EARLY = World(4, terminal_from=1, terminal=60)
ALL_END = World(5, terminal_from=1, terminal=100)
GAPS = World(6, barren=30)
NO_CHILDREN = World(7, barren=100)
EXTREMES = World(8, levels=2, terminal=15)
NO_END = World(9, terminal=0)
IN_VAIN = World(22, barren=55, terminal=10)
MIXED = World(13, terminal_from=1, terminal=25)

CASES = {
    "best_of_n_w5_ordinary": Case("best-of-n", {"width": "5"}, ORDINARY),
    "best_of_n_w4_gaps": Case("best-of-n", {"width": "4"}, GAPS),
    "self_consistency_w5_ordinary": Case("self-consistency", {"width": "5"}, ORDINARY),
    "self_consistency_w3_no_children": Case("self-consistency", {"width": "3"}, NO_CHILDREN),
    "rebase_w4_ordinary": Case("rebase", {"width": "4"}, ORDINARY),
    "rebase_w7_ties": Case("rebase", {"width": "7"}, TIES),
    "rebase_w6_all_equal": Case("rebase", {"width": "6"}, EQUAL),
    "rebase_w8_early_terminals": Case("rebase", {"width": "8"}, EARLY),
    "rebase_w3_all_end_at_once": Case("rebase", {"width": "3"}, ALL_END),
    "rebase_w6_gaps": Case("rebase", {"width": "6"}, GAPS),
    "rebase_w3_no_children": Case("rebase", {"width": "3"}, NO_CHILDREN),
    "rebase_w5_zeros_and_ones_hot": Case("rebase", {"width": "5", "temperature": "2"}, EXTREMES),
    "rebase_w5_cold": Case("rebase", {"width": "5", "temperature": "0.05"}, ORDINARY),
    "rebase_w5_tokens_exhausted": Case("rebase", {"width": "5", "tokens_max": "60"}, NO_END),
    "rebase_w4_depth_3": Case("rebase", {"width": "4", "depth_max": "3"}, NO_END),
    "ets_w6_ordinary": Case("ets", {"width": "6"}, ORDINARY),
    "ets_w8_ties": Case("ets", {"width": "8", "depth_max": "6"}, TIES),
    "ets_w6_all_equal": Case("ets", {"width": "6"}, EQUAL),
    "ets_w8_early_terminals": Case("ets", {"width": "8"}, EARLY),
    "ets_w3_all_end_at_once": Case("ets", {"width": "3"}, ALL_END),
    "ets_w8_gaps": Case("ets", {"width": "8", "diversity": "0.6"}, GAPS),
    "ets_w4_no_children": Case("ets", {"width": "4"}, NO_CHILDREN),
    "ets_w8_costly": Case("ets", {"width": "8", "cost": "1.7", "diversity": "0.2", "depth_max": "6"}, NO_END),
    "ets_w7_extremes_hot": Case("ets", {"width": "7", "temperature": "2", "diversity": "0.5"}, EXTREMES),
    "ets_w8_tokens_exhausted": Case("ets", {"width": "8", "diversity": "0.25", "tokens_max": "80"}, NO_END),
    "ets_w1_ordinary": Case("ets", {"width": "1"}, ORDINARY),
    "beam_w6_m2_ordinary": Case("beam", {"width": "6", "children": "2", "depth_max": "5"}, ORDINARY),
    "beam_w6_m3_ties": Case("beam", {"width": "6", "children": "3", "depth_max": "5"}, TIES),
    "beam_w6_m2_all_equal": Case("beam", {"width": "6", "children": "2", "depth_max": "4"}, EQUAL),
    "beam_w6_m3_early_terminals": Case("beam", {"width": "6", "children": "3", "depth_max": "5"}, EARLY),
    "beam_w3_m3_all_end_at_once": Case("beam", {"width": "3", "children": "3", "depth_max": "5"}, ALL_END),
    "beam_w4_m2_gaps": Case("beam", {"width": "4", "children": "2", "depth_max": "6"}, GAPS),
    "beam_w3_m1_no_end": Case("beam", {"width": "3", "children": "1", "depth_max": "3"}, NO_END),
    "beam_w6_m2_lookahead_2": Case(
        "beam", {"width": "6", "children": "2", "depth_max": "5", "lookahead": "2"}, ORDINARY
    ),
    "beam_w6_m3_lookahead_gaps": Case(
        "beam", {"width": "6", "children": "3", "depth_max": "4", "lookahead": "1"}, GAPS
    ),
    "beam_w6_m3_dedup": Case("beam", {"width": "6", "children": "3", "depth_max": "4", "dedup": "true"}, ORDINARY),
    "beam_w4_m2_depth_1": Case("beam", {"width": "4", "children": "2", "depth_max": "1"}, ORDINARY),
    "dvts_w6_m2_ordinary": Case("dvts", {"width": "6", "children": "2", "depth_max": "5"}, ORDINARY),
    "dvts_w6_m3_ties": Case("dvts", {"width": "6", "children": "3", "depth_max": "5"}, TIES),
    "dvts_w4_m2_early_terminals": Case("dvts", {"width": "4", "children": "2", "depth_max": "5"}, EARLY),
    "dvts_w4_m2_gaps": Case("dvts", {"width": "4", "children": "2", "depth_max": "5"}, GAPS),
    "dvts_w4_m2_no_end": Case("dvts", {"width": "4", "children": "2", "depth_max": "3"}, NO_END),
    "best_first_k3_ordinary": Case("best-first", {"children": "3"}, ORDINARY),
    "best_first_k2_ties": Case("best-first", {"children": "2"}, TIES),
    "best_first_k2_all_equal": Case("best-first", {"children": "2"}, EQUAL),
    "best_first_k3_all_end_at_once": Case("best-first", {"children": "3"}, ALL_END),
    "best_first_k3_gaps": Case("best-first", {"children": "3"}, GAPS),
    "best_first_k2_no_children": Case("best-first", {"children": "2"}, NO_CHILDREN),
    "best_first_k3_depth_cost": Case("best-first", {"children": "3", "depth_cost": "0.101"}, ORDINARY),
    "best_first_k3_token_cost": Case(
        "best-first", {"children": "3", "token_cost": "0.00503", "nodes_max": "30"}, NO_END
    ),
    "best_first_k4_nodes_17": Case("best-first", {"children": "4", "nodes_max": "17"}, NO_END),
    "best_first_k2_tokens_200": Case("best-first", {"children": "2", "tokens_max": "200"}, NO_END),
    "best_first_k2_depth_2": Case("best-first", {"children": "2", "depth_max": "2"}, NO_END),
    "tot_bfs_k3_b2_ordinary": Case("tot-bfs", {"children": "3", "keep": "2"}, ORDINARY),
    "tot_bfs_k3_b2_ties": Case("tot-bfs", {"children": "3", "keep": "2"}, TIES),
    "tot_bfs_k2_b3_all_equal": Case("tot-bfs", {"children": "2", "keep": "3"}, EQUAL),
    "tot_bfs_k3_b3_gaps": Case("tot-bfs", {"children": "3", "keep": "3"}, GAPS),
    "tot_bfs_k2_b2_no_children": Case("tot-bfs", {"children": "2", "keep": "2"}, NO_CHILDREN),
    "tot_bfs_k3_b2_early": Case("tot-bfs", {"children": "3", "keep": "2"}, EARLY),
    "tot_bfs_k2_b2_depth_3": Case("tot-bfs", {"children": "2", "keep": "2", "depth_max": "3"}, NO_END),
    "tot_bfs_k3_b2_votes": Case("tot-bfs", {"children": "3", "keep": "2", "evaluate": "vote"}, MIXED),
    "tot_dfs_k3_ordinary": Case("tot-dfs", {"children": "3"}, ORDINARY),
    "tot_dfs_k3_ties_many_answers": Case("tot-dfs", {"children": "3", "answers": "5"}, TIES),
    "tot_dfs_k2_all_equal": Case("tot-dfs", {"children": "2", "answers": "3"}, EQUAL),
    "tot_dfs_k3_gaps": Case("tot-dfs", {"children": "3", "answers": "4"}, GAPS),
    "tot_dfs_k2_no_children": Case("tot-dfs", {"children": "2"}, NO_CHILDREN),
    "tot_dfs_k3_early": Case("tot-dfs", {"children": "3", "answers": "6", "threshold": "0"}, MIXED),
    "tot_dfs_k3_zeros_and_ones": Case("tot-dfs", {"children": "3", "threshold": "0.5", "answers": "9"}, EXTREMES),
    "tot_dfs_k2_visits_7": Case("tot-dfs", {"children": "2", "visits": "7", "depth_max": "3"}, NO_END),
    "tot_dfs_k3_backtracks": Case("tot-dfs", {"children": "3", "threshold": "0.75", "depth_max": "4"}, NO_END),
    "mcts_i12_k3_ordinary": Case("mcts", {"iterations": "12", "children": "3"}, ORDINARY),
    "mcts_i12_k2_ties": Case("mcts", {"iterations": "12", "children": "2"}, TIES),
    "mcts_i10_k2_all_equal": Case("mcts", {"iterations": "10", "children": "2"}, EQUAL),
    "mcts_i14_k3_early_terminals": Case("mcts", {"iterations": "14", "children": "3", "c": "0.3"}, MIXED),
    "mcts_i9_k3_all_end_at_once": Case("mcts", {"iterations": "9", "children": "3"}, ALL_END),
    "mcts_i14_k3_gaps": Case("mcts", {"iterations": "14", "children": "3"}, World(12, barren=30)),
    "mcts_i16_k2_leaves_in_vain": Case("mcts", {"iterations": "16", "children": "2", "c": "0.4"}, IN_VAIN),
    "mcts_i5_k2_no_children": Case("mcts", {"iterations": "5", "children": "2"}, NO_CHILDREN),
    "mcts_i12_k2_greedy": Case("mcts", {"iterations": "12", "children": "2", "c": "0"}, EXTREMES),
    "mcts_i12_k3_first": Case("mcts", {"iterations": "12", "children": "3", "unvisited": "first"}, ORDINARY),
    "mcts_i14_k3_first_early": Case("mcts", {"iterations": "14", "children": "3", "unvisited": "first"}, MIXED),
    "mcts_i30_k4_nodes_10": Case("mcts", {"iterations": "30", "children": "4", "nodes_max": "10"}, NO_END),
    "mcts_i12_k3_puct": Case("mcts", {"iterations": "12", "children": "3", "select": "puct"}, ORDINARY),
    "mcts_i12_k3_puct_greedy": Case(
        "mcts", {"iterations": "12", "children": "3", "select": "puct", "c": "0.2", "unvisited": "first"}, MIXED
    ),
    "mcts_i9_k2_rollout": Case("mcts", {"iterations": "9", "children": "2", "rollout": "true"}, ORDINARY),
    "mcts_i9_k3_rollout_gaps": Case("mcts", {"iterations": "9", "children": "3", "rollout": "true"}, GAPS),
    "mcts_i12_k2_linear": Case("mcts", {"iterations": "12", "children": "2", "schedule": "linear"}, NO_END),
    "mcts_i12_k2_exponential": Case(
        "mcts", {"iterations": "12", "children": "2", "schedule": "exponential", "c": "2", "c_last": "0.05"}, NO_END
    ),
    "mcts_i20_k4_widening": Case("mcts", {"iterations": "20", "children": "4", "widening": "0.45"}, ORDINARY),
    "mcts_i20_k3_widening_gaps": Case("mcts", {"iterations": "20", "children": "3", "widening": "0.6"}, IN_VAIN),
    "mcts_i20_k3_widening_first": Case(
        "mcts", {"iterations": "20", "children": "3", "widening": "0.7", "unvisited": "first", "rollout": "true"}, MIXED
    ),
    "virtual_loss_i12_k2_w3_ordinary": Case(
        "virtual-loss", {"iterations": "12", "children": "2", "workers": "3"}, ORDINARY
    ),
    "virtual_loss_i14_k3_w4_gaps": Case("virtual-loss", {"iterations": "14", "children": "3", "workers": "4"}, GAPS),
    "virtual_loss_i9_k2_w2_ends": Case("virtual-loss", {"iterations": "9", "children": "2", "workers": "2"}, ALL_END),
    "virtual_loss_i16_k2_w3_half": Case(
        "virtual-loss", {"iterations": "16", "children": "2", "workers": "3", "loss": "0.5", "c": "0.3"}, MIXED
    ),
    "virtual_loss_i9_k3_w1_no_end": Case("virtual-loss", {"iterations": "9", "children": "3", "workers": "1"}, NO_END),
    "virtual_loss_i9_k2_w2_no_children": Case(
        "virtual-loss", {"iterations": "9", "children": "2", "workers": "2"}, NO_CHILDREN
    ),
    "wu_uct_i12_k2_w3_ordinary": Case("wu-uct", {"iterations": "12", "children": "2", "workers": "3"}, ORDINARY),
    "wu_uct_i14_k3_w4_gaps": Case("wu-uct", {"iterations": "14", "children": "3", "workers": "4"}, GAPS),
    "wu_uct_i16_k2_w3_mixed": Case("wu-uct", {"iterations": "16", "children": "2", "workers": "3", "c": "0.3"}, MIXED),
    "wu_uct_i20_k2_w4_nodes_9": Case(
        "wu-uct", {"iterations": "20", "children": "2", "workers": "4", "nodes_max": "9"}, NO_END
    ),
    "rest_mcts_i10_k3_ordinary": Case("rest-mcts", {"iterations": "10"}, ORDINARY),
    "rest_mcts_i12_k2_greedy_rollouts": Case(
        "rest-mcts", {"iterations": "12", "children": "2", "rollout_children": "2", "rollout_steps": "3"}, NO_END
    ),
    "rest_mcts_i12_k3_gaps": Case("rest-mcts", {"iterations": "12", "answers": "9"}, GAPS),
    "rest_mcts_i12_k3_early": Case("rest-mcts", {"iterations": "12", "answers": "4"}, MIXED),
    "rest_mcts_i9_k3_all_end": Case("rest-mcts", {"iterations": "9", "answers": "9"}, ALL_END),
    "rest_mcts_i5_k3_no_children": Case("rest-mcts", {"iterations": "5"}, NO_CHILDREN),
    "rest_mcts_i12_k2_no_rollout": Case(
        "rest-mcts", {"iterations": "12", "children": "2", "rollout_steps": "0", "depth_max": "3"}, NO_END
    ),
    "rest_mcts_i8_k2_alpha_1": Case("rest-mcts", {"iterations": "8", "children": "2", "alpha": "1", "c": "0"}, IN_VAIN),
    "mcts_i16_k2_depth_2": Case("mcts", {"iterations": "16", "children": "2", "depth_max": "2"}, NO_END),
    "ab_mcts_i20_ordinary": Case("ab-mcts", {"iterations": "20"}, ORDINARY),
    "ab_mcts_i16_ties": Case("ab-mcts", {"iterations": "16"}, TIES),
    "ab_mcts_i16_all_equal": Case("ab-mcts", {"iterations": "16"}, EQUAL),
    "ab_mcts_i20_early_terminals": Case("ab-mcts", {"iterations": "20"}, MIXED),
    "ab_mcts_i8_all_end_at_once": Case("ab-mcts", {"iterations": "8"}, ALL_END),
    "ab_mcts_i20_gaps": Case("ab-mcts", {"iterations": "20"}, GAPS),
    "ab_mcts_i6_no_children": Case("ab-mcts", {"iterations": "6"}, NO_CHILDREN),
    "ab_mcts_i40_no_end": Case("ab-mcts", {"iterations": "40"}, NO_END),
    "ab_mcts_i16_depth_2": Case("ab-mcts", {"iterations": "16", "depth_max": "2"}, NO_END),
    "ab_mcts_i20_beta_ordinary": Case("ab-mcts", {"iterations": "20", "posterior": "beta"}, ORDINARY),
    "ab_mcts_i20_beta_zeros_and_ones": Case("ab-mcts", {"iterations": "20", "posterior": "beta"}, EXTREMES),
    "ab_mcts_i20_beta_gaps": Case("ab-mcts", {"iterations": "20", "posterior": "beta"}, GAPS),
    "ab_mcts_i24_beta_early_terminals": Case("ab-mcts", {"iterations": "24", "posterior": "beta"}, MIXED),
    "rstar_i8_k2_v3_ordinary": Case("rstar", {"iterations": "8", "children": "2", "votes": "3"}, ORDINARY),
    "rstar_i14_k1_v4_greedy": Case("rstar", {"iterations": "14", "children": "1", "votes": "4", "c": "0"}, TIES),
    "rstar_i12_k1_v5_gaps": Case("rstar", {"iterations": "12", "children": "1", "votes": "5"}, GAPS),
    "rstar_i16_k1_v3_early": Case("rstar", {"iterations": "16", "children": "1", "votes": "3", "c": "0.3"}, MIXED),
    "rstar_i9_k2_v3_all_end": Case("rstar", {"iterations": "9", "children": "2", "votes": "3"}, ALL_END),
    "rstar_i6_k2_v3_no_children": Case("rstar", {"iterations": "6", "children": "2", "votes": "3"}, NO_CHILDREN),
    "rstar_i20_k1_v2_depth_2": Case(
        "rstar", {"iterations": "20", "children": "1", "votes": "2", "depth_max": "2"}, NO_END
    ),
    "rstar_i5_k2_v6_depth_1": Case(
        "rstar", {"iterations": "5", "children": "2", "votes": "6", "depth_max": "1"}, ORDINARY
    ),
    "rstar_i10_k2_reward": Case("rstar", {"iterations": "10", "children": "2", "confidence": "reward"}, ORDINARY),
    "rstar_i20_k1_reward_gaps": Case(
        "rstar", {"iterations": "20", "children": "1", "c": "0.5", "confidence": "reward"}, World(26, barren=30)
    ),
    "rstar_i16_k1_reward_ties": Case(
        "rstar", {"iterations": "16", "children": "1", "depth_max": "3", "confidence": "reward"}, TIES
    ),
}


def document(case: Case) -> dict[str, Any]:
    records, statistics = case.strands()
    nodes = {name: node for record in records for name, node in record.nodes.items()}
    made = {
        "search": case.search,
        "settings": case.settings,
        "nodes": {name: {**node._asdict(), "reward": str(node.reward)} for name, node in nodes.items()},
        "barren": [call for record in records for call in record.barren],
        "strands": [{"decisions": record.decisions, "stop": record.stop} for record in records],
    }
    meanings = {name: str(meaning) for record in records for name, meaning in record.meanings.items()}
    if meanings:
        made["meanings"] = meanings
    if statistics:
        made["statistics"] = {
            node_key(node): {"visits": found.visits, "total": str(found.total)} for node, found in statistics.items()
        }
    return made


def files() -> Iterator[tuple[Path, str]]:
    """Every golden file with what it should hold."""
    for name, case in CASES.items():
        yield FOLDER / f"{name}.json", json.dumps(document(case), indent=1) + "\n"


if __name__ == "__main__":
    for path, text in files():
        path.write_text(text, encoding="utf-8")
