"""The tokenizer of an engine in this process. It is asked on the engine's loop, where the engine asks it, too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from spex.engine.base import Message
from spex.engine.http import TokenId
from spex.engine.sglang_local_home import Home
from spex.errors import EngineError, InputError, Misbehaving

T = TypeVar("T")


class LocalTokenizer:
    """The tokenizer of the engine of `home`. Everything of it raises `EngineError`."""

    def __init__(self, name: str, home: Home) -> None:
        self._name = name
        self._home = home

    async def tokens(self, text: str, *, special: bool = False) -> tuple[int, ...]:
        """`text` as token ids, names of control tokens as those.

        special: with the tokens that the model has before and behind every text.
        """
        found = await self._asked(lambda tokenizer: tokenizer.encode(text, add_special_tokens=special), list[TokenId])
        return tuple(found)

    async def chat_tokens(self, messages: Sequence[Message], enable_thinking: bool | None = None) -> tuple[int, ...]:
        """A chat up to where the assistant speaks next, by the template of the model's tokenizer.

        Raises `InputError` where SGLang goes by one of its own.
        """
        await self._home.call(self._check_template)
        turns = [message._asdict() for message in messages]
        options: dict[str, object] = {} if enable_thinking is None else {"enable_thinking": enable_thinking}
        options |= {"tokenize": True, "return_dict": False, "add_generation_prompt": True}
        found = await self._asked(lambda tokenizer: tokenizer.apply_chat_template(turns, **options), list[TokenId])
        return tuple(found)

    async def text(self, token_ids: Sequence[int], *, control: bool) -> str:
        """What the ids say, with the names of control tokens or without."""
        return await self._asked(
            lambda tokenizer: tokenizer.decode(list(token_ids), skip_special_tokens=not control), str
        )

    async def _check_template(self, engine: Any) -> None:
        name = engine.template_manager.chat_template_name
        if name is not None:
            told = "its chats go by a template of SGLang's own: give the file of a Jinja template instead"
            raise InputError("chat_template", name, told)

    async def _asked(self, ask: Callable[[Any], object], kind: type[T]) -> T:
        async def asked(engine: Any) -> object:  # on the engine's loop: it uses its tokenizer there, too
            return ask(engine.tokenizer_manager.tokenizer)

        try:
            return msgspec.convert(await self._home.call(asked), kind)
        except EngineError:
            raise
        except Exception as error:  # of the tokenizer, or of the template
            told = f"{type(error).__name__}: {error}"
            raise Misbehaving(self._name, "an answer of the model's tokenizer", told) from error
