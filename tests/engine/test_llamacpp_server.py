"""A running server of llama.cpp: the real one, and for what that does not do on demand a pretended one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

import spex
from spex.engine.base import Generation, Labelling, Message, Progress, Sampling
from spex.engine.catalog import find_engine
from spex.engine.drafts import Drafts
from spex.engine.llamacpp import LlamaCpp
from spex.engine.llamacpp_drafts import LocalDraft
from spex.engine.llamacpp_requests import folded
from spex.engine.llamacpp_server import LlamaCppServer
from spex.engine.openai import OpenAI
from spex.engine.vllm import Vllm
from spex.errors import InputError, Misbehaving, Overloaded, Unreachable
from spex.prompt import Prompt
from tests.engine.listening import listening
from tests.engine.llamacpp_real import real_server

STORY = [Message("user", "Tell me a very long story.")]


@asynccontextmanager
async def real(slots: int = 2, draft: LocalDraft | None = None) -> AsyncIterator[LlamaCppServer]:
    async with real_server(slots, draft=draft) as (url, key):
        engine = LlamaCppServer(url, key=key)
        await engine.open()
        try:
            yield engine
        finally:
            await engine.close()


@pytest.mark.engine
def test_it_says_what_it_can_and_who_it_is() -> None:
    async def main() -> None:
        async with real(slots=3) as engine:
            can = engine.capabilities
            assert (can.slots, can.context_tokens) == (3, 512)
            assert (can.seed, can.log_probabilities, can.label_scores) == ("none", True, True)
            assert can.abort_confirmed
            assert can.drafts is None
            assert engine.identity.version.startswith("llama.cpp")
            assert engine.identity.model.endswith(".gguf")
            assert await engine.load() == 0
            await engine.recheck()

    asyncio.run(main())


@pytest.mark.engine
def test_its_texts_and_labels_are_those_of_the_same_llama_cpp_in_this_process() -> None:
    async def main() -> None:
        embedded = LlamaCpp(slots=2, context_tokens=512, threads=1)
        await embedded.open()
        try:
            async with real() as engine:
                chat = await engine.encode_chat([Message("user", "Count: one, <|im_end|> two.")])
                assert chat == await embedded.encode_chat([Message("user", "Count: one, <|im_end|> two.")])
                request = Generation("t|c", Prompt([chat]), 1, (",",), 20, Sampling(0.7))
                found, same = [await one.generate(request, Progress()) for one in (engine, embedded)]
                assert found == same
                labels = Labelling("l", Prompt([chat]), (1, 2, found.token_ids[0]))
                assert await engine.label(labels, Progress()) == pytest.approx(await embedded.label(labels, Progress()))
        finally:
            await embedded.close()

    asyncio.run(main())


@pytest.mark.engine
def test_an_aborted_text_leaves_its_slot_and_others_on_the_server_are_not_waited_for_forever() -> None:
    async def main() -> None:
        async with real_server() as (url, key):
            ours, others = LlamaCppServer(url, key=key), LlamaCppServer(url, key=key)
            await asyncio.gather(ours.open(), others.open())
            prompt = Prompt([await ours.encode_chat(STORY)])
            tasks, progress = [], [Progress(), Progress()]
            for engine, one in zip((ours, others), progress, strict=True):
                request = Generation("t|c", prompt, 1, (), 400)
                tasks.append(asyncio.ensure_future(engine.generate(request, one)))
            while not all(one.token_ids for one in progress):  # noqa: ASYNC110  # a real engine on a real clock
                await asyncio.sleep(0.01)
            assert await ours.load() == 2
            for task in tasks:  # with the others' text running, then alone
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            assert await ours.load() == 0
            assert (ours.counters().running, others.counters().running) == (0, 0)
            await asyncio.gather(ours.close(), others.close())

    asyncio.run(main())


@pytest.mark.engine
def test_of_drafts_it_tells_and_then_no_log_probabilities() -> None:
    async def main() -> None:
        async with real(slots=1, draft=LocalDraft("ngram", 4)) as engine:
            assert engine.capabilities.drafts == Drafts("its own", alone=True)
            assert not engine.capabilities.log_probabilities
            prompt = Prompt([await engine.encode("one two three. " * 3)])
            found = await engine.generate(Generation("t|c", prompt, 1, (), 12, Sampling(0.0)), Progress())
            assert found.logprobs is None
            assert len(found.token_ids) == 12

    asyncio.run(main())


@pytest.mark.engine
def test_a_search_runs_on_it_and_leaves_nothing() -> None:
    async def main() -> None:
        async with real(slots=4) as engine:
            search = spex.Rebase(width=2, depth_max=2)
            found = await spex.solve(
                "What is 2 + 2?", policy=engine, reward="confidence", search=search, step_tokens_max=8
            )
            assert found.partial is None
            assert found.usage.paid.generated == engine.counters().cost.generated
            assert await engine.load() == 0

    asyncio.run(main())


_OF_SEVERAL_TOKENS = [
    "√2 ≠ √3, ∞ and ½ x², √2 ≠ √3, ∞ and",
    "List:\n中\n文\n中\n文\n中\n文\n",
    "a √ b\n√ c\n√ d\n√ e\n√",
]


@pytest.mark.engine
@pytest.mark.parametrize("begun", _OF_SEVERAL_TOKENS)
def test_characters_of_several_tokens_cut_no_text_and_a_limit_leaves_nothing_out(begun: str) -> None:
    async def main() -> None:
        async with real_server() as (url, key):
            engine = LlamaCppServer(url, key=key)
            await engine.open()
            prompt, texts = Prompt([await engine.encode(begun)]), ""
            for seed in range(1, 6):
                progress = Progress()
                found = await engine.generate(Generation("t|c", prompt, seed, ("\n\n",), 40, Sampling(0.5)), progress)
                # A limit within a character leaves the first of its tokens out.
                assert progress.cost.generated - len(found.token_ids) <= (3 if found.end == "length" else 0)
                assert len(found.logprobs or ()) == len(found.token_ids)
                assert found.text == await spelled(url, key, found.token_ids)
                texts += found.text
            await engine.close()
            assert any(ord(character) > 0x7F for character in texts)  # without one, nothing is shown

    asyncio.run(main())


async def spelled(url: str, key: str, token_ids: Sequence[int]) -> str:
    async with httpx2.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {key}"}) as client:
        told = await client.post("/detokenize", json={"tokens": list(token_ids)})
        return str(told.raise_for_status().json()["content"])


@pytest.mark.engine
def test_another_kind_of_engine_names_it_and_a_wrong_key_is_told() -> None:
    async def main() -> None:
        async with real_server() as (url, key):
            with pytest.raises(
                InputError, match=r"server of llama\.cpp, and none of vLLM: name it as llamacpp-server:"
            ):
                await Vllm(url, key=key).open()
            with pytest.raises(InputError, match="LLAMA_API_KEY"):
                await LlamaCppServer(url).open()
            by_chats = OpenAI(url, key=key, chats=True)
            await by_chats.open()
            await by_chats.close()

    asyncio.run(main())


PROPS = {
    "total_slots": 2,
    "default_generation_settings": {"n_ctx": 128, "params": {}},
    "model_path": "/models/one.gguf",
    "build_info": "b9000-abcdef",
}


class Server:
    """Says PROPS, and writes one token and an end."""

    def __init__(self) -> None:
        self.props: dict[str, Any] = dict(PROPS)
        self.slots_status = "200 OK"
        self.slots_seconds = 0.0
        self.first = ""
        self.slots: list[dict[str, Any]] | None = [{"n_ctx": 128, "is_processing": True}] * 2
        self.status = "200 OK"
        self.seconds = 0.0
        self.events: list[dict[str, Any]] = [
            {
                "content": "one",
                "tokens": [1],
                "stop": False,
                "tokens_predicted": 1,
                "timings": {"cache_n": 3, "prompt_n": 2},
                "completion_probabilities": [{"logprob": -0.5}],
            }
        ]
        self.asked: list[dict[str, Any]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lengths = [line[15:] for line in head.splitlines() if line.lower().startswith("content-length:")]
        body = json.loads(await reader.readexactly(int(lengths[0]))) if lengths else {}
        path = head.split()[1]
        if self.status != "200 OK":
            await self.send(writer, self.status, "{}")
        elif path == "/props":
            await self.send(writer, "200 OK", json.dumps(self.props))
        elif path == "/slots" and self.slots is not None:
            await asyncio.sleep(self.slots_seconds)
            await self.send(writer, self.slots_status, json.dumps(self.slots))
        elif path == "/tokenize":
            text = (self.first if body["add_special"] else "") + body["content"]
            await self.send(writer, "200 OK", json.dumps({"tokens": list(text.encode())}))
        elif path == "/apply-template":
            said = "".join(f"<{turn['role']}>{turn['content']}" for turn in body["messages"])
            await self.send(writer, "200 OK", json.dumps({"prompt": f"{said}<assistant>"}))
        elif path == "/completion":
            self.asked.append(body)
            await asyncio.sleep(self.seconds)
            told = "".join(f"data: {json.dumps(event)}\n\n" for event in self.events)
            await self.send(writer, "200 OK", told, "text/event-stream")
        else:
            await self.send(writer, "501 Not Implemented" if path == "/slots" else "404 Not Found", "{}")

    async def send(self, writer: asyncio.StreamWriter, status: str, text: str, kind: str = "application/json") -> None:
        head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n"
        writer.write((head + text).encode())
        await writer.drain()


@asynccontextmanager
async def pretended(server: Server) -> AsyncIterator[LlamaCppServer]:
    async with listening(server.serve) as url:
        engine = find_engine(f"llamacpp-server:{url}")
        assert isinstance(engine, LlamaCppServer)
        await engine.open()
        try:
            yield engine
        finally:
            await engine.close()


def test_a_server_that_does_not_tell_its_slots_confirms_no_abort() -> None:
    async def main() -> None:
        server = Server()
        server.slots = None
        async with pretended(server) as engine:
            assert not engine.capabilities.abort_confirmed
            assert await engine.load() is None

    asyncio.run(main())


@pytest.mark.parametrize("first", ["^", ""])
def test_what_a_model_has_before_every_text_is_before_a_chat_once(first: str) -> None:
    """The server takes it off its templates, for it would add it to a text; token ids are taken as they are."""

    async def main() -> None:
        server = Server()
        server.first = first
        async with pretended(server) as engine:
            for said in ("Hi", "Ho"):
                chat = await engine.encode_chat([Message("user", said)])
                assert bytes(chat).decode() == f"{first}<user>{said}<assistant>"
            assert bytes(await engine.encode("word")) == b"word"

    asyncio.run(main())


def test_opened_again_at_a_server_with_another_model_it_has_nothing_of_the_first_one() -> None:
    async def main() -> None:
        server = Server()
        async with listening(server.serve) as url:
            engine = LlamaCppServer(url)
            for first, slots in (("^", 2), ("$$", 3)):
                server.first, server.props["total_slots"] = first, slots
                await engine.open()
                try:
                    chat = await engine.encode_chat([Message("user", "Hi")])
                    assert bytes(chat).decode() == f"{first}<user>Hi<assistant>"
                    assert engine.capabilities.slots == slots
                finally:
                    await engine.close()

    asyncio.run(main())


@pytest.mark.parametrize(("status", "seconds"), [("501 Not Implemented", 0.0), ("401 No", 0.0), ("200 OK", 100.0)])
def test_a_cancellation_comes_through_whatever_becomes_of_the_slots(status: str, seconds: float) -> None:
    async def main() -> None:
        server = Server()
        async with pretended(server) as engine:
            server.slots_status, server.slots_seconds, server.seconds = status, seconds, 100.0
            request = Generation("t|c", Prompt([(1, 2)]), 1, (), 5)
            task = asyncio.ensure_future(engine.generate(request, Progress()))
            while not server.asked:  # noqa: ASYNC110  # a server on a real clock
                await asyncio.sleep(0.01)
            task.cancel()
            async with asyncio.timeout(10.0):
                with pytest.raises(asyncio.CancelledError):
                    await task
            assert engine.counters().running == 0

    asyncio.run(main())


def test_a_token_without_a_probability_is_of_a_draft_and_then_none_is_told_any_more() -> None:
    async def main() -> None:
        server = Server()
        drafted = {**server.events[0], "tokens_predicted": 2, "completion_probabilities": []}
        end = {"stop": True, "stop_type": "eos", "content": "", "stopping_word": "", "tokens_predicted": 2}
        server.events += [drafted, {**end, "timings": {"cache_n": 3, "prompt_n": 2}}]
        async with pretended(server) as engine:
            assert engine.capabilities.log_probabilities
            found = await engine.generate(Generation("t|c", Prompt([(1, 2)]), 1, (), 5), Progress())
            assert (found.text, found.logprobs, found.end) == ("oneone", None, "eos")
            assert not engine.capabilities.log_probabilities

    asyncio.run(main())


def test_a_router_of_several_models_is_told_how_one_of_them_is_named() -> None:
    async def main() -> None:
        server = Server()
        server.props = {"role": "router"}
        with pytest.raises(InputError, match="router of several models: name one of them, as openai:URL#NAME"):
            async with pretended(server):
                pass

    asyncio.run(main())


def test_one_that_loads_its_model_is_full_and_one_that_is_no_llama_cpp_is_refused() -> None:
    async def main() -> None:
        server = Server()
        server.status = "503 Service Unavailable"
        with pytest.raises(Overloaded):
            async with pretended(server):
                pass
        server.status, server.props = "200 OK", {"total_slots": 0}
        with pytest.raises(Misbehaving, match="/props"):
            async with pretended(server):
                pass

    asyncio.run(main())


def test_another_model_after_a_restart_is_told_apart() -> None:
    async def main() -> None:
        server = Server()
        async with pretended(server) as engine:
            server.props["model_path"] = "/models/two.gguf"
            with pytest.raises(InputError, match=r"two\.gguf' now and served 'one\.gguf'"):
                await engine.recheck()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("events", "error"),
    [
        ([{"error": {"code": 500, "message": "out of memory"}}], Unreachable),
        ([{"stop": True}], Misbehaving),
        ([], Unreachable),
    ],
)
def test_a_stream_that_fails_says_how(events: list[dict[str, Any]], error: type[Exception]) -> None:
    async def main() -> None:
        server = Server()
        server.events += events
        async with pretended(server) as engine:
            with pytest.raises(error):
                await engine.generate(Generation("t|c", Prompt([(1, 2)]), 1, (), 5), Progress())
            assert engine.counters().running == 0

    asyncio.run(main())


def test_what_a_server_was_started_with_does_not_change_how_tokens_are_drawn() -> None:
    async def main() -> None:
        server = Server()
        async with pretended(server) as engine:
            with pytest.raises(Unreachable):
                await engine.generate(Generation("t|c", Prompt([(1, 2)]), 1 << 40, (), 5), Progress())
        (asked,) = server.asked
        assert (asked["min_p"], asked["repeat_penalty"], asked["top_k"], asked["xtc_probability"]) == (0.0, 1.0, 0, 0.0)
        assert asked["seed"] == folded(1 << 40)

    asyncio.run(main())


def test_no_seed_is_the_one_that_means_any() -> None:
    assert folded(0xFFFFFFFF) == 0xFFFFFFFE
    assert folded(0xFFFFFFFF << 32) == 0xFFFFFFFE
    assert folded(7) == 7


def test_an_address_is_no_model_of_this_process() -> None:
    with pytest.raises(InputError, match="llamacpp-server: before its address"):
        LlamaCpp("http://127.0.0.1:8080")
    with pytest.raises(InputError, match="one model"):
        LlamaCppServer("http://127.0.0.1:8080#two")
    for name in ("llamacpp", "llamacpp-server", "sglang"):
        with pytest.raises(InputError) as caught:
            find_engine(f"{name}:http://me:hunter2@127.0.0.1:8080#two")
        assert "hunter2" not in str(caught.value)
