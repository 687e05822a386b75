"""vLLM's client against a server of its manners: streams, seeds, aborts, labels, models, and what it refuses."""

from __future__ import annotations

import asyncio
import json
from codecs import getincrementaldecoder
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from math import exp
from typing import Any

import pytest

from spex.engine.base import Generation, Labelling, Message, Progress, Sampling
from spex.engine.catalog import find_engine
from spex.engine.vllm import Vllm
from spex.errors import EngineError, InputError, Misbehaving, SpexError, Unreachable
from spex.prompt import Prompt
from spex.usage import Tokens
from tests.engine.listening import listening

TEXT = "one two three four five\n\n"
PROMPT = Prompt([(1, 2, 3)])
CONTROL = {"<|end|>": 2000}
MODELS = [{"id": "policy", "max_model_len": 100}]
SETTINGS: dict[str, Any] = {
    "vllm_config": {
        "scheduler_config": {"max_num_seqs": 7, "enable_chunked_prefill": False},
        "model_config": {"dtype": "torch.float32", "logprobs_mode": "raw_logprobs"},
        "device_config": {"device": "cpu"},
        "parallel_config": {"data_parallel_size": 2},
        "speculative_config": None,
    },
    "vllm_env": {"VLLM_BATCH_INVARIANT": False},
}


def settings(part: str, **changed: object) -> dict[str, Any]:
    config = SETTINGS["vllm_config"]
    return {**SETTINGS, "vllm_config": {**config, part: {**(config[part] or {}), **changed}}}


