"""One integer draws everything: search, widths, latencies, engines, speculation rule, faults."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random

from spex.answer import AnswerRule, Best, Majority, Weighted
from spex.control.setup import Speculation
from spex.profile import Affine, Curve, Roofline, Scaled
from spex.search.ab_mcts import AbMcts
from spex.search.base import AnySearch
from spex.search.beam import Beam
from spex.search.best_first import BestFirst
from spex.search.best_of_n import BestOfN
from spex.search.dvts import Dvts
from spex.search.ets import Ets
from spex.search.mcts import Mcts
from spex.search.merging import Merging
from spex.search.rebase import Rebase
from spex.search.rest_mcts import RestMcts
from spex.search.rstar import RStar
from spex.search.self_consistency import SelfConsistency
from spex.search.tot_bfs import TotBfs
from spex.search.tot_dfs import TotDfs
from spex.search.virtual_loss import VirtualLoss
from spex.search.wu_uct import WuUct
from spex.sim.workload import Workload
from spex.speculate.confident import Confident
from spex.speculate.early_alternatives import AdaptiveConsistency, Paper
from spex.speculate.market import Market, RateMarket
from spex.speculate.paper_budget import PaperBudget
from spex.speculate.paper_selection import PaperSelection
from spex.speculate.runahead import Effort
from spex.speculate.stopping import Exact, StoppingRule
from tests.swarm.markets import Greedy, Whim
from tests.swarm.senseless import Senseless, SenselessStrands

ANSWER_RULES: Sequence[AnswerRule] = (Weighted(), Weighted("min"), Weighted("prod"), Majority(), Best(), Best("prod"))
STOPPING: Sequence[StoppingRule] = (Exact(), Confident(0.2, 50), Paper(), AdaptiveConsistency(0.8))


@dataclass(frozen=True)
class Faults:
    """What goes wrong, as probabilities of a request; 0 everywhere: nothing.

    A stall is at most three seconds, a slow reward takes at most four more: with both at 1, no call is as
    fast as another. in_vain: that a call which the plain run never demands fails however often it is tried.
    """

    refused: float = 0.0
    broken_off: float = 0.0
    stalled: float = 0.0
    abort_ignored: float = 0.0
    reward_refused: float = 0.0
    reward_slow: float = 0.0
    in_vain: float = 0.0


@dataclass(frozen=True)
class Scenario:
    """A situation. The plain run of the same scenario differs in `speculation` and `faults` alone.

    `seed` is the run's, `faults_seed` says which calls the faults meet, and when.
    """

    seed: int
    search: AnySearch
    workload: Workload
    queries: int
    concurrency: int
    curve: Curve
    believed: Curve
    slots: int
    prefill_seconds: float
    cancel_delay_seconds: float
    positional: bool
    reward_curve: Curve
    reward_slots: int
    speculation: Speculation
    faults: Faults = field(default_factory=Faults)
    faults_seed: int = 0
    killed_at_share: float | None = None
    stopping: StoppingRule | None = None
    answer_rule: AnswerRule = Weighted()

    @property
    def in_flight_max(self) -> int:
        cap = self.speculation.in_flight_max
        return self.slots if cap is None else min(cap, self.slots)


def draw(seed: int) -> Scenario:
    """The scenario of `seed`: every choice from one generator, each fault present in a third of them."""
    random = Random(seed)
    curve = _curve(random)
    search = _search(random)
    scenario = Scenario(
        seed=seed,
        search=search,
        workload=_workload(random, seed),
        queries=random.randint(1, 3),
        concurrency=random.randint(1, 3),
        curve=curve,
        believed=random.choice([curve, Scaled(curve, random.choice([0.5, 2.0])), Affine(0.02, 0.001)]),
        slots=random.choice([1, 2, 3, 5, 8, 16, 64, 256]),
        prefill_seconds=random.choice([0.0, 0.0, 0.0005]),
        cancel_delay_seconds=random.choice([0.0, 0.0, 0.05, 0.5]),
        positional=random.random() < 0.7,
        reward_curve=Affine(random.choice([0.0, 0.01, 0.04, 1.0]), random.choice([0.0, 0.002])),
        reward_slots=random.choice([1, 4, 8, 4096]),
        speculation=Speculation(
            effort=Effort(random.choice([1, 2, 4, 8]), random.choice([1, 3, 8, 24])),
            market=_market(random, seed),
            in_flight_max=random.choice([None, None, 0, 1, 3, 8]),
        ),
        faults=_faults(random),
        faults_seed=seed,
        killed_at_share=random.random() if random.random() < 0.25 else None,
        stopping=random.choice(STOPPING) if random.random() < 1 / 3 and not isinstance(search, Merging) else None,
        answer_rule=random.choice(ANSWER_RULES),
    )
    return _as_published(scenario, random) if random.random() < 1 / 4 else scenario


def _as_published(scenario: Scenario, random: Random) -> Scenario:
    """The same with the published selection, and its budget or what there is."""
    market = random.choice([scenario.speculation.market, PaperBudget(), PaperBudget(3, spare=True)])
    selection = PaperSelection(random.choice([None, 1, 4]))
    return replace(scenario, speculation=replace(scenario.speculation, rule=selection, market=market))


def _search(random: Random) -> AnySearch:
    children = random.randint(1, 4)
    subtrees = random.randint(1, 4)
    options: list[AnySearch] = [
        BestOfN(width=random.randint(1, 6)),
        SelfConsistency(width=random.randint(1, 6)),
        Rebase(width=random.randint(1, 12), temperature=random.choice([0.05, 0.2, 1.0]), depth_max=8),
        Beam(width=children * subtrees, children=children, depth_max=random.randint(2, 8)),
        Dvts(width=children * subtrees, children=children, depth_max=random.randint(2, 8)),
        Mcts(iterations=random.randint(1, 14), children=children, c=random.choice([0.1, 0.3, 1.0, 3.0])),
        BestFirst(children=children, nodes_max=random.randint(1, 30), token_cost=random.choice([0.0, 0.002])),
        TotBfs(
            children=children,
            keep=subtrees,
            select=random.choice(["greedy", "sample"]),
            evaluate=random.choice(["value", "vote"]),
            samples=random.randint(1, 2),
        ),
        TotDfs(children=children, visits=random.randint(1, 12), answers=random.randint(1, 3)),
        Mcts(
            iterations=random.randint(1, 10),
            children=children,
            select=random.choice(["uct", "puct"]),
            rollout=random.random() < 0.5,
            widening=random.choice([0.0, 0.5]),
            schedule=random.choice(["linear", "exponential"]),
        ),
        Beam(width=children * subtrees, children=children, depth_max=6, lookahead=random.randint(0, 2), dedup=True),
        VirtualLoss(iterations=random.randint(1, 14), children=children, workers=random.randint(1, 5)),
        WuUct(iterations=random.randint(1, 14), children=children, workers=random.randint(1, 5)),
        RestMcts(
            iterations=random.randint(1, 8),
            children=children,
            rollout_steps=random.randint(0, 3),
            rollout_children=random.randint(1, 2),
        ),
        AbMcts(iterations=random.randint(1, 20), posterior=random.choice(["gaussian", "beta"])),
        Ets(
            width=random.randint(1, 10),
            cost=random.choice([0.5, 1.0, 2.0]),
            diversity=random.choice([0.0, 0.5, 1.5]),
            depth_max=8,
        ),
        RStar(
            iterations=random.randint(1, 6),
            children=random.randint(1, 2),
            depth_max=random.randint(1, 5),
            votes=random.randint(1, 4),
            confidence=random.choice(["votes", "reward"]),
        ),
        SenselessStrands(_senseless(random), random.randint(1, 3)),
    ]
    search = random.choice(options)
    return Merging(search) if random.random() < 1 / 6 else search


def _senseless(random: Random) -> Senseless:
    return Senseless(
        turns=random.randint(1, 8),
        breadth=random.randint(1, 4),
        levels=random.randint(1, 3),
        reads_text=random.random() < 1 / 4,
    )


def _workload(random: Random, seed: int) -> Workload:
    return Workload(
        "swarm",
        step_tokens=random.choice([1.0, 5.0, 20.0, 70.0]),
        spread=random.choice([0.0, 0.6, 1.2]),
        reward_noise=random.choice([0.0, 0.05, 0.15, 0.5]),
        depth_min=random.randint(1, 4),
        depth_max=random.randint(4, 8),
        end_probability=random.choice([0.0, 1 / 7, 0.5, 1.0]),
        seed=seed,
        states=random.choice([0, 3, 20]),
    )


def _curve(random: Random) -> Curve:
    curves: list[Curve] = [
        Affine(0.010, 0.00008),
        Affine(0.0026, 0.0034),
        Affine(0.0225, 0.0032),
        Roofline(0.012, 0.0004, 24.0),
    ]
    return random.choice(curves)


def _market(random: Random, seed: int) -> Market:
    markets: list[Market] = [RateMarket(), RateMarket(), Greedy(), Whim(seed)]
    return random.choice(markets)


def _faults(random: Random) -> Faults:
    def maybe(most: float) -> float:
        return random.random() * most if random.random() < 1 / 3 else 0.0

    return Faults(
        refused=maybe(0.5),
        broken_off=maybe(0.5),
        stalled=maybe(0.2),
        abort_ignored=maybe(1.0),
        reward_refused=maybe(0.5),
        reward_slow=maybe(0.3),
        in_vain=maybe(1.0),
    )
