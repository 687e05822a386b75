"""The rewards by name; plug-ins add theirs by the entry point group `spex.rewards`."""

from __future__ import annotations

from spex.catalog import Catalog
from spex.reward.base import Reward

REWARDS: Catalog[Reward] = Catalog(
    kind="reward",
    group="spex.rewards",
    own={
        "arithmetic": "spex.reward.arithmetic:Arithmetic",
        "confidence": "spex.reward.confidence:Confidence",
        "judge": "spex.reward.judge:Judge",
    },
)
