"""What SGLang and vLLM say of a text that they have not written, and of chats whose template knows of thinking."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from math import inf
from typing import Any

import pytest

from spex.engine.abilities import Reading
from spex.engine.base import Message, Progress
from spex.engine.sglang import Sglang
from spex.engine.vllm import Vllm
from spex.errors import Misbehaving
from spex.prompt import Prompt
from spex.usage import Tokens
from tests.engine import test_sglang, test_vllm
from tests.engine.listening import listening

PROMPT = Prompt([(1, 2, 3), (4, 5)])
READING = Reading("p|score", PROMPT, 3)
CHAT = (Message("user", "hi"),)


class SglangServer(test_sglang.Server):
    """Gives each token of a prompt its id over ten, negative; its tokenizer has a token a letter."""

    async def answer(self, path: str, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        if path == "/v1/tokenize":
            self.asked.append(body)
            turns = "".join(turn["content"] for turn in body.get("messages", ()))
            told = str(body.get("chat_template_kwargs", {}).get("enable_thinking", ""))
            await self.say(writer, {"tokens": [ord(letter) for letter in body.get("prompt", turns + told)]})
        elif path == "/generate" and "token_ids_logprob" not in body and not body.get("stream"):
            self.asked.append(body)
            start, ids = body["logprob_start_len"], body["input_ids"]
            read = [[None, ids[start], None], *([-token / 10, token, None] for token in ids[start + 1 :])]
            meta = {"prompt_tokens": len(ids), "cached_tokens": start, "input_token_logprobs": read}
            await self.say(writer, self.spoil({"meta_info": meta, "text": ""}))
        else:
            await super().answer(path, body, writer)


class VllmServer(test_vllm.Server):
    """Gives each token of a prompt its id over ten, negative."""

    async def complete(self, body: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if "prompt_logprobs" not in body:
            await super().complete(body, reader, writer)
            return
        self.asked.append(body)
        ids = body["prompt"]
        told = [None, *({str(token): {"logprob": -token / 10, "rank": 1}} for token in ids[1:])]
        usage = {"prompt_tokens": len(ids), "completion_tokens": 1}
        await self.say(writer, self.spoil({"choices": [{"text": "x", "prompt_logprobs": told}], "usage": usage}))


@asynccontextmanager
async def opened(server: SglangServer | VllmServer) -> AsyncIterator[Sglang | Vllm]:
    async with listening(server.serve) as url:
        engine = Sglang(url) if isinstance(server, SglangServer) else Vllm(url)
        await engine.open()
        try:
            server.asked.clear()
            yield engine
        finally:
            await engine.close()


@pytest.mark.parametrize(("server", "cost"), [(SglangServer, Tokens(0, 2, 0, 3)), (VllmServer, Tokens(0, 0, 0, 6))])
def test_each_token_from_the_start_on_has_its_own_log_probability(server: type[Any], cost: Tokens) -> None:
    async def main() -> None:
        async with opened(server()) as engine:
            progress = Progress()
            assert engine.reads
            assert await engine.read(READING, progress) == (-0.4, -0.5)
            assert engine.counters() == (0, cost)
            assert progress.cost == cost

    asyncio.run(main())


def test_no_token_is_drawn_where_none_need_be_and_no_more_is_read_anew_than_must() -> None:
    async def main() -> None:
        server = SglangServer()
        async with opened(server) as engine:
            await engine.read(READING, Progress())
        assert server.asked[0]["sampling_params"]["max_new_tokens"] == 0
        assert server.asked[0]["logprob_start_len"] == 2

    asyncio.run(main())


def meta(**changed: object) -> Callable[[dict[str, Any]], object]:
    return lambda answer: {"meta_info": {**answer["meta_info"], **changed}}


def told(*changed: object) -> Callable[[dict[str, Any]], object]:
    return lambda answer: {**answer, "choices": [{"text": "", "prompt_logprobs": list(changed)}]}


def chance(value: object) -> dict[str, dict[str, object]]:
    return {"4": {"logprob": value}, "5": {"logprob": value}}


@pytest.mark.parametrize(
    ("server", "spoil"),
    [
        (SglangServer, lambda answer: {}),
        (SglangServer, meta(prompt_tokens=4)),
        (SglangServer, meta(cached_tokens=6)),
        (SglangServer, meta(cached_tokens=-1)),
        (SglangServer, meta(input_token_logprobs=[])),
        (SglangServer, meta(input_token_logprobs=[[None, 3, None], [-1.0, 4, None]])),
        (SglangServer, meta(input_token_logprobs=[[None, 3, None], [-1.0, 4, None], [-1.0, 6, None]])),
        (SglangServer, meta(input_token_logprobs=[[None, 3, None], [-1.0, 4, None], [0.5, 5, None]])),
        (SglangServer, meta(input_token_logprobs=[[None, 3, None], [-1.0, 4, None], ["-1", 5, None]])),
        (SglangServer, meta(input_token_logprobs=[[None, 3, None], [float("nan"), 4, None], [-1.0, 5, None]])),
        (VllmServer, lambda answer: {}),
        (VllmServer, lambda answer: {**answer, "choices": []}),
        (VllmServer, lambda answer: {**answer, "usage": {"prompt_tokens": 4, "completion_tokens": 1}}),
        (VllmServer, told()),
        (VllmServer, told(None, None, None, None, None)),
        (VllmServer, told(None, None, None, chance(-1.0))),
        (VllmServer, told(None, None, None, chance(-1.0), {"6": {"logprob": -1.0}})),
        (VllmServer, told(None, None, None, chance(-1.0), chance(0.5))),
        (VllmServer, told(None, None, None, chance(-1.0), chance("x"))),
        (VllmServer, told(None, None, None, chance(-1.0), chance(float("nan")))),
    ],
)
def test_an_answer_that_cannot_be_right_is_misbehaving(
    server: type[Any], spoil: Callable[[dict[str, Any]], object]
) -> None:
    async def main() -> None:
        fake = server()
        fake.spoil = spoil
        async with opened(fake) as engine:
            with pytest.raises(Misbehaving):
                await engine.read(READING, Progress())
            assert engine.counters().running == 0

    asyncio.run(main())


def test_sglangs_quirks_are_known() -> None:
    async def main() -> None:
        server = SglangServer()
        server.spoil = meta(input_token_logprobs=[[None, 3, None], [None, 4, None], [-1.0, 0, None]])
        async with opened(server) as engine:
            assert await engine.read(READING, Progress()) == (-inf, -1.0)

    asyncio.run(main())


@pytest.mark.parametrize("server", [SglangServer, VllmServer])
def test_a_reading_that_is_cancelled_is_let_go_of(server: type[Any]) -> None:
    class Silent(server):  # type: ignore[misc]  # either of them
        async def say(self, writer: asyncio.StreamWriter, value: object) -> None:
            if self.asked and ("logprob_start_len" in self.asked[-1] or "prompt_logprobs" in self.asked[-1]):
                await asyncio.sleep(60.0)
            await super().say(writer, value)

    async def main() -> None:
        fake = Silent()
        async with opened(fake) as engine:
            task = asyncio.ensure_future(engine.read(READING, Progress()))
            while not fake.asked:  # noqa: ASYNC110  # a server on a real clock
                await asyncio.sleep(0.005)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert engine.counters() == (0, Tokens())

    asyncio.run(main())


@pytest.mark.parametrize("on", [True, False])
def test_sglangs_template_is_told_whether_its_model_is_to_think(on: bool) -> None:
    async def main() -> None:
        server = SglangServer()
        async with opened(server) as engine:
            usual = await engine.encode_chat(CHAT)
            assert "chat_template_kwargs" not in server.asked[0]
            assert await engine.encode_thinking_chat(CHAT, enable_thinking=on) == (*usual, *map(ord, str(on)))

    asyncio.run(main())


@pytest.mark.parametrize("on", [True, False])
def test_vllms_template_is_told_whether_its_model_is_to_think(on: bool) -> None:
    class Thinks(VllmServer):
        def tokenized(self, body: dict[str, Any]) -> dict[str, Any]:
            found = super().tokenized(body)
            told = str(body.get("chat_template_kwargs", {}).get("enable_thinking", ""))
            return {**found, "tokens": [*found["tokens"], *map(ord, told)]}

    async def main() -> None:
        async with opened(Thinks()) as engine:
            usual = await engine.encode_chat(CHAT)
            assert await engine.encode_thinking_chat(CHAT, enable_thinking=on) == (*usual, *map(ord, str(on)))

    asyncio.run(main())
