"""A model server with the manners of SGLang, vLLM, llama.cpp and OpenAI's kind, which breaks as it is told to.

    python -m tests.faults.server PORT MODEL SECONDS        (in a process of its own; SECONDS for a piece of a text)

A token is a character of Latin-1. A text is a function of what stands before its step and of the seed, so that it goes
on from any of its tokens; a score is one of the whole prompt. What is at work is counted as such servers do it: from a
request's arrival to its last byte, or to the end of its connection.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import sys
from collections.abc import Mapping
from contextlib import suppress
from hashlib import blake2b
from math import log
from typing import Any, Literal, NamedTuple, TypeAlias

Protocol: TypeAlias = Literal["sglang", "vllm", "llamacpp", "openai", "chat"]
Kind: TypeAlias = Literal["text", "labels", "rows"]

JSON = "application/json"
STREAM = "text/event-stream"
PAGE = b"<!DOCTYPE html><html><body>Welcome to nginx!</body></html>"
FULL = {
    "text": "",
    "output_ids": [],
    "meta_info": {
        "finish_reason": {"type": "abort", "message": "The request queue is full.", "status_code": 503},
        "completion_tokens": 0,
        "output_token_logprobs": [],
    },
}
"""What SGLang streams, with status 200, where its queue is full."""

_PIECE_TOKENS = 4
_TRICKLE_SECONDS = 0.02


class Fault(NamedTuple):
    """What befalls requests of one `kind` with `where` in their prompt: the first `times` of them, or all.

    name: a status with which they are refused, or one of those that `Server` plays.
    """

    name: str
    where: str
    kind: Kind = "text"
    times: int | None = None


class Work(NamedTuple):
    """One request for something that a model does."""

    protocol: Protocol
    kind: Kind
    prompt: str
    body: Mapping[str, Any]
    model: str

    @property
    def id(self) -> str:
        return str(self.body.get("rid", ""))

    @property
    def text(self) -> str:
        """All that would be written, were there no limit."""
        if self.protocol != "chat":
            return self._step(self.prompt)
        if self.prompt.endswith("very nic"):  # who asks whether half an answer goes on is told that it does
            return "e."
        # White space at the end of a turn is not sent: it is written anew, and what follows it.
        rest = self._step(self.prompt)
        return rest + self._step(self.prompt + rest) if rest == "\n\n" else rest

    def _step(self, prompt: str) -> str:
        """What is left of the step behind `prompt`."""
        sampling = self.body.get("sampling_params", self.body)
        seed = sampling.get("sampling_seed", sampling.get("seed", 0))
        marks = [mark for mark in ("\n\n", "Assistant: ") if mark in prompt]
        begun = max((prompt.rfind(mark) + len(mark) for mark in marks), default=len(prompt))
        number = hashed(f"{self.model} {seed} {prompt[:begun]}")
        ends = number % 3 == 0 and not prompt[:begun].endswith("Assistant: ")
        whole = f"Answer: {number % 5}" if ends else f"There are {number % 1000} apples now.\n\n"
        return whole[len(prompt) - begun :]

    @property
    def tokens_max(self) -> int:
        limits = {**self.body.get("sampling_params", {}), **self.body}
        return int(next((limits[name] for name in ("max_new_tokens", "n_predict", "max_tokens") if name in limits), 1))


class Server:
    """Serves `model`, a piece of each text every `piece_seconds`. `begun` are the texts that it was asked for."""

    def __init__(self, model: str = "small", piece_seconds: float = 0.002) -> None:
        self.model = model
        self.piece_seconds = piece_seconds
        self.faults: list[Fault] = []
        self.ignores_aborts = False
        self.ignored = 0
        self.full_times = 0
        self.running = 0
        self.begun: list[Work] = []
        self._met: dict[Fault, int] = {}
        self._aborted: set[str] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        begun = b""
        while True:
            head = (begun + await reader.readuntil(b"\r\n\r\n")).decode()
            lengths = [line[15:] for line in head.splitlines() if line.lower().startswith("content-length:")]
            body = json.loads(await reader.readexactly(int(lengths[0]))) if lengths and int(lengths[0]) else {}
            answering = asyncio.ensure_future(self._answer(head.split()[1].partition("?")[0], body, writer))
            leaving = asyncio.ensure_future(reader.read(1))
            try:
                await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
                begun = leaving.result() if leaving.done() else b""
                if leaving.done() and not begun and not answering.done():
                    if not self.ignores_aborts:
                        return
                    self.ignored += 1
                if not await answering:
                    return
            finally:
                answering.cancel()
                leaving.cancel()
                await asyncio.gather(answering, leaving, return_exceptions=True)

    async def _answer(self, path: str, body: dict[str, Any], writer: asyncio.StreamWriter) -> bool:
        """Whether the connection may be used again."""
        if self.full_times:
            self.full_times -= 1
            await say(writer, b"{}", status="503 Service Unavailable")
            return True
        work = self._work(path, body)
        if work is None:
            told = self._told(path, body)
            found = told if isinstance(told, str) else json.dumps(told)
            await say(writer, found.encode(), status="404 Not Found" if told is None else "200 OK")
            return True
        if body.get("model", self.model) != self.model:
            await say(writer, b'{"error": {"message": "no such model"}}', status="404 Not Found")
            return True
        self.running += 1
        try:
            return await self._do(work, writer)
        finally:
            self.running -= 1

    def _told(self, path: str, body: Mapping[str, Any]) -> Any:
        """What there is at `path` but for the model's work."""
        match path:
            case "/abort_request":
                self._aborted |= set() if self.ignores_aborts else {body["rid"]}
                return ""
            case "/tokenize" if "content" in body:
                return {"tokens": ids_of(body["content"])}
            case "/apply-template":
                return {"prompt": transcript(body["messages"])}
            case "/tokenize" | "/v1/tokenize":
                text = body["prompt"] if "prompt" in body else transcript(body["messages"])
                return {"tokens": ids_of(text), "token_strs": list(text)}
            case "/detokenize" | "/v1/detokenize":
                text = text_of(body["tokens"])
                return {"text": text, "prompt": text}
        return self._pages().get(path)

    def _pages(self) -> dict[str, Any]:
        slots = {"effective_max_running_requests_per_dp": 16}
        info = {"is_embedding": False, "enable_deterministic_inference": True, "dp_size": 1, "max_req_input_len": 4096}
        props = {"total_slots": 16, "default_generation_settings": {"n_ctx": 4096}, "model_path": self.model}
        return {
            "/props": props,
            "/slots": [{"n_ctx": 4096, "is_processing": number < self.running} for number in range(16)],
            "/health": {},
            "/version": {"version": "0.32.0"},
            "/server_info": {**info, "internal_states": [slots], "model_path": self.model},
            "/v1/models": {"data": [{"id": self.model, "root": self.model, "max_model_len": 4096}]},
            "/v1/loads": {"loads": [{"num_running_reqs": self.running, "num_waiting_reqs": 0}]},
            "/metrics": f"vllm:num_requests_running {self.running}.0\nvllm:num_requests_waiting 0.0\n",
        }

    def _work(self, path: str, body: Mapping[str, Any]) -> Work | None:
        match path:
            case "/generate":
                kind: Kind = "text" if body.get("stream") else "labels"
                work = Work("sglang", kind, text_of(body["input_ids"]), body, self.model)
            case "/completion":
                kind = "text" if body.get("stream") else "labels"
                work = Work("llamacpp", kind, text_of(body["prompt"]), body, self.model)
            case "/v1/chat/completions":
                work = Work("chat", "text", said_in(body["messages"]), body, self.model)
            case "/v1/completions" if isinstance(body["prompt"], str):
                work = Work("openai", "text", body["prompt"], body, self.model)
            case "/v1/completions":
                kind = "labels" if "logprob_token_ids" in body else "text"
                work = Work("vllm", kind, text_of(body["prompt"]), body, self.model)
            case "/pooling":
                work = Work("vllm", "rows", text_of(body["input"]), body, self.model)
            case "/classify":
                work = Work("sglang", "rows", text_of(body["input_ids"]), body, self.model)
            case _:
                return None
        if work.kind == "text":
            self.begun.append(work)
        return work

    async def _do(self, work: Work, writer: asyncio.StreamWriter) -> bool:
        fault = self._fault(work)
        if fault == "503" and work.protocol == "sglang" and work.kind == "text":
            writer.write(head_of(STREAM) + b"data: " + json.dumps(FULL).encode() + b"\n\ndata: [DONE]\n\n")
            return False
        if fault is not None and await self._refuses(fault, writer):
            return fault not in ("closed", "not HTTP")
        if work.kind != "text":
            await self._say_numbers(work, fault, writer)
            return fault is None
        writer.write(head_of(STREAM))
        if fault == "trickle":
            await trickle(writer, b" " * 10_000)
        await self._write(work, fault, writer)
        return False

    def _fault(self, work: Work) -> str | None:
        for fault in self.faults:
            met = self._met.get(fault, 0)
            if fault.kind == work.kind and fault.where in work.prompt and (fault.times is None or met < fault.times):
                self._met[fault] = met + 1
                return fault.name
        return None

    async def _refuses(self, fault: str, writer: asyncio.StreamWriter) -> bool:
        """Play what needs no look at the request."""
        match fault:
            case "hang":
                await asyncio.sleep(3600.0)
            case "429":
                await say(writer, b"{}", status="429 Too Many Requests", more="Retry-After: 20\r\n")
            case "503" | "500":
                await say(writer, b'{"error": "queue full, or out of memory"}', status=f"{fault} So It Is")
            case "page":
                await say(writer, PAGE, kind="text/html")
            case "closed":
                pass
            case "not HTTP":
                writer.write(b"SSH-2.0-OpenSSH_9.6\r\n")
                await writer.drain()
            case _:
                return False
        return True

    async def _write(self, work: Work, fault: str | None, writer: asyncio.StreamWriter) -> None:
        """The text, piece by piece, to its end or to its fault."""
        whole = work.text[: work.tokens_max]
        ends = range(_PIECE_TOKENS, len(whole) + _PIECE_TOKENS, _PIECE_TOKENS)
        for before, end in zip((0, *ends), ends, strict=False):
            await asyncio.sleep(self.piece_seconds)
            over = end >= len(whole)
            aborted = fault == "aborted" or work.id in self._aborted
            finish = "abort" if aborted else None if not over else "stop" if whole == work.text else "length"
            logprob = float("nan") if fault == "nan" else -0.25
            with suppress(*((ConnectionError,) if self.ignores_aborts else ())):
                for event in pieces(work, whole[:end], before, finish, logprob):
                    writer.write(b"data: " + json.dumps(event).encode() + b"\n\n")
                await writer.drain()
            if finish is not None:
                break
            match fault:
                case "silent":
                    await asyncio.sleep(3600.0)
                case "cut":
                    return
                case "reset":
                    linger = struct.pack("ii", 1, 0)  # so that it is a reset, and no orderly end
                    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    return
                case "garbage":
                    writer.write(b"data: \x00\xff\xfe{{]\n\n")
        writer.write(b"data: [DONE]\n\n")

    async def _say_numbers(self, work: Work, fault: str | None, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(self.piece_seconds)
        told = json.dumps(labels_of(work, fault) if work.kind == "labels" else rows_of(work, fault)).encode()
        if fault == "garbage":
            told = b"\x00\xff" + told[: len(told) // 2]
        writer.write(head_of(JSON, length=len(told)))
        if fault == "trickle":
            await trickle(writer, told)
        writer.write(told[: len(told) // 2] if fault == "cut" else told)
        await writer.drain()


async def trickle(writer: asyncio.StreamWriter, told: bytes) -> None:
    for byte in told:
        writer.write(bytes((byte,)))
        await writer.drain()
        await asyncio.sleep(_TRICKLE_SECONDS)


def pieces(work: Work, text: str, before: int, finish: str | None, logprob: float) -> list[dict[str, Any]]:
    """The events of what is new: one, but for llama.cpp, which has one for each token, and one for the end."""
    if work.protocol != "llamacpp":
        return [piece(work, text, before, finish, logprob)]
    timings = {"cache_n": 0, "prompt_n": len(work.prompt)}
    stopped = finish == "stop" and text.endswith("\n\n")
    shown = text.removesuffix("\n\n") if stopped else text
    events: list[dict[str, Any]] = [
        {
            "stop": False,
            "content": shown[number : number + 1],
            "tokens": ids_of(text[number]),
            "tokens_predicted": number + 1,
            "timings": timings,
            "completion_probabilities": [{"logprob": logprob}],
        }
        for number in range(before, len(text))
    ]
    if finish is not None:
        kind = "word" if stopped else {"stop": "eos", "length": "limit"}.get(finish, "none")
        word = "\n\n" if stopped else ""
        end = {"stop": True, "content": "", "stop_type": kind, "stopping_word": word, "tokens_predicted": len(text)}
        events.append({**end, "timings": timings})
    return events


def piece(work: Work, text: str, before: int, finish: str | None, logprob: float) -> dict[str, Any]:
    """One event, as the protocol has it; `before` of the text's characters were in earlier ones."""
    new = text[before:]
    stopped = "\n\n" if finish == "stop" and text.endswith("\n\n") else None
    if work.protocol == "sglang":
        meta = {
            "completion_tokens": len(text),
            "prompt_tokens": len(work.prompt),
            "cached_tokens": 0,
            "output_token_logprobs": [[logprob, token, None] for token in ids_of(text)],
            "finish_reason": {"type": finish, "matched": stopped, "message": "by somebody"} if finish else None,
        }
        return {"text": text, "output_ids": ids_of(text), "meta_info": meta}
    choice = {"text": new, "logprobs": {"token_logprobs": [logprob] * len(new)}, "finish_reason": finish}
    if work.protocol == "openai":
        return {"choices": [choice]}
    if work.protocol == "chat":
        told = {"content": [{"logprob": logprob}] * len(new)}
        return {"choices": [{"delta": {"content": new}, "logprobs": told, "finish_reason": finish}]}
    usage = {"prompt_tokens": len(work.prompt), "completion_tokens": len(text)}
    return {"choices": [{**choice, "token_ids": ids_of(new), "stop_reason": stopped}], "usage": usage}


def said_in(messages: list[dict[str, str]]) -> str:
    """A chat as text, and what of the assistant's turn has been said."""
    begun = messages[-1]["content"] if messages[-1]["role"] == "assistant" else ""
    return transcript(messages[:-1] if messages[-1]["role"] == "assistant" else messages) + begun


def labels_of(work: Work, fault: str | None) -> dict[str, Any]:
    """The probabilities of two labels; `fewer`: of the first alone."""
    share = share_of(work.prompt)
    asked = work.body.get("token_ids_logprob", work.body.get("logprob_token_ids"))
    chances = dict(zip(asked, (float("nan") if fault == "nan" else log(share), log(1.0 - share)), strict=True))
    if fault == "fewer":
        del chances[asked[1]]
    usage = {"prompt_tokens": len(work.prompt), "cached_tokens": 0, "completion_tokens": 1}
    if work.protocol == "sglang":  # whose JSON has null for what is no number
        all_ = [[None if fault == "nan" else value, token, None] for token, value in chances.items()]
        return {"meta_info": {**usage, "output_token_ids_logprobs": [all_]}}
    named = {f"token_id:{token}": value for token, value in chances.items()}
    return {"choices": [{"logprobs": {"top_logprobs": [named]}}], "usage": usage}


def rows_of(work: Work, fault: str | None) -> dict[str, Any]:
    """A logit for each token (vLLM), or for the last one (SGLang); `fewer`: all but one."""
    ends = range(1, len(work.prompt) + 1) if work.protocol == "vllm" else (len(work.prompt),)
    rows = [[share_of(work.prompt[:end])] for end in ends][(fault == "fewer") :]
    rows = [[float("nan")] for _ in rows] if fault == "nan" else rows
    usage = {"prompt_tokens": len(work.prompt)}
    if work.protocol == "vllm":
        return {"data": [{"data": rows}], "usage": usage}
    return {"embedding": rows[0] if rows else [], "meta_info": usage}


async def say(
    writer: asyncio.StreamWriter, told: bytes, status: str = "200 OK", kind: str = JSON, more: str = ""
) -> None:
    writer.write(head_of(kind, status, more, len(told)) + told)
    await writer.drain()


def head_of(kind: str, status: str = "200 OK", more: str = "", length: int | None = None) -> bytes:
    """The beginning of an answer; one without a length goes on to the end of its connection."""
    long = "Connection: close" if length is None else f"Content-Length: {length}"
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{more}{long}\r\n\r\n".encode()


def transcript(messages: list[dict[str, str]]) -> str:
    turns = [f"{message['role'].capitalize()}: {message['content']}\n\n" for message in messages]
    return "".join([*turns, "Assistant: "])


def hashed(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=4).digest(), "big")


def share_of(text: str) -> float:
    return (1 + hashed(text) % 997) / 1000


def ids_of(text: str) -> list[int]:
    return list(text.encode("latin-1"))


def text_of(token_ids: list[int]) -> str:
    return bytes(token_ids).decode("latin-1")


async def main(port: int, model: str, piece_seconds: float) -> None:
    server = await asyncio.start_server(_closing(Server(model, piece_seconds)), "127.0.0.1", port)
    async with server:
        await server.serve_forever()


def _closing(server: Server) -> Any:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await server.serve(reader, writer)
        writer.close()

    return answer


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3])))
