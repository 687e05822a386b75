"""Texts as token ids by the tokenizer of a server of scores: none of them a control token, as far as it tells those.

SGLang says what the ids of a text are without the control tokens. vLLM does not, and a server of scores writes no text
that could show it: there a token counts as a control token where its name is read as that token amid anything, which
is so of other tokens that were added to a vocabulary, too. What counts as one is cut within its name, and is text.

Not found is a control token whose name is a single character, or is not in the text as the tokenizer spells it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from spex.engine.server_tokens import cut_within
from spex.errors import Misbehaving

_ROUNDS_MAX = 8


class HeadTokenizer(Protocol):
    """What the tokenizer of a server of scores is asked for. Everything raises `EngineError`."""

    async def tokens(self, text: str) -> tuple[int, ...]:
        """`text` as token ids, nothing added; names of control tokens become those."""
        ...

    async def control_names(self, token_ids: Sequence[int]) -> list[str]:
        """The names, of two characters at least, of the control tokens among `token_ids`."""
        ...


async def text_tokens(tokenizer: HeadTokenizer, text: str, name: str) -> tuple[int, ...]:
    """`text` as token ids, no known control token among them. Raises `EngineError`; `name` is the server's."""
    cut: set[str] = set()
    for _ in range(_ROUNDS_MAX):  # within the name of one there may be that of another
        parts = cut_within(text, sorted(cut))
        known = {part: await tokenizer.tokens(part) for part in dict.fromkeys(parts)}
        token_ids = tuple(token for part in parts for token in known[part])
        found = {word for word in await tokenizer.control_names(token_ids) if word in text}
        if found <= cut:
            return token_ids
        cut |= found
    raise Misbehaving(name, "a tokenizer that reads what is cut within a control token's name as text", sorted(cut))
