"""A restated search run with its settings, as they are typed."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from spex.ids import NodeId
from tests.golden.ets import worthwhile
from tests.golden.levels import beam, best_of_n, dvts_strand, rebase, tot_bfs
from tests.golden.mcts import Mcts, Statistic
from tests.golden.one_by_one import DepthFirst, best_first
from tests.golden.world import Record, World


def run_best_of_n(world: World, settings: dict[str, str]) -> tuple[list[Record], dict[NodeId, Statistic]]:
    record = Record(world)
    best_of_n(record, int(settings["width"]))
    return [record], {}


def run_self_consistency(world: World, settings: dict[str, str]) -> tuple[list[Record], dict[NodeId, Statistic]]:
    record = Record(world)
    best_of_n(record, int(settings["width"]), scored=False)
    return [record], {}


def run_rebase(world: World, settings: dict[str, str]) -> tuple[list[Record], dict[NodeId, Statistic]]:
    record = Record(world)
    temperature = Fraction(settings.get("temperature", "0.2"))
    tokens_max, depth_max = int(settings.get("tokens_max", "2048")), int(settings.get("depth_max", "25"))
    rebase(record, int(settings["width"]), temperature, tokens_max, depth_max)
    return [record], {}


def run_ets(world: World, settings: dict[str, str]) -> tuple[list[Record], dict[NodeId, Statistic]]:
    record = Record(world)
    temperature = Fraction(settings.get("temperature", "0.2"))
    cost, diversity = Fraction(settings.get("cost", "1")), Fraction(settings.get("diversity", "1.5"))

    def keep(nodes: list[NodeId], width: int) -> list[NodeId]:
        return worthwhile(record, nodes, width, temperature, cost, diversity)

    tokens_max, depth_max = int(settings.get("tokens_max", "2048")), int(settings.get("depth_max", "25"))
    rebase(record, int(settings["width"]), temperature, tokens_max, depth_max, keep)
    return [record], {}


def run_beam(world: World, settings: dict[str, str]) -> tuple[list[Record], dict[NodeId, Statistic]]:
    record = Record(world)
    beam(record, int(settings["width"]), int(settings["children"]), int(settings["depth_max"]))
    return [record], {}


def run_dvts(world: World, settings: dict[str, str]) -> tuple[list[Record], dict[NodeId, Statistic]]:
    children = int(settings["children"])
    records = [Record(world) for _ in range(int(settings["width"]) // children)]
    for number, record in enumerate(records):
        dvts_strand(record, number, children, int(settings["depth_max"]))
    return records, {}


def run_mcts(world: World, settings: dict[str, str]) -> tuple[list[Record], dict[NodeId, Statistic]]:
    record = Record(world)
    search = Mcts(
        record,
        iterations=int(settings["iterations"]),
        children=int(settings["children"]),
        c=Fraction(settings.get("c", "1")),
        nodes_max=int(settings.get("nodes_max", "65536")),
        depth_max=int(settings.get("depth_max", "25")),
        first=settings.get("unvisited") == "first",
    )
    search.run()
    # The search itself ends where no leaf can grow, because the rest of its iterations would only add visits.
    exhausted = not any(map(search.can_grow, search.statistics))
    return [record], {} if exhausted else search.statistics


def run_best_first(world: World, settings: dict[str, str]) -> tuple[list[Record], dict[NodeId, Statistic]]:
    record = Record(world)
    best_first(
        record,
        int(settings["children"]),
        Fraction(settings.get("depth_cost", "0")),
        Fraction(settings.get("token_cost", "0")),
        int(settings.get("nodes_max", "128")),
        int(settings.get("tokens_max", "10000000")),
        int(settings.get("depth_max", "25")),
    )
    return [record], {}


def run_tot_dfs(world: World, settings: dict[str, str]) -> tuple[list[Record], dict[NodeId, Statistic]]:
    record = Record(world)
    DepthFirst(
        record,
        int(settings["children"]),
        Fraction(settings.get("threshold", "0.3")),
        int(settings.get("visits", "100")),
        int(settings.get("answers", "1")),
        int(settings.get("depth_max", "25")),
    ).run()
    return [record], {}


def run_tot_bfs(world: World, settings: dict[str, str]) -> tuple[list[Record], dict[NodeId, Statistic]]:
    record = Record(world)
    scored = settings.get("evaluate", "value") == "value"
    tot_bfs(
        record, int(settings["children"]), int(settings["keep"]), int(settings.get("depth_max", "25")), scored=scored
    )
    return [record], {}


STRANDS: dict[str, Callable[[World, dict[str, str]], tuple[list[Record], dict[NodeId, Statistic]]]] = {
    "best-of-n": run_best_of_n,
    "self-consistency": run_self_consistency,
    "rebase": run_rebase,
    "ets": run_ets,
    "beam": run_beam,
    "dvts": run_dvts,
    "mcts": run_mcts,
    "best-first": run_best_first,
    "tot-dfs": run_tot_dfs,
    "tot-bfs": run_tot_bfs,
}