class Server:
    """Writes a letter of TEXT a token until it is done or left alone."""

    def __init__(self, *, pace_seconds: float = 0.0) -> None:
        self.pace_seconds = pace_seconds
        self.models: object = MODELS
        self.settings: object = SETTINGS
        self.asked: list[dict[str, Any]] = []
        self.running = 0
        self.lingering_seconds = 0.0
        self.metrics = 'vllm:num_requests_running{{engine="0",model_name="}}"}} {}.0\nvllm:num_requests_waiting 0.0\n'
        self.metrics_asked = 0
        self.cached: int | None = 1
        self.spoil: Callable[[dict[str, Any]], object] = lambda event: event
        self.finish: tuple[str | None, str | int | None] | None = None
        self.text = TEXT
        self.unasked = False
        self.ends = True
        self.done = b"data: [DONE]\n\n"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lengths = [line[15:] for line in head.splitlines() if line.lower().startswith("content-length:")]
        body = json.loads(await reader.readexactly(int(lengths[0]))) if lengths else {}
        await self.answer(head.split()[1], body, reader, writer)

    async def answer(
        self, path: str, body: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if path == "/v1/models":
            await self.say(writer, {"data": self.models})
        elif path.startswith("/server_info") and self.settings is not None:
            await self.say(writer, self.settings)
        elif path == "/version":
            await self.say(writer, {"version": "0.32.0"})
        elif path == "/metrics":
            self.metrics_asked += 1
            await self.send(writer, "200 OK", self.metrics.format(self.running))
        elif path == "/tokenize":
            await self.say(writer, self.tokenized(body))
        elif path == "/detokenize":
            names = {token: name for name, token in CONTROL.items()}
            await self.say(writer, {"prompt": "".join(names.get(token) or chr(token) for token in body["tokens"])})
        elif path == "/v1/completions":
            await self.complete(body, reader, writer)
        else:
            await self.send(writer, "404 Not Found", "{}")

    def tokenized(self, body: dict[str, Any]) -> dict[str, Any]:
        text = body.get("prompt")
        if text is None:
            text = "".join(f"[{turn['role']}]{turn['content']}<|end|>" for turn in body["messages"]) + "[assistant]"
        found: list[str] = []
        while text:
            name = next((name for name in CONTROL if text.startswith(name)), text[0])
            found.append(name)
            text = text[len(name) :]
        ids = [CONTROL.get(name) or ord(name) for name in found]
        return {"tokens": ids, "token_strs": found if body.get("return_token_strs") else None}

    async def complete(self, body: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if "allowed_token_ids" in body:
            (token,) = body["allowed_token_ids"]
            said = [] if self.unasked else [{"text": "" if token in CONTROL.values() else chr(token)}]
            await self.say(writer, {"choices": said})
            return
        self.asked.append(body)
        if "logprob_token_ids" in body:
            chances = {f"token_id:{label}": -1.0 - label for label in body["logprob_token_ids"]}
            usage = self.usage(body, 1)
            await self.say(writer, self.spoil({"choices": [{"logprobs": {"top_logprobs": [chances]}}], "usage": usage}))
            return
        self.running += 1
        writing = asyncio.ensure_future(self.write(body, writer))
        leaving = asyncio.ensure_future(reader.read())
        try:
            await asyncio.wait({writing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            writing.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.gather(writing, return_exceptions=True)
                await asyncio.sleep(self.lingering_seconds)
            leaving.cancel()
            self.running -= 1

    async def write(self, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
        for count, letter in enumerate(self.text, start=1):
            await asyncio.sleep(self.pace_seconds)
            stops = body["stop"] if self.ends else []
            stopped = next((stop for stop in stops if self.text[:count].endswith(stop)), None)
            finish, reason = ("stop", stopped) if stopped else ("length" if count == body["max_tokens"] else None, None)
            if self.finish and finish:
                finish, reason = self.finish
            choice = {
                "index": 0,
                "text": letter,
                "token_ids": [ord(letter)],
                "prompt_token_ids": body["prompt"] if count == 1 else None,
                "logprobs": {"token_logprobs": [-0.5], "tokens": [letter]},
                "finish_reason": finish,
                "stop_reason": reason,
            }
            usage = {"prompt_tokens": len(body["prompt"]), "completion_tokens": count}
            await self.tell(writer, {"choices": [choice], "usage": usage})
            if finish:
                await self.tell(writer, {"choices": [], "usage": self.usage(body, count)})
                break
        writer.write(self.done)
        await writer.drain()

    def usage(self, body: dict[str, Any], count: int) -> dict[str, Any]:
        details = None if self.cached is None else {"cached_tokens": self.cached}
        told = {"prompt_tokens": len(body["prompt"]), "completion_tokens": count}
        return {**told, "prompt_tokens_details": details}

    async def tell(self, writer: asyncio.StreamWriter, event: dict[str, Any]) -> None:
        # What is sent while the client opens is right, whatever the test spoils later.
        spoilt = event if len(self.asked) == 1 else self.spoil(event)
        writer.write(f"data: {json.dumps(spoilt)}\n\n".encode())
        await writer.drain()

    async def say(self, writer: asyncio.StreamWriter, value: object) -> None:
        await self.send(writer, "200 OK", json.dumps(value))

    async def send(self, writer: asyncio.StreamWriter, status: str, text: str) -> None:
        length = len(text.encode())
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}".encode())
        await writer.drain()


@asynccontextmanager
async def engine_of(server: Server, path: str = "") -> AsyncIterator[Vllm]:
    async with listening(server.serve) as url:
        engine = Vllm(url + path)
        try:
            await engine.open()
            yield engine
        finally:
            await engine.close()


def request(tokens_max: int = 50, seed: int = 7, stop: tuple[str, ...] = ("\n\n",)) -> Generation:
    return Generation("problem|call", PROMPT, seed, stop, tokens_max, Sampling(0.8))


def test_a_text_comes_with_its_stop_string_its_tokens_and_what_it_cost() -> None:
    async def main() -> None:
        async with engine_of(Server()) as engine:
            progress = Progress()
            completion = await engine.generate(request(), progress)
            assert (completion.text, completion.end) == (TEXT, "delimiter")
            assert completion.token_ids == tuple(map(ord, TEXT))
            assert completion.logprobs == (-0.5,) * len(TEXT)
            assert progress.cost == Tokens(len(TEXT), 1, 2)
            assert engine.counters() == (0, progress.cost)

    asyncio.run(main())


def test_who_does_not_tell_what_was_cached_is_charged_the_whole_prompt() -> None:
    async def main() -> None:
        server = Server()
        server.cached = None
        async with engine_of(server) as engine:
            progress = Progress()
            await engine.generate(request(), progress)
            assert progress.cost == Tokens(len(TEXT), 0, 3)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("finish", "end"),
    [(None, "delimiter"), (("stop", None), "eos"), (("stop", 2), "eos"), (("length", None), "length")],
)
def test_a_text_says_how_it_ended(finish: tuple[str, str | int | None] | None, end: str) -> None:
    async def main() -> None:
        server = Server()
        async with engine_of(server) as engine:
            server.finish = finish
            assert (await engine.generate(request(), Progress())).end == end

    asyncio.run(main())


def test_a_limit_within_a_character_ends_a_text_before_it() -> None:
    """The server holds such tokens' text back, and would give what goes on behind them its whole prompt for a text."""

    class Bytes(Server):
        async def answer(self, path: str, body: dict[str, Any], *streams: Any) -> None:
            if path != "/detokenize":
                await super().answer(path, body, *streams)
                return
            await self.say(streams[1], {"prompt": bytes(body["tokens"]).decode(errors="replace")})

    async def main() -> None:
        server = Bytes()
        async with engine_of(server) as engine:
            server.text = "a √2\n\n".encode().decode("latin-1")
            server.spoil = lambda event: _held_back(event, decoder.decode)
            for tokens_max, kept in ((2, 2), (3, 2), (4, 2), (5, 5), (6, 6)):
                decoder = getincrementaldecoder("utf-8")()
                found = await engine.generate(request(tokens_max), Progress())
                expected = "a √2".encode()[:kept]
                assert (found.text, bytes(found.token_ids), found.end) == (expected.decode(), expected, "length")
                assert found.logprobs == (-0.5,) * kept

    asyncio.run(main())


def _held_back(event: dict[str, Any], decode: Callable[[bytes], str]) -> dict[str, Any]:
    choices = [{**choice, "text": decode(bytes(choice["token_ids"]))} for choice in event["choices"]]
    return {**event, "choices": choices}


def test_a_text_that_fills_the_context_ends_there() -> None:
    async def main() -> None:
        server = Server()
        server.models = [{"id": "policy", "max_model_len": 8}]
        async with engine_of(server) as engine:
            completion = await engine.generate(request(), Progress())
            assert (completion.text, completion.end) == ("one t", "context")
            with pytest.raises(Misbehaving, match="a prompt shorter than the context of 8 tokens"):
                await engine.generate(Generation("k", Prompt([range(8)]), 1, (), 5), Progress())

    asyncio.run(main())


def test_seeds_fit_into_63_bits_and_differ_where_the_64_bits_do() -> None:
    async def main() -> None:
        server = Server()
        async with engine_of(server) as engine:
            for seed in (7, 7 + (1 << 63), (1 << 64) - 1):
                await engine.generate(request(seed=seed), Progress())
        seeds = [asked["seed"] for asked in server.asked[1:]]
        assert all(0 <= seed < 1 << 63 for seed in seeds)
        assert len(set(seeds)) == 3

    asyncio.run(main())


async def cancelled_after(engine: Vllm, progress: Progress, tokens: int) -> None:
    task = asyncio.ensure_future(engine.generate(request(), progress))
    while len(progress.token_ids) < tokens:  # noqa: ASYNC110  # a server on a real clock
        await asyncio.sleep(0.005)
    task.cancel()
    await asyncio.sleep(0.0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_cancelled_text_no_longer_runs_when_the_cancellation_comes_through() -> None:
    async def main() -> None:
        server = Server(pace_seconds=0.01)
        server.lingering_seconds = 0.1
        async with engine_of(server) as engine:
            progress = Progress()
            await cancelled_after(engine, progress, 5)
            assert (server.running, engine.counters().running) == (0, 0)
            assert progress.cost == Tokens(len(progress.token_ids), 0, 3)
            assert engine.counters().cost == progress.cost

    asyncio.run(main())


def test_other_texts_of_ours_may_go_on_when_one_is_cancelled() -> None:
    async def main() -> None:
        server = Server(pace_seconds=0.05)
        async with engine_of(server) as engine:
            other = asyncio.ensure_future(engine.generate(request(), Progress()))
            await cancelled_after(engine, Progress(), 3)
            assert not other.done()
            assert server.running == engine.counters().running == 1
            assert (await other).text == TEXT

    asyncio.run(main())


def test_texts_that_are_cancelled_together_are_asked_after_together() -> None:
    async def main() -> None:
        server = Server(pace_seconds=0.01)
        async with engine_of(server) as engine:
            before = server.metrics_asked
            await asyncio.gather(*(cancelled_after(engine, Progress(), 5) for _ in range(16)))
            assert server.running == 0
            assert server.metrics_asked - before < 8

    asyncio.run(main())


def test_who_shares_a_server_waits_for_it_half_a_second_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spex.engine.vllm._GONE_SECONDS", 0.1)

    async def main() -> None:
        server = Server(pace_seconds=0.01)
        async with engine_of(server) as engine:
            server.metrics = "vllm:num_requests_running 5.0\n"
            await cancelled_after(engine, Progress(), 2)
            assert engine.counters().running == 0

    asyncio.run(main())


def test_a_server_without_metrics_says_so_in_its_capabilities() -> None:
    async def main() -> None:
        server = Server(pace_seconds=0.01)
        server.metrics = "# nothing {}\n"
        async with engine_of(server) as engine:
            assert not engine.capabilities.abort_confirmed
            await cancelled_after(engine, Progress(), 2)

    asyncio.run(main())


def test_labels_are_probabilities_of_the_next_token() -> None:
    async def main() -> None:
        async with engine_of(Server()) as engine:
            progress = Progress()
            told = await engine.label(Labelling("l", PROMPT, (0, 2)), progress)
            assert told == pytest.approx((exp(-1.0), exp(-3.0)))
            assert progress.cost == Tokens(0, 1, 0, 3)
            with pytest.raises(InputError, match="labels"):
                await engine.label(Labelling("l", PROMPT, tuple(range(129))), Progress())

    asyncio.run(main())


def labels_told(*logprobs: float) -> Callable[[dict[str, Any]], object]:
    chances = {f"token_id:{label}": value for label, value in zip((0, 2), logprobs, strict=True)}
    return lambda answer: {**answer, "choices": [{"logprobs": {"top_logprobs": [chances]}}]}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda answer: {**answer, "choices": []},
        lambda answer: {**answer, "choices": [{"logprobs": {"top_logprobs": [{"token_id:0": -1.0}]}}]},
        lambda answer: {**answer, "choices": [{"logprobs": {"top_logprobs": [{"token_id:0": -1.0, "token_id:2": 3}]}}]},
        labels_told(-0.1, -0.1),
        lambda answer: {**answer, "usage": {"prompt_tokens": 4, "completion_tokens": 1}},
    ],
)
def test_labels_that_cannot_be_right_are_misbehaving(spoil: Callable[[dict[str, Any]], object]) -> None:
    async def main() -> None:
        server = Server()
        server.spoil = spoil
        async with engine_of(server) as engine:
            with pytest.raises(Misbehaving):
                await engine.label(Labelling("l", PROMPT, (0, 2)), Progress())
            assert engine.counters() == (0, Tokens())

    asyncio.run(main())


def choice_with(**changed: object) -> Callable[[dict[str, Any]], object]:
    def spoil(event: dict[str, Any]) -> object:
        return {**event, "choices": [{**choice, **changed} for choice in event["choices"]]}

    return spoil


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (lambda event: {"error": {"message": "EngineCore died", "code": 500}}, Unreachable),
        (lambda event: {"error": {"message": "no", "code": 400}}, Misbehaving),
        (lambda event: [], Misbehaving),
        (lambda event: {**event, "choices": event["choices"] * 2}, Misbehaving),
        (lambda event: {**event, "usage": {"prompt_tokens": 3, "completion_tokens": 99}}, Unreachable),
        (choice_with(token_ids=None), Misbehaving),
        (choice_with(token_ids=[1, 2]), Misbehaving),
        (choice_with(token_ids=[-1]), Misbehaving),
        (choice_with(token_ids=[True]), Misbehaving),
        (choice_with(prompt_token_ids=[1, 2, 4]), Misbehaving),
        (choice_with(logprobs=None), Misbehaving),
        (choice_with(logprobs={"token_logprobs": [None]}), Misbehaving),
        (choice_with(logprobs={"token_logprobs": [float("nan")]}), Misbehaving),
        (choice_with(logprobs={"token_logprobs": [1.0]}), Misbehaving),
        (choice_with(logprobs={"token_logprobs": [-float("inf")]}), Misbehaving),
        (choice_with(text="\ud800"), Misbehaving),
        (choice_with(text=7), Misbehaving),
    ],
)
def test_a_piece_that_cannot_be_right_says_so(
    spoil: Callable[[dict[str, Any]], object], error: type[SpexError]
) -> None:
    async def main() -> None:
        server = Server()
        server.spoil = spoil
        async with engine_of(server) as engine:
            with pytest.raises(error):
                await engine.generate(request(), Progress())
            assert engine.counters().running == 0

    asyncio.run(main())


