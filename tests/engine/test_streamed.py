"""A server that goes on sending pieces and says nothing in them is as silent as one that sends none."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from spex.engine.base import Engine, Generation, Progress, Sampling
from spex.engine.http import Deadlines
from spex.engine.openai import OpenAI
from spex.engine.sglang import Sglang
from spex.engine.vllm import Vllm
from spex.errors import TimedOut
from spex.prompt import Prompt
from tests.engine import openai_server, test_sglang, test_vllm
from tests.engine.listening import Serve, listening

QUICK = Deadlines(first_token=0.4, token_gap=0.2)
SGLANG = test_sglang.Server()
EMPTY: dict[str, Any] = {"text": "", "token_ids": [], "finish_reason": None}
PIECES: dict[str, tuple[Callable[..., Engine], dict[str, Any], dict[str, Any]]] = {
    "sglang": (Sglang, SGLANG.event("", 3, None), SGLANG.event("one", 3, None)),
    "vllm": (
        Vllm,
        {"choices": [EMPTY]},
        {"choices": [{**EMPTY, "text": "o", "token_ids": [111], "logprobs": {"token_logprobs": [-0.5]}}]},
    ),
    "openai": (OpenAI, {"choices": [EMPTY]}, {"choices": [{**EMPTY, "text": "one"}]}),
}


class Chatter:
    """A server of its kind until it has been opened; then it begins each text and never goes on."""

    def __init__(self, kind: str, first: list[dict[str, Any]], again: dict[str, Any]) -> None:
        self.first = first
        self.again = again
        servers: dict[str, Serve] = {
            "sglang": SGLANG.serve,
            "vllm": test_vllm.Server().serve,
            "openai": openai_server.Server(*openai_server.ALL).serve,
        }
        self.before = servers[kind]
        self.is_open = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.is_open:
            await self.before(reader, writer)
            return
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
        for event in self.first:
            writer.write(f"data: {json.dumps(event)}\n\n".encode())
        while not writer.is_closing():
            writer.write(f"data: {json.dumps(self.again)}\n\n".encode())
            await writer.drain()
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("kind", PIECES)
@pytest.mark.parametrize("deadline", ["first_token", "token_gap"])
def test_a_text_that_no_longer_grows_runs_out_of_its_deadline(kind: str, deadline: str) -> None:
    make, empty, begun = PIECES[kind]

    async def main() -> None:
        later = deadline == "token_gap"
        # SGLang says all that there is so far again and again; others say what is new: nothing.
        chatter = Chatter(kind, [begun] if later else [], begun if later and kind == "sglang" else empty)
        async with asyncio.timeout(5.0), listening(chatter.serve) as url:
            engine = make(url, deadlines=QUICK)
            await engine.open()
            chatter.is_open = True
            progress = Progress()
            try:
                await engine.generate(Generation("k", Prompt([(49, 50, 51)]), 7, (), 20, Sampling(0.8)), progress)
            finally:
                assert bool(progress.text) is later
                await engine.close()

    with pytest.raises(TimedOut) as caught:
        asyncio.run(main())
    assert caught.value.deadline == deadline
