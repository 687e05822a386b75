"""What a model has before every text (BOS, or nothing), as its tokenizer adds it to a text that is asked for whole."""

from __future__ import annotations

from typing import Protocol

_WORD = "word"


class Encode(Protocol):
    """A tokenizer. Raises `EngineError`."""

    async def __call__(self, text: str, *, special: bool) -> tuple[int, ...]:
        """`text` as token ids; special: with the tokens that the model has before and behind every text."""
        ...


async def found_first_tokens(encode: Encode) -> tuple[int, ...]:
    """The token ids that `encode` has before every text. Raises `EngineError`."""
    bare, whole = await encode(_WORD, special=False), await encode(_WORD, special=True)
    starts = [start for start in range(len(whole)) if whole[start : start + len(bare)] == bare]
    return whole[: starts[0]] if starts else ()
