"""Ways to speculate by name: what says which calls to expect, and what says which of them to start."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from spex.speculate.market import FirstCome, Market, RateMarket
from spex.speculate.paper_budget import PaperBudget
from spex.speculate.paper_selection import PaperSelection
from spex.speculate.rule import Imagination, Rule

RULES: Mapping[str, Callable[[], Rule]] = {"ours": Imagination, "paper": PaperSelection}

MARKETS: Mapping[str, Callable[[], Market]] = {"ours": RateMarket, "paper": PaperBudget, "first-come": FirstCome}
