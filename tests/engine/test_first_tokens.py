"""What a model has before every text (BOS) stands before a chat that is written without a template, once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from spex.control.clock import run_virtual
from spex.engine.abilities import first_tokens_of
from spex.engine.base import Engine, Message
from spex.engine.catalog import find_engine
from spex.engine.first_tokens import found_first_tokens
from spex.engine.function import FunctionPolicy
from spex.engine.retrying import Retrying
from spex.engine.sglang_local import SglangLocal
from spex.engine.template import Templated
from spex.engine.text_tokens import transcript
from tests.engine import test_llamacpp_server, test_sglang, test_vllm
from tests.engine.listening import listening
from tests.engine.sglang_engine import FakeEngine, Tokenizer
from tests.engine.test_spread import Place, spread

CHAT = (Message("user", "Hi"),)
FIRST, LAST = 9, 8


def around(token_ids: list[int], special: bool) -> list[int]:
    return [FIRST, *token_ids, LAST] if special else token_ids


class VllmServer(test_vllm.Server):
    def tokenized(self, body: dict[str, Any]) -> dict[str, Any]:
        return {"tokens": around(super().tokenized(body)["tokens"], body.get("add_special_tokens", True))}


class SglangServer(test_sglang.Server):
    async def answer(self, path: str, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        if path == "/v1/tokenize":
            await self.say(writer, {"tokens": around(list(map(ord, body["prompt"])), body["add_special_tokens"])})
        else:
            await super().answer(path, body, writer)


def llamacpp_server() -> test_llamacpp_server.Server:
    server = test_llamacpp_server.Server()
    server.first = chr(FIRST)
    return server


class LocalTokenizer(Tokenizer):
    def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
        return around(super().encode(text), add_special_tokens)


async def raw(engine: Engine) -> tuple[int, ...]:
    templated = Templated(engine, "none")
    await templated.open()
    try:
        return await templated.encode_chat(CHAT)
    finally:
        await templated.close()


@pytest.mark.parametrize(
    ("kind", "server"),
    [("vllm", VllmServer), ("sglang", SglangServer), ("llamacpp-server", llamacpp_server)],
)
def test_a_server_is_asked_what_its_model_has_before_a_text(kind: str, server: Any) -> None:
    async def main() -> tuple[int, ...]:
        async with listening(server().serve) as url:
            return await raw(Retrying(find_engine(f"{kind}:{url}")))

    assert asyncio.run(main()) == (FIRST, *map(ord, transcript(CHAT)))


def test_so_is_the_tokenizer_of_an_engine_in_this_process() -> None:
    engine = FakeEngine()
    engine.tokenizer_manager.tokenizer = LocalTokenizer()
    assert asyncio.run(raw(SglangLocal(engine))) == (FIRST, *map(ord, transcript(CHAT)))
    engine.loop.close()


def test_several_servers_say_what_each_of_them_says() -> None:
    class Beginning(Place):
        async def first_tokens(self) -> tuple[int, ...]:
            self._fail()
            return (FIRST,)

    several = spread([Beginning("a"), Beginning("b")])
    assert run_virtual(first_tokens_of(Retrying(several))) == (FIRST,)


def test_an_engine_that_is_sent_text_adds_it_itself() -> None:
    for engine in (FunctionPolicy(lambda prompt, seed: ""), find_engine("openai:http://127.0.0.1:3")):
        assert run_virtual(first_tokens_of(engine)) == ()


@pytest.mark.parametrize(
    ("bare", "whole", "first"),
    [
        ((5, 6), (5, 6), ()),
        ((5, 6), (1, 5, 6), (1,)),
        ((5, 6), (1, 2, 5, 6, 3), (1, 2)),
        ((5, 6), (5, 6, 3), ()),
        ((5, 6), (1, 7), ()),
    ],
)
def test_it_is_what_a_whole_text_has_before_the_text(
    bare: tuple[int, ...], whole: tuple[int, ...], first: tuple[int, ...]
) -> None:
    async def encode(text: str, *, special: bool) -> tuple[int, ...]:
        assert text
        return whole if special else bare

    assert run_virtual(found_first_tokens(encode)) == first