@pytest.mark.parametrize(
    ("finish", "error"),
    [
        (("abort", None), Unreachable),
        (("odd", None), Misbehaving),
        (("stop", "never asked for"), Misbehaving),
        (("stop", "\n"), Misbehaving),
    ],
)
def test_an_end_that_was_not_asked_for_is_none(finish: tuple[str, str | None], error: type[EngineError]) -> None:
    async def main() -> None:
        server = Server()
        async with engine_of(server) as engine:
            server.finish = finish
            with pytest.raises(error):
                await engine.generate(request(), Progress())

    asyncio.run(main())


@pytest.mark.parametrize("finish", [("stop", None), ("stop", 2), ("length", None), ("stop", "END")])
def test_a_text_that_goes_on_behind_a_stop_string_is_misbehaving(finish: tuple[str, str | int | None]) -> None:
    async def main() -> None:
        server = Server()
        async with engine_of(server) as engine:
            server.text, server.finish = "one\n\ntwo END", finish
            server.ends = False
            with pytest.raises(Misbehaving, match=r"a text that ends at '\\n\\n', got '\\n\\ntwo END'"):
                await engine.generate(request(len(server.text), stop=("END", "\n\n")), Progress())

    asyncio.run(main())


def test_of_two_stop_strings_in_one_token_the_server_may_end_at_the_second() -> None:
    async def main() -> None:
        server = Server()
        async with engine_of(server) as engine:
            server.text = "a"
            server.spoil = lambda event: (
                choice_with(text="one\n\nEND", finish_reason="stop", stop_reason="END")(event)
                if event["choices"]
                else event
            )
            completion = await engine.generate(request(1, stop=("END", "\n\n")), Progress())
            assert (completion.text, completion.end) == ("one\n\nEND", "delimiter")

    asyncio.run(main())


