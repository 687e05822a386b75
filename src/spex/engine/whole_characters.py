"""Texts that a limit has cut within a character: its tokens are left to the text that goes on.

No step may end so. A server that goes on behind such tokens decodes them with what stands before: vLLM gives its whole
prompt for a text then, SGLang drops the character.
"""

from __future__ import annotations

from spex.engine.base import Completion
from spex.engine.server_tokens import Speller
from spex.engine.told import HALF

_LAST = 8
_PARTS_MAX = 3


async def without_half_character(completion: Completion, speller: Speller) -> Completion:
    """`completion` without the tokens at its end, three at most, in which a character begins that is not whole.

    What those say before it (a blank) goes with them. A text that is nothing else stays as it is, and so does one that
    ends in what is no character at all. Raises `EngineError`.
    """
    token_ids, last = completion.token_ids, completion.token_ids[-_LAST:]
    if completion.end != "length" or not last:
        return completion
    spelled = await speller.text(last, control=True)
    if not spelled.endswith(HALF):
        return completion
    for parts in range(1, min(_PARTS_MAX, len(token_ids) - 1) + 1):
        known = await speller.text(last[:-parts], control=True) if last[:-parts] else ""
        if not known.endswith(HALF) and spelled.startswith(known):
            logprobs = None if completion.logprobs is None else completion.logprobs[:-parts]
            text = completion.text.removesuffix(spelled[len(known) :])
            return Completion(text, token_ids[:-parts], logprobs, "length")
    return completion
