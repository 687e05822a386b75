"""The rewards by name; plug-ins add theirs by the entry point group `spex.rewards`.

And what serves other models of scores, by the model's name, where a search asks for one and the caller gives none:
there the group is `spex.models`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from spex.catalog import Catalog
from spex.errors import InputError
from spex.reward.base import Reward

REWARDS: Catalog[Reward] = Catalog(
    kind="reward",
    group="spex.rewards",
    own={
        "arithmetic": "spex.reward.arithmetic:Arithmetic",
        "code": "spex.reward.code:code",
        "confidence": "spex.reward.confidence:Confidence",
        "judge": "spex.reward.judge:Judge",
        "likelihood": "spex.reward.named:likelihood",
        "prm": "spex.reward.named:prm",
        "rubric": "spex.reward.rubric:Rubric",
        "value": "spex.reward.value:Value",
        "vote": "spex.reward.vote:Vote",
    },
)

MODELS: Catalog[Reward] = Catalog(kind="reward", group="spex.models", own={"clusters": "spex.reward.clusters:Clusters"})


def served(rewards: Mapping[str, Reward], models: Iterable[str]) -> dict[str, Reward]:
    """`rewards`, by model, with the usual ones for those of `models` that are not among them.

    Raises `InputError` for a model that has no usual one, or one that this machine has not got.
    """
    usual = [model for model in models if model not in rewards]
    for model in usual:
        if model not in MODELS.names():
            raise InputError("reward", None, f"it must name one for the model {model!r}, which the search asks for")
    return {**rewards, **{model: _usual(model) for model in usual}}


def _usual(model: str) -> Reward:
    try:
        return MODELS.load(model)()
    except InputError as error:  # nobody has named it but the search
        raise InputError("search", None, f"it asks for scores by {model}: {error.allowed}") from error
