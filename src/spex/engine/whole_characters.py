"""Texts that a limit has cut within a character: its tokens are left to the text that goes on.

No step may end so. A server that goes on behind such tokens decodes them with what stands before: vLLM gives its whole
prompt for a text then, SGLang drops the character.
"""

from __future__ import annotations

from spex.engine.base import Completion
from spex.engine.server_tokens import Speller

_LAST = 8
_PARTS_MAX = 3
_HALF = "\ufffd"


async def without_half_character(completion: Completion, speller: Speller) -> Completion:
    """`completion` without the tokens at its end, three at most, that are no whole character. Raises `EngineError`.

    A text that is nothing else stays as it is, and so does one that ends in what is no character at all.
    """
    token_ids = completion.token_ids
    if completion.end != "length" or not await _ends_in_half(speller, token_ids):
        return completion
    for kept in range(len(token_ids) - 1, max(0, len(token_ids) - 1 - _PARTS_MAX), -1):
        if not await _ends_in_half(speller, token_ids[:kept]):
            logprobs = None if completion.logprobs is None else completion.logprobs[:kept]
            return Completion(completion.text.rstrip(_HALF), token_ids[:kept], logprobs, "length")
    return completion


async def _ends_in_half(speller: Speller, token_ids: tuple[int, ...]) -> bool:
    return bool(token_ids) and (await speller.text(token_ids[-_LAST:], control=True)).endswith(_HALF)
