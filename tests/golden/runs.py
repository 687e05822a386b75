"""A restated search run with its settings, as they are typed."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

from spex.ids import NodeId
from spex.seeds import strand_seed
from tests.golden.adaptive import Adaptive
from tests.golden.ets import worthwhile
from tests.golden.levels import beam, best_of_n, dvts_strand, rebase, tot_bfs
from tests.golden.mcts import Mcts, Statistic
from tests.golden.one_by_one import DepthFirst, best_first
from tests.golden.parallel_mcts import ParallelMcts
from tests.golden.rest_mcts import RestMcts
from tests.golden.rstar import RStar
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
    lookahead, dedup = int(settings.get("lookahead", "0")), settings.get("dedup") == "true"
    width, children, depth_max = (int(settings[key]) for key in ("width", "children", "depth_max"))
    beam(record, width, children, depth_max, lookahead, dedup=dedup)
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
        c=scheduled(settings),
        nodes_max=int(settings.get("nodes_max", "65536")),
        depth_max=int(settings.get("depth_max", "25")),
        first=settings.get("unvisited") == "first",
        puct=settings.get("select") == "puct",
        rollout=settings.get("rollout") == "true",
        widening=Decimal(settings.get("widening", "0")),
    )
    search.run()
    # The search itself ends where no leaf can grow, because the rest of its iterations would only add visits.
    exhausted = not any(map(search.can_grow, search.statistics))
    return [record], {} if exhausted else search.statistics


def scheduled(settings: dict[str, str]) -> Callable[[int], Decimal]:
    """The constant of exploration by the number of iterations that are over."""
    first, last = Decimal(settings.get("c", "1")), Decimal(settings.get("c_last", "0.1"))
    steps = max(1, int(settings["iterations"]) - 1)
    schedule = settings.get("schedule", "constant")
    if schedule == "linear":
        return lambda over: first * (steps - over) / steps + last * over / steps
    if schedule == "exponential":
        return lambda over: (first.ln() + (last.ln() - first.ln()) * over / steps).exp()
    return lambda over: first


def run_parallel(world: World, settings: dict[str, str], *, loss: Fraction | None) -> list[Record]:
    record = Record(world)
    ParallelMcts(
        record,
        iterations=int(settings["iterations"]),
        children=int(settings["children"]),
        c=Decimal(settings.get("c", "1")),
        workers=int(settings["workers"]),
        nodes_max=int(settings.get("nodes_max", "65536")),
        loss=loss,
    ).run()
    return [record]


def run_virtual_loss(world: World, settings: dict[str, str]) -> tuple[list[Record], dict[NodeId, Statistic]]:
    return run_parallel(world, settings, loss=Fraction(settings.get("loss", "1"))), {}


def run_wu_uct(world: World, settings: dict[str, str]) -> tuple[list[Record], dict[NodeId, Statistic]]:
    return run_parallel(world, settings, loss=None), {}


def run_rest_mcts(world: World, settings: dict[str, str]) -> tuple[list[Record], dict[NodeId, Statistic]]:
    record = Record(world)
    RestMcts(
        record,
        iterations=int(settings["iterations"]),
        children=int(settings.get("children", "3")),
        c=Decimal(settings.get("c", "0.7")),
        rollout_steps=int(settings.get("rollout_steps", "2")),
        rollout_children=int(settings.get("rollout_children", "1")),
        alpha=Fraction(settings.get("alpha", "0.5")),
        answers=int(settings.get("answers", "5")),
        depth_max=int(settings.get("depth_max", "25")),
    ).run()
    return [record], {}


def run_rstar(world: World, settings: dict[str, str]) -> tuple[list[Record], dict[NodeId, Statistic]]:
    record = Record(world)
    search = RStar(
        record,
        iterations=int(settings["iterations"]),
        children=int(settings["children"]),
        c=Fraction(settings.get("c", "2")),
        depth_max=int(settings.get("depth_max", "5")),
        votes=int(settings.get("votes", "32")) if settings.get("confidence") != "reward" else 0,
    )
    search.run()
    return [record], search.statistics


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


def run_ab_mcts(world: World, settings: dict[str, str]) -> tuple[list[Record], dict[NodeId, Statistic]]:
    record = Record(world)
    Adaptive(
        record,
        int(settings["iterations"]),
        settings.get("posterior", "gaussian"),
        int(settings.get("depth_max", "25")),
        strand_seed(0, "alone", 0),
    ).run()
    return [record], {}


STRANDS: dict[str, Callable[[World, dict[str, str]], tuple[list[Record], dict[NodeId, Statistic]]]] = {
    "best-of-n": run_best_of_n,
    "self-consistency": run_self_consistency,
    "rebase": run_rebase,
    "ets": run_ets,
    "beam": run_beam,
    "dvts": run_dvts,
    "mcts": run_mcts,
    "virtual-loss": run_virtual_loss,
    "wu-uct": run_wu_uct,
    "rest-mcts": run_rest_mcts,
    "rstar": run_rstar,
    "best-first": run_best_first,
    "tot-dfs": run_tot_dfs,
    "tot-bfs": run_tot_bfs,
    "ab-mcts": run_ab_mcts,
}
