"""Token-level speculative decoding, as another ℓ(b): a draft of γ tokens, verified in one pass.

Source: Leviathan, Kalman and Matias, Fast Inference from Transformers via Speculative Decoding,
ICML 2023 (arXiv 2211.17192), equation 1. When every drafted token is accepted with the
probability α by itself, a round yields 1 + α + … + α^γ = (1 − α^(γ+1)) / (1 − α) tokens: the accepted
ones and the one that the verifier adds. A round takes γ·draft(b) + verify(b, γ + 1), so

    ℓ'(b) = (γ·draft(b) + verify(b, γ + 1)) / (1 + α + … + α^γ)

which never falls in b when neither part does, and is ℓ for γ = 0. For any curve verify(b, n) is at most ℓ(b·n), n
tokens a sequence as n sequences, which reads the KV n times; a model on a GPU says it exactly. What is lost: tokens
come in lumps, of which this is the mean. Usual figures: α 0.6 to 0.9, γ 3 to 7.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from spex.errors import InputError
from spex.profile import Affine, Curve, Scaled
from spex.sim.presets import ModelOnGpu

_COST = 0.05
_COST_MAX = 10.0


class Verifier(Protocol):
    """An engine that can run several tokens of a sequence in one pass."""

    def pass_seconds(self, running: float, tokens_each: int) -> float: ...


@dataclass(frozen=True, slots=True)
class AsBatch:
    """Any curve as a verifier: n tokens of a sequence cost what n sequences would. An upper bound."""

    curve: Curve

    def pass_seconds(self, running: float, tokens_each: int) -> float:
        return self.curve.itl_seconds(running * tokens_each)


@dataclass(frozen=True, slots=True)
class Drafted:
    """ℓ(b) of an engine that drafts. `acceptance` α in [0, 1]; `draft_tokens` γ from 0 to 64. Raises `InputError`."""

    verifier: Verifier
    draft: Curve
    acceptance: float
    draft_tokens: int

    def __post_init__(self) -> None:
        if not 0.0 <= self.acceptance <= 1.0:
            raise InputError("acceptance", self.acceptance, "it must be from 0 to 1")
        if not 0 <= self.draft_tokens <= 64:
            raise InputError("draft_tokens", self.draft_tokens, "it must be from 0 to 64")

    @property
    def tokens_per_round(self) -> float:
        """The expected tokens of a round, from 1 to γ + 1."""
        return sum(self.acceptance**accepted for accepted in range(self.draft_tokens + 1))

    def itl_seconds(self, running: float) -> float:
        drafting = self.draft_tokens * self.draft.itl_seconds(running)
        return (drafting + self.verifier.pass_seconds(running, self.draft_tokens + 1)) / self.tokens_per_round


def drafted(curve: Curve, acceptance: float, draft_tokens: int, draft: Curve | float = _COST) -> Drafted:
    """`curve` with drafts. `draft`: ℓ(b) of what drafts, or its share (0 to 10) of `curve`. Raises `InputError`."""
    if not isinstance(draft, float | int):
        drafting = draft
    elif 0 <= draft <= _COST_MAX:
        drafting = Scaled(curve, draft)
    else:
        raise InputError("draft", draft, f"it must be a share from 0 to {_COST_MAX:g}")
    verifier = curve if isinstance(curve, ModelOnGpu) else AsBatch(curve)
    return Drafted(verifier, drafting, acceptance, draft_tokens)


@dataclass(frozen=True, slots=True)
class Draft:
    """Token-level speculation by its figures, for any curve.

    `acceptance` α in [0, 1], `draft_tokens` γ from 0 to 64, `cost`: an engine iteration of what drafts, as a share
    (0 to 10) of one of the model. Raises `InputError`.
    """

    acceptance: float
    draft_tokens: int
    cost: float = _COST

    def __post_init__(self) -> None:
        self.on(Affine(1.0, 0.0))

    def on(self, curve: Curve) -> Drafted:
        return drafted(curve, self.acceptance, self.draft_tokens, self.cost)


def find_draft(text: str) -> Draft:
    """What `ACCEPTANCE:TOKENS` or `ACCEPTANCE:TOKENS:COST` says. Raises `InputError`."""
    acceptance, _, rest = text.partition(":")
    tokens, colon, cost = rest.partition(":")
    try:
        return Draft(float(acceptance), int(tokens), float(cost) if colon else _COST)
    except (ValueError, InputError):
        raise InputError(
            "draft",
            text,
            "it must read ACCEPTANCE:TOKENS or ACCEPTANCE:TOKENS:COST: from 0 to 1, from 0 to 64, and from 0 to 10",
        ) from None