def test_more_tokens_than_asked_for_are_misbehaving() -> None:
    async def main() -> None:
        server = Server()
        async with engine_of(server) as engine:
            server.spoil = choice_with(token_ids=[7] * 6, logprobs={"token_logprobs": [-0.5] * 6})
            with pytest.raises(Misbehaving, match="at most 5 tokens"):
                await engine.generate(request(tokens_max=5), Progress())

    asyncio.run(main())


def test_a_stream_without_an_end_may_be_asked_for_again_and_a_server_that_died_is_told_why() -> None:
    async def main() -> None:
        server = Server()
        async with engine_of(server) as engine:
            server.text = "one"
            with pytest.raises(Unreachable, match=r"before its text did.*--no-enable-chunked-prefill"):
                await engine.generate(request(), Progress())

    asyncio.run(main())


def test_a_text_is_whole_though_nothing_comes_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spex.engine.streamed._REST_SECONDS", 0.05)

    async def main() -> None:
        server = Server()
        async with engine_of(server) as engine:
            server.done = b": and then silence\n\n"
            assert (await engine.generate(request(), Progress())).text == TEXT

    asyncio.run(main())


def test_what_the_server_tells_of_its_settings_is_believed() -> None:
    async def main() -> None:
        server = Server()
        async with engine_of(server) as engine:
            told = engine.capabilities
            assert (told.seed, told.slots, told.context_tokens, told.abort_confirmed) == ("whole", 14, 100, True)
        server.settings = settings("model_config", dtype="torch.bfloat16")
        async with engine_of(server) as engine:
            assert engine.capabilities.seed == "none"
        for unreadable in (None, "text", settings("scheduler_config", max_num_seqs=-1)):
            server.settings = unreadable
            async with engine_of(server) as engine:
                assert (engine.capabilities.seed, engine.capabilities.slots) == ("whole", 128)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("changed", "remedy"),
    [
        (settings("scheduler_config", enable_chunked_prefill=True), "--no-enable-chunked-prefill"),
        (settings("model_config", logprobs_mode="raw_logits"), "--logprobs-mode raw_logits"),
    ],
)
def test_settings_that_are_known_to_go_wrong_are_refused_with_the_remedy(changed: object, remedy: str) -> None:
    async def main() -> None:
        server = Server()
        server.settings = changed
        with pytest.raises(InputError, match=remedy):
            async with engine_of(server):
                pass

    asyncio.run(main())


