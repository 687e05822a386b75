"""What a run is made of: everything that its requests and decisions are functions of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from spex.answer import AnswerRule, Weighted
from spex.policy import Policy
from spex.reward.base import Reward
from spex.search.base import AnySearch
from spex.speculate.market import Market, RateMarket
from spex.speculate.runahead import Effort


@dataclass(frozen=True, slots=True)
class Speculation:
    """How a run speculates. There is nothing to tune: `effort` only bounds the controller's own work.

    `in_flight_max` caps the speculations running on each engine (None: the engine's slots).
    """

    effort: Effort = Effort()
    market: Market = field(default_factory=RateMarket)
    in_flight_max: int | None = None


@dataclass(frozen=True, slots=True)
class Setup:
    """One configuration. `rewards` maps the model names of `Score` calls; `speculation` None is the plain run."""

    search: AnySearch
    policy: Policy
    rewards: Mapping[str, Reward]
    answer_rule: AnswerRule = field(default_factory=Weighted)
    seed: int = 0
    speculation: Speculation | None = field(default_factory=Speculation)
