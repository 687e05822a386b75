"""A right and a wrong solution of a small problem: a PRM that cannot tell them apart is not served as it should be."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from spex.errors import Misbehaving

PROBLEM = "Tom has 7 apples and buys 5 more. How many apples has he now?"
RIGHT = ("Tom has 7 apples and buys 5 more, so he has 7 + 5 = 12 apples.", "The answer is: 12")
WRONG = ("Tom has 7 apples and buys 5 more, so he has 7 + 5 = 75 apples.", "The answer is: 75")


async def check_known_answer(score: Callable[[str, tuple[str, ...]], Awaitable[float]], name: str) -> None:
    """Score both by `score`, of problem and steps. Raises `Misbehaving` where they are equal, and what it raises.

    Which of the two is higher is not judged: a weak model may be wrong, a broken one says the same of everything.
    """
    right, wrong = await score(PROBLEM, RIGHT), await score(PROBLEM, WRONG)
    if right == wrong:
        told = "another score for a right solution than for a wrong one (is it this model, laid out in this form?)"
        raise Misbehaving(name, told, right)