def test_drafts_above_temperature_0_are_refused_on_a_cpu() -> None:
    async def main() -> None:
        server = Server()
        server.settings = settings("speculative_config", method="ngram")
        async with engine_of(server) as engine:
            with pytest.raises(InputError, match="--speculative-config"):
                await engine.generate(request(), Progress())
            greedy = Generation("k", PROMPT, 1, ("\n\n",), 50, Sampling(0.0))
            assert (await engine.generate(greedy, Progress())).text == TEXT

    asyncio.run(main())


def test_of_several_models_one_must_be_named() -> None:
    async def main() -> None:
        server = Server()
        server.models = [*MODELS, {"id": "adapted", "parent": "policy"}]
        with pytest.raises(InputError, match="name one of adapted, policy behind its address and #"):
            async with engine_of(server):
                pass
        with pytest.raises(InputError, match="does not serve 'other'; its models: adapted, policy"):
            async with engine_of(server, "#other"):
                pass
        async with engine_of(server, "/v1#adapted") as engine:
            assert server.asked[-1]["model"] == "adapted"
            assert engine.capabilities.context_tokens == 100

    asyncio.run(main())


@pytest.mark.parametrize(
    ("models", "error"), [([], InputError), ({}, Misbehaving), ([{"id": 7}], Misbehaving), ("policy", Misbehaving)]
)
def test_another_kind_of_server_is_told_when_it_is_opened(models: object, error: type[Exception]) -> None:
    async def main() -> None:
        server = Server()
        server.models = models
        with pytest.raises(error):
            async with engine_of(server):
                pass

    asyncio.run(main())


