"""The price of speculation: start what raises the rate of useful tokens, stop what lowers it.

With b sequences running, of which U are expected to be useful (each demanded one counts 1, each
speculation its probability), the engine yields useful tokens at the rate U/ℓ(b). One more
sequence of probability p raises that rate exactly when p > U·Δ/ℓ(b), Δ = ℓ(b+1) − ℓ(b)
(Dinkelbach's condition for a ratio). There is no constant to tune: an idle engine's price is 0,
a compute-bound engine's is its share of useful work.
"""

from __future__ import annotations

from spex.profile import Curve

_STICKINESS = 0.5
_AGREEING = 8.0


def price(curve: Curve, useful: float, running: int, prefill_seconds: float = 0.0) -> float:
    """The least probability worth starting, with `running` sequences of which `useful` are expected to be.

    `prefill_seconds`: what computing its prompt costs the batch, spread over the tokens that are
    expected of it: u·τ/T̂ for u uncached prompt tokens of τ seconds and T̂ tokens.
    """
    if running < 1:
        return 0.0
    itl = curve.itl_seconds(running)
    return useful * (curve.itl_seconds(running + 1) - itl + prefill_seconds) / itl


def credible(probability: float) -> float:
    """What a probability is worth that is a share of few particles: no guess is sure.

    Where eight of eight agree, the mean of the posterior under Jeffreys' prior is (8 + ½)/(8 + 1). Others are
    lowered by the same factor. Without it a compute-bound engine, whose price is almost 1, is sold what it cannot
    win by.
    """
    return probability * (_AGREEING + 0.5) / (_AGREEING + 1.0)


def holding_price(curve: Curve, useful: float, running: int, remaining: float) -> float:
    """The least probability worth keeping in the batch.

    `remaining` in [0, 1] is the share of its expected tokens still to come: the less is left,
    the cheaper it is to finish. Half, because what is stopped has been paid for, and a guess
    that wavers around the price should not be started and stopped in turn.
    """
    return _STICKINESS * remaining * price(curve, useful, running - 1)
