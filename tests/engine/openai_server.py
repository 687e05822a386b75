"""A server that speaks OpenAI's protocol, by completions or chats, as well or as badly as a test wants it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress
from typing import Any

from spex.engine.base import Generation, Sampling
from spex.engine.openai import OpenAI
from spex.prompt import Prompt
from tests.engine.listening import listening

PIECES = ("one", " two", ".\n", "\nthree", "\n\nfour")
QUESTION = "Count: "
HALF = "The weather today is very nic"


def begins_anew(body: dict[str, Any]) -> bool:
    """What a server does whose assistant's turns are whole."""
    return False


class Server:
    """Writes PIECES, a token each; refuses or ignores the options that it does not know.

    chats: it has these alone, and `goes_on` with an unfinished turn where a body tells it as it wants it.
    """

    def __init__(
        self,
        *known: str,
        strict: bool = False,
        chats: bool = False,
        goes_on: Callable[[dict[str, Any]], bool] = begins_anew,
    ) -> None:
        self.known = set(known)
        self.forms: Collection[str] = ("/chat/completions",) if chats else ("/completions",)
        self.goes_on = goes_on
        self.limit = "max_tokens"
        self.has_texts = True
        self.refused: set[str] = set()
        self.path = "/v1"
        self.strict = strict
        self.models: object = [{"id": "policy"}]
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.status = "200 OK"
        self.pieces: tuple[str, ...] = PIECES
        self.finish: str | None = "stop"
        self.newer = False
        self.spoil: Callable[[dict[str, Any]], object] = lambda event: event
        self.left_after: int | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.keys += [line[15:] for line in head.splitlines() if line.lower().startswith("authorization: ")]
        lengths = [line[15:] for line in head.splitlines() if line.lower().startswith("content-length:")]
        body = json.loads(await reader.readexactly(int(lengths[0]))) if lengths else {}
        path = head.split()[1].removeprefix(self.path)
        if path == "/models" and self.models is not None:
            await self.send(writer, "200 OK", json.dumps({"data": self.models}))
        elif path in self.forms:
            await self.complete(body, writer)
        else:
            await self.send(writer, "404 Not Found", "{}")

    async def complete(self, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        self.asked.append(body)
        unknown = {"logprobs", "seed", "stream_options"} & body.keys() - self.known
        if self.limit not in body:
            await self.send(writer, "400 Bad Request", f"use {self.limit}")
        elif self.refused & body.keys() or (self.strict and unknown):
            await self.send(writer, "400 Bad Request", f"unknown: {unknown or self.refused}")
        elif self.status != "200 OK":
            await self.send(writer, self.status, "no")
        else:
            await self.write(body, writer)

    async def write(self, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
        written = self.text_for(body)
        pieces = written[: body[self.limit]]
        with suppress(ConnectionError):
            for number, piece in enumerate(pieces, start=1):
                self.left_after = number
                await self.tell(writer, {"choices": [self.choice(body, piece, None)]})
                await asyncio.sleep(0.01)
            finish = "length" if len(pieces) < len(written) else self.finish
            await self.tell(writer, {"choices": [self.choice(body, "", finish)]})
            if "stream_options" in body and "stream_options" in self.known:
                usage = {"prompt_tokens": 7, "completion_tokens": len(pieces)}
                await self.tell(writer, {"choices": [], "usage": usage})
            writer.write(b"data: [DONE]\n\n")
            await writer.drain()

    def text_for(self, body: dict[str, Any]) -> tuple[str, ...]:
        """Behind half a word its other half comes, where the text goes on; else a turn of its own."""
        last = body["messages"][-1] if "messages" in body else {"role": "user"}
        if last["role"] == "assistant" and last["content"] == HALF:
            return ("e", ".") if self.goes_on(body) else ("A,", " B")
        if body.get("prompt", "").endswith(HALF):
            return ("e", ".") if self.has_texts else (" A,", " B")
        return self.pieces

    def choice(self, body: dict[str, Any], text: str, finish: str | None) -> dict[str, Any]:
        told: dict[str, Any] | None = None
        if "logprobs" in body and "logprobs" in self.known and text:
            newer = self.newer or "messages" in body
            told = {"content": [{"logprob": -0.5}]} if newer else {"token_logprobs": [-0.5], "tokens": [text]}
        if "messages" in body:
            return {"index": 0, "delta": {"content": text}, "logprobs": told, "finish_reason": finish}
        return {"index": 0, "text": text, "logprobs": told, "finish_reason": finish}

    async def tell(self, writer: asyncio.StreamWriter, event: dict[str, Any]) -> None:
        writer.write(f"data: {json.dumps(self.spoil(event))}\n\n".encode())
        await writer.drain()

    async def send(self, writer: asyncio.StreamWriter, status: str, text: str) -> None:
        length = len(text.encode())
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}".encode())
        await writer.drain()


ALL = ("logprobs", "seed", "stream_options")


@asynccontextmanager
async def engine_of(
    server: Server, path: str = "", model: str | None = None, *, chats: bool = False
) -> AsyncIterator[OpenAI]:
    async with listening(server.serve) as url:
        engine = OpenAI(url + path, model=model, key="secret", chats=chats)
        try:
            await engine.open()
            yield engine
        finally:
            await engine.close()


def request(stop: tuple[str, ...] = ("\n\n",), tokens_max: int = 50, prompt: str = QUESTION) -> Generation:
    return Generation("p|c", Prompt([tuple(prompt.encode())]), (1 << 64) - 1, stop, tokens_max, Sampling(0.8))
