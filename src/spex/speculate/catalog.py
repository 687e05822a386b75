"""Ways to speculate by name: what says which calls to expect, and what says which of them to start."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from spex.errors import InputError
from spex.speculate.market import FirstCome, Market, RateMarket
from spex.speculate.paper_budget import PaperBudget
from spex.speculate.paper_selection import PaperSelection
from spex.speculate.rule import Imagination, Rule

RULES: Mapping[str, Callable[[], Rule]] = {"ours": Imagination, "paper": PaperSelection}

MARKETS: Mapping[str, Callable[[], Market]] = {"ours": RateMarket, "paper": PaperBudget, "first-come": FirstCome}


def find_rule(name: str) -> Rule:
    """The speculation rule of that name. Raises `InputError`."""
    if name not in RULES:
        raise InputError("rule", name, f"it must be one of {', '.join(RULES)}")
    return RULES[name]()


def find_market(name: str) -> Market:
    """The market of that name. Raises `InputError`."""
    if name not in MARKETS:
        raise InputError("market", name, f"it must be one of {', '.join(MARKETS)}")
    return MARKETS[name]()
