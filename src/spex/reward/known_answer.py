"""A right and a wrong solution of a small problem: a PRM that cannot tell them apart is not served as it should be."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from spex.errors import Misbehaving
from spex.reward.prm_form import KnownAnswer
from spex.reward.remedy import asked_of

RIGHT = ("Tom has 7 apples and buys 5 more, so he has 7 + 5 = 12 apples.", "The answer is: 12")
WRONG = ("Tom has 7 apples and buys 5 more, so he has 7 + 5 = 75 apples.", "The answer is: 75")
USUAL: KnownAnswer = ("Tom has 7 apples and buys 5 more. How many apples has he now?", RIGHT, WRONG)

_OTHERS: Sequence[tuple[str, tuple[str, ...]]] = (
    ("How many days are there in three weeks?", ("A week has 7 days, so there are 3 * 7 = 21.", "The answer is: 21")),
    ("What is 2 + 2?", ("Paris is the capital of France.", "The answer is: blue")),
    ("Write a word that rhymes with cat.", ("I do not know.", "Ask somebody else.")),
)

_SURE, _SURELY_NOT = 2 / 3, 1 / 3
_SHOWN = 80


async def check_known_answer(
    score: Callable[[str, tuple[str, ...]], Awaitable[float]],
    name: str,
    advice: str,
    known: KnownAnswer | None = None,
) -> None:
    """Score both by `score`, of problem and steps; `known`: the form's own, None for the usual. Raises what it raises.

    Raises `Misbehaving`, with `advice` what to do, where they and other texts are equal. Of the usual ones it is
    not judged which is higher: a weak model may be wrong, a broken one says the same of everything. Of a form's own the
    right one must be above ⅔, and the other below ⅓: a model that would say neither label gives about ½ for everything,
    by chance a little more or less.
    """
    problem, good, bad = known or USUAL
    with asked_of("a small known problem", advice):
        right, wrong = await score(problem, tuple(good)), await score(problem, tuple(bad))
    if known is not None and not (right > _SURE and wrong < _SURELY_NOT):
        told = f"of {problem[:_SHOWN]!r} a score above ⅔ for {_shown(good)} and below ⅓ for {_shown(bad)}"
        raise Misbehaving(name, f"{told} ({advice})", f"{right:.4g} and {wrong:.4g}")
    if right != wrong:
        return
    with asked_of("a small known problem", advice):  # in bfloat16 two scores may well be equal by chance
        others = [await score(problem, steps) for problem, steps in _OTHERS]
    if all(other == right for other in others):
        raise Misbehaving(name, f"another score for a right solution than for a wrong one ({advice})", right)


def _shown(steps: Sequence[str]) -> str:
    text = " / ".join(steps)
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")
