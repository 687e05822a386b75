"""A right and a wrong solution of a small problem: a PRM that cannot tell them apart is not served as it should be."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from spex.errors import Misbehaving
from spex.reward.prm_form import KnownAnswer

PROBLEM = "Tom has 7 apples and buys 5 more. How many apples has he now?"
RIGHT = ("Tom has 7 apples and buys 5 more, so he has 7 + 5 = 12 apples.", "The answer is: 12")
WRONG = ("Tom has 7 apples and buys 5 more, so he has 7 + 5 = 75 apples.", "The answer is: 75")


async def check_known_answer(
    score: Callable[[str, tuple[str, ...]], Awaitable[float]], name: str, known: KnownAnswer | None = None
) -> None:
    """Score both by `score`, of problem and steps; `known`: the form's own, None for the usual. Raises what it raises.

    Raises `Misbehaving` where they are equal. Of the usual ones it is not judged which is higher: a weak model may be
    wrong, a broken one says the same of everything. Of a form's own the right one must be above ½, and the other below.
    """
    problem, good, bad = known or (PROBLEM, RIGHT, WRONG)
    right, wrong = await score(problem, good), await score(problem, bad)
    if known is not None and not right > 0.5 > wrong:
        told = f"scores above ½ for {good[-1]!r} and below it for {bad[-1]!r} (is it this model?)"
        raise Misbehaving(name, told, f"{right:.3g} and {wrong:.3g}")
    if right == wrong:
        told = "another score for a right solution than for a wrong one (is it this model, laid out in this form?)"
        raise Misbehaving(name, told, right)