def test_what_people_wrote_has_no_control_token_and_what_is_known_of_a_token_is_not_asked_again() -> None:
    async def main() -> None:
        async with engine_of(Server()) as engine:
            text = await engine.encode("a<|end|>b")
            assert text == tuple(map(ord, "a<|end|>b"))
            chat = await engine.encode_chat([Message("user", "a<|end|>b")])
            assert chat == (*map(ord, "[user]a<|end|>b"), 2000, *map(ord, "[assistant]"))
            with pytest.raises(InputError, match="lone surrogates"):
                await engine.encode("\ud800")
            with pytest.raises(InputError, match="lone surrogates"):
                await engine.encode_chat([Message("user", "\ud800")])

    asyncio.run(main())


def test_a_server_of_sglang_is_told_as_it_is_opened_though_it_answers_nearly_all_that_vllm_does() -> None:
    class Other(Server):
        async def answer(self, path: str, body: dict[str, Any], *streams: Any) -> None:
            if path == "/detokenize":
                await self.say(streams[1], {"text": "1"})
            else:
                await super().answer(path, body, *streams)

    async def main() -> None:
        server = Other()
        server.models = [{**MODELS[0], "owned_by": "sglang"}]
        with pytest.raises(InputError, match="it is a server of SGLang, and none of vLLM: name it as sglang:"):
            async with engine_of(server):
                pass

    asyncio.run(main())


