"""The end of a context that nobody has told: where a server refuses a text for its length, it is asked for less."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from spex.engine.base import Completion
from spex.errors import Misbehaving

_TOO_LONG = re.compile(
    r"4(?:00|13|22): .*(?:context[ _](?:length|size|window)|maximum (?:context|model) len|prompt is too long"
    r"|too many tokens|token limit|reduce the length)",
    re.IGNORECASE | re.DOTALL,
)


async def within_context(
    write: Callable[[int], Awaitable[Completion]], tokens_max: int, unwritten: Callable[[], Completion]
) -> Completion:
    """What `write` gives for so many tokens, or for half as many, and so on, as long as the server refuses more.

    A text that ends by a limit below `tokens_max` has filled the context, as `unwritten` has, for which there is no
    token left. Raises what `write` raises.
    """
    asked = tokens_max
    while asked:
        try:
            completion = await write(asked)
        except Misbehaving as error:
            if not is_too_long(error):
                raise
            asked //= 2
            continue
        cut = asked < tokens_max and completion.end == "length"
        return completion._replace(end="context") if cut else completion
    return unwritten()


def is_too_long(error: Misbehaving) -> bool:
    """Whether it is a refusal of a prompt, with what is to be written behind it, for its length."""
    return error.expected == "status 200" and _TOO_LONG.match(str(error.got)) is not None
