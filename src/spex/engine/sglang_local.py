"""SGLang in this process: its `Engine`, with no server between, for batches offline and for rollouts of training.

As over HTTP: texts continue by token ids, seeds are positional with `enable_deterministic_inference=True` and without
effect otherwise, and an abort has come through when the engine has the request no more. Where the engine runs, and why
there, is told in `spex.engine.sglang_local_home`.

SGLang starts processes that import the program's main module again: a script needs `if __name__ == "__main__":`. Where
`open` is called in the main thread, the death of one of them is told as `Unreachable`; in another thread, or of an
engine that the user has made, SGLang ends this process with it. It keeps one configuration a process: where two engines
are open, give them the same settings.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from spex.engine.abilities import Identity, Reading
from spex.engine.base import Capabilities, Completion, Counters, Generation, Labelling, Message, Progress
from spex.engine.first_tokens import found_first_tokens
from spex.engine.http import Deadlines
from spex.engine.paced import within
from spex.engine.same_model import refuse_other_model
from spex.engine.server_tokens import encoded, encoded_chat
from spex.engine.sglang_local_engine import Given, Made, info_of
from spex.engine.sglang_local_home import Home
from spex.engine.sglang_local_line import LocalLine
from spex.engine.sglang_local_settings import named
from spex.engine.sglang_local_tokens import LocalTokenizer
from spex.engine.sglang_requests import SglangRequests
from spex.errors import InputError

_NAME = "sglang-local"


class SglangLocal:
    """An engine for SGLang's `Engine` in this process.

    engine: an `sglang.Engine` that is there already, which stays the caller's and is not ended here; or the folder or
    name of a model, of which `open` makes one by `arguments`, those of SGLang's `Engine`, and the last `close` ends it;
    behind the model and `#` they may stand, too, as in `PATH#tp_size=2,enable_deterministic_inference`.
    While it is open nobody else should ask an engine that is given. Raises `InputError` where it is neither, and where
    SGLang is not installed.
    """

    def __init__(self, engine: object = None, *, deadlines: Deadlines | None = None, **arguments: object) -> None:
        if isinstance(engine, str | Path) and str(engine):
            self._name = f"{_NAME}:{engine}"
            model = named(str(engine))
            source: Made | Given = Made(self._name, model.model, _checked(model.arguments | arguments))
        else:
            self._name = f"{_NAME}:{_model_of(engine, arguments)}"
            source = Given(self._name, engine)
        self._home = Home(self._name, source)
        self._deadlines = deadlines or Deadlines()
        self._tokenizer = LocalTokenizer(self._name, self._home)
        line = LocalLine(self._name, self._home, self._deadlines)
        self._requests = SglangRequests(self._name, line, self._tokenizer)
        self._identity = Identity()

    @property
    def name(self) -> str:
        return self._name

    @property
    def capabilities(self) -> Capabilities:
        return self._requests.capabilities

    def counters(self) -> Counters:
        return self._requests.counters()

    @property
    def identity(self) -> Identity:
        return self._identity

    async def load(self) -> int | None:
        """The requests that the engine has, anybody's. Raises `EngineError`."""

        async def count(engine: Any) -> int:
            return len(engine.tokenizer_manager.rid_to_state)

        return await self._home.call(count)

    async def open(self) -> None:
        """Raises `EngineError`, and `InputError` for a model that SGLang cannot load, or that writes no text."""
        await self._home.open()
        try:
            since = asyncio.get_running_loop().time()
            async with within("first_token", self._deadlines.first_token, since, self._name):
                info = await self._home.call(partial(info_of, name=self._name))
            self._requests.learn(info)
            self._identity = info.identity
        except BaseException:
            await self._home.close()
            raise

    async def recheck(self) -> None:
        """Raises `InputError` where the engine has another model by now, and `EngineError`."""

        async def model(engine: Any) -> str:
            return str(engine.tokenizer_manager.model_path)

        refuse_other_model(await self._home.call(model), self._identity.model, self._name)

    async def close(self) -> None:
        await self._home.close()

    async def encode(self, text: str) -> tuple[int, ...]:
        return await encoded(self._tokenizer, text)

    async def first_tokens(self) -> tuple[int, ...]:
        """What the model has before every text. Raises `EngineError`."""
        return await found_first_tokens(self._tokenizer.tokens)

    async def encode_chat(self, messages: Sequence[Message]) -> tuple[int, ...]:
        return await encoded_chat(self._tokenizer, messages, self._name)

    async def encode_thinking_chat(self, messages: Sequence[Message], *, enable_thinking: bool) -> tuple[int, ...]:
        render = partial(self._tokenizer.chat_tokens, enable_thinking=enable_thinking)
        return await encoded_chat(self._tokenizer, messages, self._name, render)

    async def tokens(self, text: str) -> tuple[int, ...]:
        """`text` as token ids, names of control tokens as those. Raises `EngineError`."""
        return await self._tokenizer.tokens(text)

    async def text(self, token_ids: Sequence[int], *, control: bool) -> str:
        """What the ids say, with the names of control tokens or without. Raises `EngineError`."""
        return await self._tokenizer.text(token_ids, control=control)

    async def generate(self, request: Generation, progress: Progress) -> Completion:
        return await self._requests.generate(request, progress)

    async def label(self, request: Labelling, progress: Progress) -> tuple[float, ...]:
        return await self._requests.label(request, progress)

    @property
    def reads(self) -> bool:
        return True

    async def read(self, request: Reading, progress: Progress) -> tuple[float, ...]:
        """The log-probability of each token that is asked for. Raises `EngineError`."""
        return await self._requests.read(request, progress)


def _checked(arguments: dict[str, object]) -> dict[str, object]:
    """What `Engine` is given beside the model. Raises `InputError` of what would leave it without its texts."""
    if "model_path" in arguments:
        raise InputError("model_path", arguments["model_path"], "the model is the first argument")
    if arguments.get("skip_tokenizer_init"):
        raise InputError("skip_tokenizer_init", True, "its tokenizer is needed: leave it out")
    return arguments


def _model_of(engine: Any, arguments: dict[str, object]) -> str:
    """The model of an engine that is there. Raises `InputError` where it is none of SGLang's, or lacks a part."""
    manager = getattr(engine, "tokenizer_manager", None)
    if manager is None or not hasattr(engine, "async_generate"):
        told = "it must be an sglang.Engine of the first node, or the folder or name of a model: sglang-local:PATH"
        raise InputError("engine", engine, told)
    if arguments:
        name = next(iter(arguments))
        raise InputError(name, arguments[name], "an engine that is there already has its settings: leave it out")
    if manager.tokenizer is None:
        raise InputError("engine", None, "its tokenizer is needed: make it without skip_tokenizer_init")
    return str(manager.model_path)