def test_a_chat_of_many_words_is_a_few_requests() -> None:
    class Counting(Server):
        requests = 0

        async def answer(self, path: str, body: dict[str, Any], *streams: Any) -> None:
            self.requests += 1
            await super().answer(path, body, *streams)

    async def main() -> None:
        server = Counting()
        async with engine_of(server) as engine:
            content = "".join(map(chr, range(0x4E00, 0x4E00 + 300)))
            before = server.requests
            await engine.encode_chat([Message("user", content)])
            assert server.requests - before < 20

    asyncio.run(main())


def test_a_token_that_cannot_be_asked_after_is_an_error_and_no_guess() -> None:
    async def main() -> None:
        server = Server()
        async with engine_of(server) as engine:
            server.unasked = True
            with pytest.raises(Misbehaving):
                await engine.encode("a<|end|>b")
            server.unasked = False
            assert await engine.encode("a<|end|>b") == tuple(map(ord, "a<|end|>b"))

    asyncio.run(main())


def test_it_may_be_opened_by_several_and_again() -> None:
    async def main() -> None:
        server = Server()
        async with listening(server.serve) as url:
            engine = find_engine(f"vllm:{url}")
            await asyncio.gather(engine.open(), engine.open())
            assert len(server.asked) == 1
            await engine.close()
            assert (await engine.generate(request(), Progress())).text == TEXT
            await engine.close()
            await engine.close()
            with pytest.raises(Unreachable, match="it is not open"):
                await engine.encode("a")
            await engine.open()
            assert engine.counters() == (0, Tokens())
            await engine.close()

    asyncio.run(main())


def test_who_no_longer_waits_for_it_to_open_has_not_opened_it() -> None:
    async def main() -> None:
        server = Server(pace_seconds=0.05)
        async with listening(server.serve) as url:
            engine = Vllm(url)
            opening = [asyncio.ensure_future(engine.open()) for _ in range(3)]
            await asyncio.sleep(0.02)
            opening[0].cancel()
            opening[1].cancel()
            with pytest.raises(asyncio.CancelledError):
                await opening[0]
            await opening[2]
            assert (await engine.generate(request(tokens_max=3), Progress())).text == "one"
            await engine.close()
            with pytest.raises(Unreachable, match="it is not open"):
                await engine.encode("a")

    asyncio.run(main())


@pytest.mark.parametrize("slots", [0, 1 << 13])
def test_a_number_of_slots_that_is_none_is_refused(slots: int) -> None:
    with pytest.raises(InputError, match="slots"):
        Vllm(slots=slots)
