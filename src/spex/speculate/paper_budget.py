"""The published SPEX's budget (arXiv 2605.10195): spare capacity shared among queries. Technique 2, as an alternative.

    k_total = the largest b with ℓ(b) ≤ 1.15·ℓ(1): the concurrency at the ridge of the roofline, or a number given
    U_q = C_q·P_q·(S_w + S_KV(q))
    k_q = min(C_q, k_total·softmax(U/τ)_q)

C_q: the branches of query q that could run or do; P_q: its measured hit rate, (committed + 1)/(speculated + 2);
S_w: the bytes of the weights, read once for the whole batch; S_KV(q): those of the prefix that branches share.
Nothing that runs is priced again: a branch that turns out wrong decodes to its end, unless a demand needs its slot.

Liberties. k_total bounds speculations alone; the paper does not say whether demanded sequences count as well
(`spare=True`: they do, and what they leave is shared). S_KV(q)/S_w is `prefix_share` a step of the mean depth of
the candidates: by default 70 tokens of 128 KiB over 16 GB, an 8B model in bf16. The paper gives neither τ nor U's
scale: U is divided by its largest value, and τ is 1. Shares become whole by largest remainder (Hamilton), so that
they add up to k_total where no C_q is below its share; what a cap leaves is not shared again. A query gets its
likeliest branches. ℓ(b) is the learned one, so that "profiled once" follows what is observed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import exp, floor

from spex.errors import InputError
from spex.profile import Curve
from spex.speculate.market import Asker, C, Candidate, Load

_RIDGE_RISE = 1.15
_RIDGE_MAX = 4096
_PREFIX_SHARE = 70 * 128 * 1024 / 16e9


@dataclass(frozen=True, slots=True)
class PaperBudget:
    """The paper's market. `k_total` (≥ 1; None: at the ridge of ℓ); `temperature` τ (> 0). Raises `InputError`."""

    k_total: int | None = None
    temperature: float = 1.0
    prefix_share: float = _PREFIX_SHARE
    spare: bool = False

    def __post_init__(self) -> None:
        if self.k_total is not None and (type(self.k_total) is not int or self.k_total < 1):
            raise InputError("k_total", self.k_total, "it must be a whole number from 1, or None")
        if not self.temperature > 0:
            raise InputError("temperature", self.temperature, "it must be above 0")
        if not self.prefix_share >= 0:
            raise InputError("prefix_share", self.prefix_share, "it must be 0 or more")

    def margin(self, load: Load) -> float:  # noqa: ARG002
        return 1.0

    def to_stop(self, load: Load, running: Sequence[C], remaining: Callable[[C], float]) -> list[C]:  # noqa: ARG002
        return []

    def to_start(self, load: Load, wishes: Sequence[C], room: int) -> list[C]:
        running = load.speculating
        total = ridge(load.profile) if self.k_total is None else self.k_total
        if self.spare:
            total = max(0, total - (load.running - len(running)))
        left = self._shares([*running, *wishes], total)
        for candidate in running:
            left[candidate.owner] -= 1
        # What had been granted may run over a share that has become smaller: the total holds all the same.
        room = min(room, total - len(running))
        started: list[C] = []
        for wish in sorted(wishes, key=lambda candidate: candidate.probability, reverse=True):
            if len(started) >= room:
                break
            if left[wish.owner] > 0:
                left[wish.owner] -= 1
                started.append(wish)
        return started

    def _shares(self, candidates: Sequence[Candidate], total: int) -> dict[Asker, int]:
        """How many of its branches each query may have running."""
        branches: defaultdict[Asker, list[Candidate]] = defaultdict(list)
        for candidate in candidates:
            branches[candidate.owner].append(candidate)
        utilities = {owner: self._utility(owner, its) for owner, its in branches.items()}
        granted = in_proportion(softmax(utilities, self.temperature), total)
        return {owner: min(len(branches[owner]), share) for owner, share in granted.items()}

    def _utility(self, owner: Asker, branches: Sequence[Candidate]) -> float:
        """U_q in units of S_w."""
        depth = sum(candidate.depth for candidate in branches) / len(branches)
        return len(branches) * owner.foreseen.hit_rate * (1.0 + self.prefix_share * depth)


def ridge(curve: Curve) -> int:
    """The largest b from 1 to 4096 with ℓ(b) ≤ 1.15·ℓ(1): as far as ℓ is flat."""
    most = _RIDGE_RISE * curve.itl_seconds(1)
    low, high = 1, _RIDGE_MAX + 1
    while high - low > 1:
        middle = (low + high) // 2
        if curve.itl_seconds(middle) <= most:
            low = middle
        else:
            high = middle
    return low


def softmax(utilities: Mapping[Asker, float], temperature: float) -> dict[Asker, float]:
    """exp(U/τ) over their sum, U in units of the largest (> 0)."""
    most = max(utilities.values(), default=1.0)
    weights = {owner: exp((utility / most - 1.0) / temperature) for owner, utility in utilities.items()}
    whole = sum(weights.values())
    return {owner: weight / whole for owner, weight in weights.items()}


def in_proportion(shares: Mapping[Asker, float], total: int) -> dict[Asker, int]:
    """`total` in whole parts: each share rounded down, one more for the largest remainders, the first of equals."""
    exact = {owner: total * share for owner, share in shares.items()}
    parts = {owner: floor(value) for owner, value in exact.items()}
    order = sorted(exact, key=lambda owner: exact[owner] - parts[owner], reverse=True)
    for owner in order[: total - sum(parts.values())]:
        parts[owner] += 1
    return parts
