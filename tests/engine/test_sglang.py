"""SGLang's client against a server of its manners: streams, seeds, resuming, aborts by id, labels."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from math import exp
from typing import Any

import pytest

from spex.engine.abilities import Reading
from spex.engine.base import Generation, Labelling, Progress, Sampling
from spex.engine.sglang import Sglang
from spex.errors import EngineError, InputError, Misbehaving, Overloaded, Unreachable
from spex.prompt import Prompt
from spex.usage import Tokens
from tests.engine.listening import listening

INFO = {
    "version": "0.5.23",
    "is_embedding": False,
    "enable_deterministic_inference": True,
    "dp_size": 1,
    "max_req_input_len": 100,
    "internal_states": [{"effective_max_running_requests_per_dp": 7}],
}
TEXT = "one two three four five\n\n"
PROMPT = Prompt([(1, 2, 3)])


class Server:
    """Writes a letter of TEXT a token, from where the input ends, until it is done or asked to abort."""

    def __init__(self, info: object = INFO, *, pace_seconds: float = 0.0) -> None:
        self.info = info
        self.pace_seconds = pace_seconds
        self.asked: list[dict[str, Any]] = []
        self.aborted: set[str] = set()
        self.deaf = False
        self.refuses_aborts = False
        self.refusal = "401 Unauthorized"
        self.aborts_asked = 0
        self.aborts_from = 0
        self.spoil: Callable[[dict[str, Any]], object] = lambda event: event
        self.finish: dict[str, Any] | None = None
        self.silent_aborts = False
        self.holds_labels = False
        self.text = TEXT
        self.begins_with_a_blank = True
        self.done = b"data: [DONE]\n\n"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lengths = [line[15:] for line in head.splitlines() if line.lower().startswith("content-length:")]
        body = json.loads(await reader.readexactly(int(lengths[0]))) if lengths and int(lengths[0]) else {}
        await self.answer(head.split()[1], body, writer)

    async def answer(self, path: str, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        if path == "/server_info":
            await self.say(writer, self.info)
        elif path.startswith("/v1/loads"):
            await self.say(writer, {"loads": [{"num_running_reqs": 2, "num_waiting_reqs": 3}]})
        elif path == "/abort_request":
            self.aborts_asked += 1
            if self.refuses_aborts:
                await self.say(writer, {"error": "not for you"}, self.refusal)
                return
            if not self.deaf:
                self.aborted.add(body["rid"])
            if self.silent_aborts:
                await asyncio.sleep(60.0)
            await self.say(writer, "")
        elif path == "/v1/detokenize":
            await self.say(writer, {"text": self.spelled(body["tokens"])})
        elif body.get("stream"):
            self.asked.append(body)
            await self.write(body, writer)
        else:
            self.asked.append(body)
            while self.holds_labels and body["rid"] not in self.aborted:  # noqa: ASYNC110  # a server on a real clock
                await asyncio.sleep(0.005)
            asked = body.get("token_ids_logprob", [])
            labels = [[-1.0 - label, label, None] if label < 9 else [None, label, None] for label in asked]
            meta = {"cached_tokens": 2, "prompt_tokens": 3, "output_token_ids_logprobs": [labels]}
            await self.say(writer, self.spoil({"meta_info": meta}))

    def spelled(self, token_ids: list[int]) -> str:
        text = bytes(token_ids).decode(errors="replace")
        return text if self.begins_with_a_blank else text.removeprefix(" ")

    async def write(self, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
        before = len(body["input_ids"]) - PROMPT.token_count
        most = body["sampling_params"]["max_new_tokens"]
        letters = self.text.encode().decode("latin-1")
        for count in range(1, len(letters) - before + 1):
            await asyncio.sleep(self.pace_seconds)
            written = letters[before : before + count]
            finish: dict[str, Any] | None = None
            if body["rid"] in self.aborted and before + count >= self.aborts_from:
                finish = {"type": "abort", "message": "Abort in waiting queue"}
            elif written.endswith("\n\n"):
                finish = {"type": "stop", "matched": "\n\n"}
            elif count == most:
                finish = {"type": "length", "length": most}
            finish = self.finish if finish and self.finish else finish
            event = self.spoil(self.event(written, len(body["input_ids"]), finish))
            writer.write(f"data: {json.dumps(event)}\n\n".encode())
            await writer.drain()
            if finish:
                break
        writer.write(self.done)
        await writer.drain()
        await asyncio.sleep(0.0 if self.done else 60.0)

    def event(self, written: str, prompt_tokens: int, finish: object) -> dict[str, Any]:
        ids = list(map(ord, written))
        meta = {
            "completion_tokens": len(ids),
            "cached_tokens": 1,
            "prompt_tokens": prompt_tokens,
            "output_token_logprobs": [[-0.5, token, None] for token in ids],
            "finish_reason": finish,
        }
        return {"text": bytes(ids).decode(errors="replace"), "output_ids": ids, "meta_info": meta}

    async def say(self, writer: asyncio.StreamWriter, value: object, status: str = "200 OK") -> None:
        text = json.dumps(value).encode()
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + text)
        await writer.drain()


@asynccontextmanager
async def engine_of(server: Server) -> AsyncIterator[Sglang]:
    async with listening(server.serve) as url:
        engine = Sglang(url)
        try:
            await engine.open()
            yield engine
        finally:
            await engine.close()


def request(tokens_max: int = 50, seed: int = 7, stop: tuple[str, ...] = ("\n\n",)) -> Generation:
    return Generation("problem|call", PROMPT, seed, stop, tokens_max, Sampling(0.8))


def test_a_text_comes_with_its_stop_string_its_tokens_and_what_it_cost() -> None:
    async def main() -> None:
        server = Server()
        async with engine_of(server) as engine:
            progress = Progress()
            completion = await engine.generate(request(), progress)
            assert (completion.text, completion.end) == (TEXT, "delimiter")
            assert completion.token_ids == tuple(map(ord, TEXT))
            assert completion.logprobs == (-0.5,) * len(TEXT)
            assert progress.cost == Tokens(len(TEXT), 1, 2)
            assert engine.counters() == (0, progress.cost)

    asyncio.run(main())


@pytest.mark.parametrize(("tokens_max", "end"), [(3, "length"), (200, "delimiter")])
def test_a_limit_ends_a_text(tokens_max: int, end: str) -> None:
    async def main() -> None:
        async with engine_of(Server()) as engine:
            assert (await engine.generate(request(tokens_max), Progress())).end == end

    asyncio.run(main())


@pytest.mark.parametrize("tokens_max", [3, 4])
def test_a_limit_within_a_character_ends_a_text_before_it(tokens_max: int) -> None:
    async def main() -> None:
        server = Server()
        server.text = "a √2\n\n"
        async with engine_of(server) as engine:
            completion = await engine.generate(request(tokens_max), Progress())
            assert completion == ("a ", (ord("a"), ord(" ")), (-0.5, -0.5), "length")

    asyncio.run(main())


def test_a_text_that_goes_on_is_spelled_as_in_one_go_where_a_tokenizer_drops_a_first_blank() -> None:
    async def main() -> None:
        server = Server()
        server.text, server.begins_with_a_blank = " one √ two\n\n", False
        async with engine_of(server) as engine:
            data = server.text.encode()
            for kept in (1, 5, 7, len(data) - 1):
                progress = Progress(list(data[:kept]), [-0.5] * kept, data[:kept].decode(errors="replace"))
                found = await engine.generate(request(), progress)
                assert (found.text, bytes(found.token_ids), found.end) == (server.text, data, "delimiter")

    asyncio.run(main())


def test_a_text_that_fills_the_context_ends_there() -> None:
    async def main() -> None:
        async with engine_of(Server({**INFO, "max_req_input_len": 8})) as engine:
            completion = await engine.generate(request(), Progress())
            assert (completion.text, completion.end) == ("one t", "context")

    asyncio.run(main())


def test_seeds_are_sent_where_they_have_an_effect_and_fit_into_63_bits() -> None:
    async def main() -> None:
        for deterministic in (True, False):
            server = Server({**INFO, "enable_deterministic_inference": deterministic})
            async with engine_of(server) as engine:
                await engine.generate(request(seed=(1 << 64) - 1), Progress())
                assert engine.capabilities.seed == ("positional" if deterministic else "none")
                assert engine.capabilities.keeps_tokens
            sampling = server.asked[0]["sampling_params"]
            assert ("sampling_seed" in sampling) is deterministic
            assert 0 <= sampling.get("sampling_seed", 0) < 1 << 63

    asyncio.run(main())


async def cancelled_after(engine: Sglang, progress: Progress, tokens: int) -> None:
    task = asyncio.ensure_future(engine.generate(request(), progress))
    while len(progress.token_ids) < tokens:  # noqa: ASYNC110  # a server on a real clock
        await asyncio.sleep(0.005)
    task.cancel()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_an_aborted_text_is_over_at_the_server_when_the_cancellation_comes_through_and_goes_on_from_its_tokens() -> (
    None
):
    async def main() -> None:
        server = Server(pace_seconds=0.01)
        async with engine_of(server) as engine:
            progress = Progress()
            await cancelled_after(engine, progress, 5)
            assert server.aborted == {server.asked[0]["rid"]}
            assert engine.counters().running == 0
            kept = len(progress.token_ids)
            assert 5 <= kept < len(TEXT)
            completion = await engine.generate(request(), progress)
            assert (completion.text, completion.token_ids) == (TEXT, tuple(map(ord, TEXT)))
            assert server.asked[1]["input_ids"] == [1, 2, 3, *map(ord, TEXT[:kept])]
            assert server.asked[1]["sampling_params"]["max_new_tokens"] == 50 - kept
            assert progress.cost.generated == len(TEXT) + 1  # the token that came with the abort is written again

    asyncio.run(main())


def test_an_abort_that_is_ignored_lets_go_of_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spex.engine.sglang_abort._ABORT_SECONDS", 0.2)
    monkeypatch.setattr("spex.engine.sglang_abort._ABORT_AGAIN_SECONDS", 0.05)

    async def main() -> None:
        server = Server(pace_seconds=0.05)
        server.deaf = True
        async with engine_of(server) as engine:
            await cancelled_after(engine, Progress(), 2)
            assert engine.counters().running == 0

    asyncio.run(main())


@pytest.mark.parametrize("status", ["401 Unauthorized", "404 Not Found", "400 Bad Request"])
def test_where_aborts_are_refused_the_connection_is_let_go_of_at_once_and_that_is_told_once(
    status: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        server = Server(pace_seconds=0.05)
        server.refuses_aborts, server.refusal = True, status
        async with engine_of(server) as engine:
            assert engine.capabilities.abort_confirmed
            for asked in (1, 2):
                async with asyncio.timeout(5.0):  # the ten seconds of one that is ignored are not waited for
                    await cancelled_after(engine, Progress(), 2)
                assert (engine.counters().running, server.aborts_asked) == (0, asked)
            assert not engine.capabilities.abort_confirmed

    with caplog.at_level(logging.WARNING, "spex"):
        asyncio.run(main())
    assert caplog.text.count("it refuses aborts") == 1


def test_a_text_that_goes_on_ends_with_its_stop_string_though_its_last_token_says_more() -> None:
    class Doubled(Server):
        """Its last token is two line ends; a text that stops at one has one."""

        def spelled(self, token_ids: list[int]) -> str:
            return super().spelled(token_ids).replace("#", "\n\n")

        def event(self, written: str, prompt_tokens: int, finish: object) -> dict[str, Any]:
            told = super().event(written, prompt_tokens, finish)
            return {**told, "text": told["text"].replace("#", "\n")}

    async def main() -> None:
        server = Doubled()
        server.text, server.finish = "one two#", {"type": "stop", "matched": "\n"}
        async with engine_of(server) as engine:
            for kept in (b"", b"one"):
                progress = Progress(list(kept), [-0.5] * len(kept), kept.decode())
                found = await engine.generate(request(tokens_max=8, stop=("\n",)), progress)
                assert (found.text, found.end, bytes(found.token_ids)) == ("one two\n", "delimiter", b"one two#")

    asyncio.run(main())


@pytest.mark.parametrize("is_cancelled", [True, False])
def test_a_text_whose_spelling_is_cut_off_does_not_go_on_behind_its_end(is_cancelled: bool) -> None:
    """Its last token may be one that ends texts: what the server wrote behind it would be another text."""

    class Ending(Server):
        cuts_off = True

        async def answer(self, path: str, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
            if path == "/v1/detokenize" and self.cuts_off:
                await (asyncio.sleep(60.0) if is_cancelled else self.say(writer, {}, "500 Internal Server Error"))
            else:
                await super().answer(path, body, writer)

    async def main() -> None:
        server = Ending()
        server.text, server.finish = "one two#", {"type": "stop", "matched": ord("#")}
        async with engine_of(server) as engine:
            progress = Progress([ord("o")], [-0.5], "o")
            task = asyncio.ensure_future(engine.generate(request(tokens_max=8), progress))
            await asyncio.sleep(0.2)
            task.cancel()
            with pytest.raises(asyncio.CancelledError if is_cancelled else Unreachable):
                await task
            assert bytes(progress.token_ids) == b"one two"
            server.cuts_off = False
            found = await engine.generate(request(tokens_max=8), progress)
            assert (found.text, found.end, bytes(found.token_ids)) == ("one two#", "eos", b"one two#")

    asyncio.run(main())


@pytest.mark.parametrize("deaf", [True, False])
def test_a_text_that_was_done_when_it_was_aborted_ends_where_it_ended(deaf: bool) -> None:
    """By its stop string; or by an abort, and the last token is one that the server has looked for nothing in."""

    async def main() -> None:
        server = Server(pace_seconds=0.01)
        server.deaf, server.aborts_from = deaf, len(TEXT)
        async with engine_of(server) as engine:
            progress = Progress()
            await cancelled_after(engine, progress, 5)
            assert len(progress.token_ids) == len(progress.logprobs) == len(progress.text) < len(TEXT)
            completion = await engine.generate(request(), progress)
            assert (completion.text, completion.token_ids) == (TEXT, tuple(map(ord, TEXT)))
            assert completion.end == "delimiter"

    asyncio.run(main())


def test_of_a_kept_text_what_may_be_half_a_stop_string_is_written_again_and_no_more() -> None:
    async def main() -> None:
        server = Server()
        async with engine_of(server) as engine:
            half = TEXT[:-1]
            progress = Progress(list(map(ord, half)), [-0.5] * len(half), half)
            found = await engine.generate(request(), progress)
            assert (found.text, len(found.token_ids), len(found.logprobs or ())) == (TEXT, len(TEXT), len(TEXT))
            assert server.asked[0]["input_ids"] == [1, 2, 3, *map(ord, half[:-1])]


def test_a_kept_text_that_is_nothing_but_half_a_stop_string_begins_anew() -> None:
    async def main() -> None:
        server = Server()
        async with engine_of(server) as engine:
            progress = Progress(list(map(ord, TEXT[:3])), [-0.5] * 3, TEXT[:3])
            found = await engine.generate(request(stop=("one two!", "\n\n")), progress)
            assert (found.text, server.asked[0]["input_ids"]) == (TEXT, [1, 2, 3])

    asyncio.run(main())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"model_path": "large"}, "it serves 'large' now and served 'small'"),
        ({"enable_deterministic_inference": False}, "its seeds are 'none' now and were 'positional'"),
        ({"version": "0.5.24"}, None),
    ],
)
def test_a_server_that_came_back_as_another_is_refused(change: dict[str, Any], told: str | None) -> None:
    async def main() -> None:
        server = Server({**INFO, "model_path": "small"})
        async with engine_of(server) as engine:
            await engine.recheck()
            server.info = {**INFO, "model_path": "small", **change}
            if told is None:
                await engine.recheck()
            else:
                with pytest.raises(InputError, match=told):
                    await engine.recheck()

    asyncio.run(main())


def test_a_gateway_that_says_no_more_who_its_server_is_is_believed() -> None:
    async def main() -> None:
        server = Server({**INFO, "model_path": "small"})
        async with engine_of(server) as engine:
            server.info = {}
            await engine.recheck()

    asyncio.run(main())


def test_ids_are_of_one_length_so_that_none_begins_another() -> None:
    async def main() -> None:
        server = Server()
        async with engine_of(server) as engine:
            for _ in range(12):
                await engine.generate(request(2), Progress())
        ids = [asked["rid"] for asked in server.asked]
        assert len(set(ids)) == 12
        assert len(set(map(len, ids))) == 1

    asyncio.run(main())


@pytest.mark.parametrize("ask", [Labelling("l", PROMPT, (0, 2)), Reading("r", PROMPT, 1)])
def test_a_score_that_is_cancelled_is_over_at_the_server_when_the_cancellation_comes_through(
    ask: Labelling | Reading,
) -> None:
    async def main() -> None:
        server = Server()
        server.holds_labels = True
        async with engine_of(server) as engine:
            work = engine.read(ask, Progress()) if isinstance(ask, Reading) else engine.label(ask, Progress())
            task = asyncio.ensure_future(work)
            while not server.asked:  # noqa: ASYNC110  # a server on a real clock
                await asyncio.sleep(0.005)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert server.aborted == {server.asked[0]["rid"]}
            assert engine.counters().running == 0

    asyncio.run(main())


def test_labels_are_probabilities_of_the_next_token() -> None:
    async def main() -> None:
        async with engine_of(Server()) as engine:
            progress = Progress()
            told = await engine.label(Labelling("l", PROMPT, (0, 2, 9)), progress)
            assert told == pytest.approx((exp(-1.0), exp(-3.0), 0.0))
            assert progress.cost == Tokens(0, 2, 0, 1)

    asyncio.run(main())


def meta(**changed: object) -> Callable[[dict[str, Any]], object]:
    return lambda event: {**event, "meta_info": {**event["meta_info"], **changed}}


def without(key: str) -> Callable[[dict[str, Any]], object]:
    return lambda event: {**event, "meta_info": {k: v for k, v in event["meta_info"].items() if k != key}}


def with_logprob(value: float | None) -> Callable[[dict[str, Any]], object]:
    return lambda event: meta(output_token_logprobs=[[value, token, None] for token in event["output_ids"]])(event)


def with_ids(spoilt: Callable[[list[int]], list[Any]]) -> Callable[[dict[str, Any]], object]:
    """Token ids and those of their log-probabilities, spoilt alike."""

    def spoil(event: dict[str, Any]) -> object:
        ids = spoilt(event["output_ids"])
        return meta(output_token_logprobs=[[-0.5, token, None] for token in ids])({**event, "output_ids": ids})

    return spoil


@pytest.mark.parametrize(
    "spoil",
    [
        lambda event: [],
        lambda event: {**event, "text": None},
        lambda event: {**event, "output_ids": event["output_ids"][1:]},
        without("completion_tokens"),
        without("finish_reason"),
        meta(completion_tokens=-1),
        meta(completion_tokens=1.5),
        meta(cached_tokens=1000),
        meta(prompt_tokens=77),
        meta(prompt_tokens=10**400),
        meta(finish_reason="stop"),
        meta(finish_reason=[1]),
        with_logprob(float("nan")),
        with_logprob(float("-inf")),
        with_logprob(None),
        with_logprob(1.0),
        with_ids(lambda ids: [-1 for _ in ids]),
        with_ids(lambda ids: [True for _ in ids]),
        with_ids(lambda ids: [1 << 40 for _ in ids]),
        with_ids(lambda ids: ids * 100),
        with_ids(lambda ids: ids[-1:]),
    ],
)
def test_a_piece_that_cannot_be_right_is_misbehaving(spoil: Callable[[dict[str, Any]], object]) -> None:
    async def main() -> None:
        server = Server()
        server.spoil = spoil
        async with engine_of(server) as engine:
            with pytest.raises(Misbehaving):
                await engine.generate(request(), Progress())
            assert engine.counters().running == 0

    asyncio.run(main())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda event: {},
        without("cached_tokens"),
        meta(cached_tokens=4),
        meta(prompt_tokens=99),
        meta(output_token_ids_logprobs=[]),
        meta(output_token_ids_logprobs=[[[-0.5, 0, None]]]),
        meta(output_token_ids_logprobs=[[[0.5, 0, None], [-0.5, 2, None]]]),
        meta(output_token_ids_logprobs=[[[0.0, 0, None], [0.0, 2, None]]]),
        meta(output_token_ids_logprobs=[[[float("nan"), 0, None], [-0.5, 2, None]]]),
        meta(output_token_ids_logprobs=[[["0.5", 0, None], [-0.5, 2, None]]]),
    ],
)
def test_labels_that_cannot_be_right_are_misbehaving(spoil: Callable[[dict[str, Any]], object]) -> None:
    async def main() -> None:
        server = Server()
        server.spoil = spoil
        async with engine_of(server) as engine:
            with pytest.raises(Misbehaving):
                await engine.label(Labelling("l", PROMPT, (0, 2)), Progress())

    asyncio.run(main())


def test_a_text_is_done_when_the_server_says_why_it_ended_and_says_no_more() -> None:
    async def main() -> None:
        server = Server()
        server.done = b""
        async with engine_of(server) as engine, asyncio.timeout(10):
            assert (await engine.generate(request(), Progress())).text == TEXT

    asyncio.run(main())


LEFT = {"completion_tokens": 0, "output_token_logprobs": []}
"""What is told of a request that was aborted while it waited: nothing of its prompt."""


@pytest.mark.parametrize(
    ("status", "error", "told"),
    [
        (None, Unreachable, "see who else stops requests"),
        (503, Overloaded, "wait, or ask for less at once"),
        (429, Overloaded, "wait, or ask for less at once"),
        (400, Misbehaving, "400: The input is too long"),
        (500, Unreachable, "see the server's log"),
    ],
)
def test_a_text_that_never_ran_is_refused_as_its_status_says(
    status: int | None, error: type[Exception], told: str
) -> None:
    async def main() -> None:
        server = Server()
        finish = {"type": "abort", "message": "The input is too long", "status_code": status}
        server.spoil = lambda _: {"text": "", "output_ids": [], "meta_info": {**LEFT, "finish_reason": finish}}
        async with engine_of(server) as engine:
            with pytest.raises(error, match=told):
                await engine.generate(request(), Progress())

    asyncio.run(main())


@pytest.mark.parametrize(("code", "error"), [(400, Misbehaving), (None, Unreachable)])
def test_an_event_that_tells_an_error_is_that_error(code: int | None, error: type[Exception]) -> None:
    async def main() -> None:
        server = Server()
        server.spoil = lambda _: {"error": {"message": "too long for me", "code": code}}
        async with engine_of(server) as engine:
            with pytest.raises(error, match="too long for me"):
                await engine.generate(request(), Progress())

    asyncio.run(main())


@pytest.mark.parametrize("piece", [{}, {"meta_info": {**LEFT, "finish_reason": None}}])
def test_a_piece_that_says_nothing_is_refused(piece: object) -> None:
    async def main() -> None:
        server = Server()
        server.spoil = lambda _: piece
        async with engine_of(server) as engine:
            with pytest.raises(Misbehaving):
                await engine.generate(request(), Progress())

    asyncio.run(main())


@pytest.mark.parametrize("ask", [Labelling("l", PROMPT, (0, 2)), Reading("r", PROMPT, 1)])
@pytest.mark.parametrize(("status", "error"), [(None, Unreachable), (503, Overloaded)])
def test_a_score_that_somebody_else_aborts_is_no_wrong_answer(
    ask: Labelling | Reading, status: int | None, error: type[Exception]
) -> None:
    async def main() -> None:
        server = Server()
        finish = {"type": "abort", "message": "bye", "status_code": status}
        server.spoil = lambda _: {"text": "", "meta_info": {"completion_tokens": 0, "finish_reason": finish}}
        async with engine_of(server) as engine:
            with pytest.raises(error, match="bye"):
                await (engine.read(ask, Progress()) if isinstance(ask, Reading) else engine.label(ask, Progress()))

    asyncio.run(main())


@pytest.mark.parametrize("ask", [Labelling("l", PROMPT, (0, 2)), Reading("r", PROMPT, 1)])
def test_a_model_that_gives_no_numbers_is_told_as_that_and_never_as_a_score(ask: Labelling | Reading) -> None:
    async def main() -> None:
        server = Server()
        none_of = [[None, token, None] for token in (0, 1, 2, 3)]
        meta = {"prompt_tokens": 3, "cached_tokens": 0, "output_token_ids_logprobs": [none_of]}
        server.spoil = lambda _: {"meta_info": {**meta, "input_token_logprobs": none_of[1:]}}
        async with engine_of(server) as engine:
            with pytest.raises(Misbehaving, match="NaN"):
                await (engine.read(ask, Progress()) if isinstance(ask, Reading) else engine.label(ask, Progress()))

    asyncio.run(main())


@pytest.mark.parametrize("ask", [Labelling("l", PROMPT, (0, 2)), Reading("r", PROMPT, 1)])
def test_a_request_for_numbers_cuts_off_no_tokens_so_that_texts_beside_it_are_drawn_as_ever(
    ask: Labelling | Reading,
) -> None:
    async def main() -> None:
        server = Server()
        async with engine_of(server) as engine:
            with suppress(Misbehaving):  # this server knows no readings
                await (engine.read(ask, Progress()) if isinstance(ask, Reading) else engine.label(ask, Progress()))
        sampling = server.asked[0]["sampling_params"]
        assert (sampling["temperature"], sampling["top_p"], sampling["top_k"]) == (1.0, 1.0, -1)

    asyncio.run(main())


def test_an_abort_that_nobody_answers_holds_up_no_text_that_is_over() -> None:
    async def main() -> None:
        server = Server(pace_seconds=0.01)
        server.silent_aborts = True
        async with engine_of(server) as engine, asyncio.timeout(5):
            await cancelled_after(engine, Progress(), 3)
            assert engine.counters().running == 0

    asyncio.run(main())


@pytest.mark.parametrize(
    ("finish", "error"), [({"type": "abort", "message": "someone"}, Unreachable), ({"type": "odd"}, Misbehaving)]
)
def test_a_text_that_was_ended_by_somebody_else_may_be_asked_for_again(
    finish: dict[str, str], error: type[EngineError]
) -> None:
    async def main() -> None:
        server = Server()
        server.finish = finish
        async with engine_of(server) as engine:
            with pytest.raises(error):
                await engine.generate(request(), Progress())

    asyncio.run(main())


@pytest.mark.parametrize(
    ("info", "error"),
    [
        ({**INFO, "is_embedding": True}, InputError),
        ({"hello": 1}, Misbehaving),
        ([], Misbehaving),
        ({**INFO, "dp_size": 0}, Misbehaving),
        ({**INFO, "max_req_input_len": -1}, Misbehaving),
        ({**INFO, "internal_states": []}, Misbehaving),
        ({**INFO, "internal_states": [{"effective_max_running_requests_per_dp": 0}]}, Misbehaving),
        ({**INFO, "enable_deterministic_inference": "false"}, Misbehaving),
    ],
)
def test_another_kind_of_server_is_told_when_it_is_opened(info: object, error: type[Exception]) -> None:
    async def main() -> None:
        with pytest.raises(error):
            async with engine_of(Server(info)):
                pass

    asyncio.run(main())
