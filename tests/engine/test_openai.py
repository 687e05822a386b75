"""The client of OpenAI's protocol: texts as bytes, stop strings found here, and what a server lacks is told."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spex.engine.base import Generation, Labelling, Message, Progress, Sampling
from spex.engine.catalog import find_engine
from spex.engine.openai import OpenAI
from spex.engine.openai_faults import is_too_long, told_fault
from spex.engine.openai_stream import Choice, OpenAIAnswer, Piece
from spex.errors import InputError, Misbehaving, Overloaded, SpexError, Unreachable
from spex.prompt import Prompt
from spex.usage import Tokens
from tests.engine.listening import listening
from tests.engine.llamacpp_real import real_server
from tests.engine.openai_server import ALL, PIECES, QUESTION, Server, engine_of, request


def test_a_text_ends_behind_its_first_stop_string_wherever_its_pieces_break_and_is_let_go_of() -> None:
    async def main() -> None:
        server = Server(*ALL)
        server.pieces = (*PIECES, *["more"] * 45)
        async with engine_of(server) as engine:
            progress = Progress()
            completion = await engine.generate(request(), progress)
            assert (completion.text, completion.end) == ("one two.\n\n", "delimiter")
            assert completion.token_ids == tuple(completion.text.encode())
            assert completion.logprobs == (-0.5,) * len(completion.token_ids)
            # Of the prompt's tokens nothing was told: one for four bytes.
            assert progress.cost == Tokens(4, 0, 2)
            assert engine.counters() == (0, progress.cost)
            await asyncio.sleep(0.1)
            assert server.left_after is not None
            assert server.left_after < 10

    asyncio.run(main())


def test_a_text_that_ends_by_itself_costs_what_the_server_says() -> None:
    async def main() -> None:
        async with engine_of(Server(*ALL)) as engine:
            progress = Progress()
            completion = await engine.generate(request(stop=()), progress)
            assert (completion.text, completion.end) == ("".join(PIECES), "eos")
            assert progress.cost == Tokens(5, 0, 7)
            assert tuple(progress.token_ids) == completion.token_ids

    asyncio.run(main())


def test_a_limit_ends_a_text_at_a_whole_character() -> None:
    async def main() -> None:
        server = Server(*ALL)
        server.pieces = ("caf", "é \ufffd", "more")
        async with engine_of(server) as engine:
            completion = await engine.generate(request(tokens_max=2), Progress())
            assert (completion.text, completion.end) == ("café ", "length")
            assert completion.token_ids == tuple("café ".encode())

    asyncio.run(main())


@given(st.text("ab\n", max_size=12), st.lists(st.integers(1, 3), max_size=12), st.sampled_from(["\n\n", "ab", "a"]))
def test_where_a_text_is_cut_does_not_depend_on_its_pieces(text: str, lengths: list[int], stop: str) -> None:
    answer = OpenAIAnswer("engine", Progress(), 0, (stop, "\n\nb"), 50)
    rest = text
    for length in [*lengths, *[1] * len(text)]:
        piece, rest = rest[:length], rest[length:]
        if not answer.is_over:
            answer.take(Piece([Choice(piece)]))
    if not answer.is_over:
        answer.take(Piece([Choice("", finish_reason="stop")]))
    ends = [text.find(one) + len(one) for one in (stop, "\n\nb") if one in text]
    expected = (text[: min(ends)], "delimiter") if ends else (text, "eos")
    assert answer.completion()[:1] + answer.completion()[3:] == expected


def test_log_probabilities_come_in_either_form() -> None:
    async def main() -> None:
        server = Server(*ALL)
        server.newer = True
        async with engine_of(server) as engine:
            assert engine.capabilities.log_probabilities
            completion = await engine.generate(request(), Progress())
            assert completion.logprobs == (-0.5,) * len(completion.token_ids)

    asyncio.run(main())


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("known", [(), ("seed",), ("logprobs",), ALL])
def test_what_a_server_lacks_is_not_asked_for_again_and_told(known: tuple[str, ...], strict: bool) -> None:
    async def main() -> None:
        server = Server(*known, strict=strict)
        async with engine_of(server) as engine:
            told = engine.capabilities
            assert told.log_probabilities is ("logprobs" in known)
            assert (told.seed, told.label_scores, told.abort_confirmed) == ("none", False, False)
            completion = await engine.generate(request(), Progress())
            assert completion.text == "one two.\n\n"
            assert (completion.logprobs is None) is ("logprobs" not in known)
            assert engine.counters().cost.generated == 4
        if strict:
            assert {"logprobs", "seed", "stream_options"} & server.asked[-1].keys() == set(known)
        assert 0 <= server.asked[-1].get("seed", 0) < 1 << 31
        assert set(server.keys) == {"Bearer secret"}

    asyncio.run(main())


def test_a_server_of_neither_form_is_refused() -> None:
    async def main() -> None:
        server = Server()
        server.forms = ()
        with pytest.raises(InputError, match="neither /completions nor /chat/completions for 'policy'"):
            async with engine_of(server):
                pass

    asyncio.run(main())


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden"])
def test_a_key_that_is_refused_is_named(status: str) -> None:
    async def main() -> None:
        server = Server()
        server.status = status
        with pytest.raises(InputError, match="key: "):
            async with engine_of(server):
                pass

    asyncio.run(main())


def test_of_several_models_one_must_be_named() -> None:
    async def main() -> None:
        server = Server(*ALL)
        for models, told in (([{"id": "a"}, {"id": "b"}], r"\(a, b\)"), ([], "it tells none")):
            server.models = models
            with pytest.raises(InputError, match=told):
                async with engine_of(server):
                    pass
        server.models = None
        for path, model in (("/v1#b", None), ("/v1/", "b")):
            async with engine_of(server, path, model):
                assert server.asked[-1]["model"] == "b"

    asyncio.run(main())


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (lambda event: {"error": {"message": "out of memory"}}, Unreachable),
        (lambda event: {"error": {"message": "no", "code": "500"}}, Unreachable),
        (lambda event: {"error": {"message": "no", "code": 408}}, Unreachable),
        (lambda event: {"error": {"message": "no", "code": 400}}, Misbehaving),
        (lambda event: {"error": {"message": "no", "type": "invalid_request_error", "code": None}}, Misbehaving),
        (lambda event: {"error": {"message": "no", "code": 429}}, Overloaded),
        (lambda event: {"error": {"message": "no", "type": "overloaded_error"}}, Overloaded),
        (lambda event: {"error": "no"}, Unreachable),
        (lambda event: {"choices": [{**event["choices"][0], "finish_reason": "error"}]}, Unreachable),
        (
            lambda event: {"choices": [{**event["choices"][0], "finish_reason": "insufficient_system_resource"}]},
            Unreachable,
        ),
        (lambda event: {"error": {"message": "no", "type": {"a": 1}, "code": [1]}}, Unreachable),
        (lambda event: {"choices": [{"index": 0, "delta": {"content": "of a chat"}}]}, Misbehaving),
        (lambda event: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}, Misbehaving),
        (lambda event: [], Misbehaving),
        (lambda event: {"choices": event["choices"] * 2}, Misbehaving),
        (lambda event: {"choices": [{**event["choices"][0], "text": None}]}, Misbehaving),
        (lambda event: {"choices": [{**event["choices"][0], "logprobs": {"token_logprobs": [2.0]}}]}, Misbehaving),
        (lambda event: {"choices": [{**event["choices"][0], "finish_reason": "content_filter"}]}, Misbehaving),
        (lambda event: {"choices": [{**event["choices"][0], "text": "a" * 10_000}]}, Misbehaving),
        (lambda event: {**event, "usage": {"prompt_tokens": 1, "completion_tokens": -1}}, Misbehaving),
    ],
)
def test_a_piece_that_cannot_be_right_says_so(
    spoil: Callable[[dict[str, Any]], object], error: type[SpexError]
) -> None:
    async def main() -> None:
        server = Server(*ALL)
        async with engine_of(server) as engine:
            server.spoil = spoil
            with pytest.raises(error):
                await engine.generate(request(), Progress())
            assert engine.counters().running == 0

    asyncio.run(main())


def spoilt_end(**changed: object) -> Callable[[dict[str, Any]], object]:
    """The last piece of a text, changed."""
    return lambda event: (
        {"choices": [{**choice, **changed} for choice in event["choices"]]}
        if event.get("choices") and event["choices"][0]["finish_reason"]
        else event
    )


@pytest.mark.parametrize(
    "spoil",
    [
        spoilt_end(text=None),
        spoilt_end(logprobs=None),
        lambda event: {**event, "usage": {}},
        lambda event: {**event, "usage": {"total_tokens": 7}} if "usage" in event else event,
        lambda event: {**event, "choices": None} if "usage" in event else event,
    ],
)
def test_pieces_may_lack_what_says_nothing(spoil: Callable[[dict[str, Any]], object]) -> None:
    async def main() -> None:
        server = Server(*ALL)
        async with engine_of(server) as engine:
            server.spoil = spoil
            progress = Progress()
            completion = await engine.generate(request(stop=()), progress)
            assert (completion.text, completion.end) == ("".join(PIECES), "eos")
            assert progress.cost.generated == len(PIECES)

    asyncio.run(main())


class Short(Server):
    """Has room for so many tokens, all told, of which a prompt has one a byte, and refuses what could be more."""

    room = 1 << 20
    says = "This model's maximum context length is 20 tokens. However, you requested 57 tokens."

    async def complete(self, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        if len(body["prompt"]) + body[self.limit] > self.room:
            self.asked.append(body)
            await self.send(writer, "400 Bad Request", json.dumps({"error": {"message": self.says}}))
            return
        await super().complete(body, writer)


@pytest.mark.parametrize(
    ("room", "text", "end"),
    [
        (len(QUESTION) + 50, "".join(PIECES), "eos"),
        (len(QUESTION) + 6, "".join(PIECES), "eos"),  # of 50, 25, 12 and 6 tokens the last is all that is needed
        (len(QUESTION) + 4, "one two.\n", "context"),  # of 3 tokens
        (len(QUESTION) + 1, "one", "context"),
        (len(QUESTION), "", "context"),
    ],
)
def test_a_path_that_fills_a_context_nobody_told_of_ends_there(room: int, text: str, end: str) -> None:
    async def main() -> None:
        server = Short(*ALL)
        async with engine_of(server) as engine:
            server.room = room
            completion = await engine.generate(request(stop=()), Progress())
            assert (completion.text, completion.end) == (text, end)
            assert completion.token_ids == tuple(text.encode())

    asyncio.run(main())


def test_half_a_step_of_some_length_is_one_that_goes_on_and_the_refusal_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        server = Short(*ALL)
        server.pieces = ("a",) * 60
        async with engine_of(server) as engine:
            server.room = len(QUESTION) + 30
            for _ in range(2):
                completion = await engine.generate(request(stop=()), Progress())
                assert (completion.text, completion.end) == ("a" * 25, "length")

    with caplog.at_level(logging.WARNING, "spex"):
        asyncio.run(main())
    assert caplog.text.count("paths end where its context does") == 1


def test_of_a_text_that_goes_on_only_what_is_missing_is_halved() -> None:
    async def main() -> None:
        server = Short("logprobs", strict=True)
        async with engine_of(server) as engine:
            server.room, asked = len(QUESTION) + 9, len(server.asked)
            progress = Progress(text="one two", logprobs=[-0.5, -0.5], cost=Tokens(40, 0, 2))
            completion = await engine.generate(request(stop=(), tokens_max=60), progress)
            assert [body["max_tokens"] for body in server.asked[asked:]] == [20, 10, 5, 2]
            assert completion.end == "context"

    asyncio.run(main())


def test_what_there_is_of_a_text_stays_where_the_context_has_no_room_for_the_rest() -> None:
    async def main() -> None:
        server = Short("logprobs", strict=True)
        async with engine_of(server) as engine:
            assert engine.capabilities.resumes
            server.room = 0
            progress = Progress(text="one two", logprobs=[-0.5, -0.5], cost=Tokens(2, 0, 2))
            completion = await engine.generate(request(), progress)
            assert (completion.text, completion.end) == ("one two", "context")

    asyncio.run(main())


@pytest.mark.parametrize(
    "says",
    [
        '{"error": {"code": 400, "message": "the request exceeds the available context size", "type": "x"}}',
        "'max_tokens' is too large: 256. This model's maximum context length is 2048 tokens",
        "prompt is too long: 9 tokens > 8 maximum",
        '{"code": "context_length_exceeded"}',
        "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 2048. Given: 2000 `inputs` tokens",
    ],
)
def test_servers_have_several_words_for_it(says: str) -> None:
    assert is_too_long(Misbehaving("engine", "status 200", f"400: {says}"))


def test_a_refusal_for_length_within_a_stream_is_one_too() -> None:
    for error in (
        "Trying to keep the first 900 tokens. However, the model is loaded with context length of only 512 tokens",
        {"message": "the request exceeds the available context size", "code": 500},
    ):
        told = told_fault("engine", error)
        assert isinstance(told, Misbehaving)
        assert is_too_long(told)


@pytest.mark.parametrize(
    "got",
    [
        '422: {"input": "What is a context window?"}',
        "400: no such field",
        "500: maximum context length",
        "400: unknown option: context",
    ],
)
def test_another_refusal_is_none_for_its_length(got: str) -> None:
    assert not is_too_long(Misbehaving("engine", "status 200", got))
    assert not is_too_long(Misbehaving("engine", "JSON", "400: maximum context length"))


def test_a_request_that_is_refused_for_something_else_is_asked_once() -> None:
    async def main() -> None:
        server = Short(*ALL)
        server.says = "no such field"
        async with engine_of(server) as engine:
            server.room, asked = 0, len(server.asked)
            with pytest.raises(Misbehaving, match="no such field"):
                await engine.generate(request(), Progress())
            assert len(server.asked) == asked + 1

    asyncio.run(main())


def test_counts_of_more_than_was_asked_for_are_misbehaving() -> None:
    async def main() -> None:
        server = Server(*ALL)
        async with engine_of(server) as engine:
            server.spoil = lambda event: (
                {**event, "usage": {"prompt_tokens": 1, "completion_tokens": 51}} if "usage" in event else event
            )
            with pytest.raises(Misbehaving, match="at most 50 tokens"):
                await engine.generate(request(stop=()), Progress())

    asyncio.run(main())


def test_a_stream_without_an_end_may_be_asked_for_again() -> None:
    async def main() -> None:
        server = Server(*ALL)
        async with engine_of(server) as engine:
            server.finish = None
            with pytest.raises(Unreachable, match="before its text did"):
                await engine.generate(request(stop=()), Progress())

    asyncio.run(main())


def test_a_cancelled_text_is_let_go_of() -> None:
    async def main() -> None:
        server = Server(*ALL)
        server.pieces = ("a",) * 1000
        async with engine_of(server) as engine:
            progress = Progress()
            task = asyncio.ensure_future(engine.generate(request(tokens_max=1000), progress))
            while len(progress.text) < 5:  # noqa: ASYNC110  # a server on a real clock
                await asyncio.sleep(0.005)
            assert engine.counters().running == 1
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert engine.counters() == (0, progress.cost)
            assert 5 <= progress.cost.generated < 1000

    asyncio.run(main())


def test_a_text_that_was_stopped_goes_on_behind_what_it_had_with_what_is_left_of_its_tokens() -> None:
    """Drawn afresh, what was stopped because it had become long would be shorter."""

    async def main() -> None:
        server = Server("logprobs", "stream_options", strict=True)
        async with engine_of(server) as engine:
            assert engine.capabilities.keeps_tokens
            progress = Progress()
            task = asyncio.ensure_future(engine.generate(request(), progress))
            while len(progress.text) < len("one two"):  # noqa: ASYNC110  # a server on a real clock
                await asyncio.sleep(0.001)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            kept, written = progress.text, progress.cost.generated
            server.pieces = PIECES[written:]
            completion = await engine.generate(request(), progress)
            asked = server.asked[-1]
            assert (asked["prompt"], asked["max_tokens"]) == (QUESTION + kept, 50 - written)
            assert (completion.text, completion.end) == ("one two.\n\n", "delimiter")
            assert completion.logprobs == (-0.5,) * len(completion.text)
            assert progress.cost.generated == 4
            assert engine.counters().cost == progress.cost

    asyncio.run(main())


def test_where_there_are_seeds_a_text_that_was_stopped_is_written_again_by_its_own() -> None:
    async def main() -> None:
        server = Server(*ALL)
        async with engine_of(server) as engine:
            assert not engine.capabilities.keeps_tokens
            progress = Progress(text="one two", cost=Tokens(2, 0, 2))
            assert (await engine.generate(request(), progress)).text == "one two.\n\n"
            assert (server.asked[-1]["prompt"], server.asked[-1]["max_tokens"]) == (QUESTION, 50)

    asyncio.run(main())


def test_a_stop_string_is_found_across_the_place_where_a_text_goes_on() -> None:
    progress = Progress(text="one.\n", cost=Tokens(3, 0, 2))
    answer = OpenAIAnswer("engine", progress, 0, ("\n\n",), 50)
    answer.take(Piece([Choice("\ntwo")]))
    assert (answer.written, answer.completion().text) == (3, "one.\n\n")


def test_what_ended_a_text_that_was_stopped_in_the_same_instant_is_written_again() -> None:
    progress = Progress()
    answer = OpenAIAnswer("engine", progress, 0, ("\n\n",), 50)
    answer.take(Piece([Choice("one")]))
    answer.take(Piece([Choice(".\n\ntwo")]))
    answer.reopen()
    assert progress.text == "one"


def test_half_a_character_is_no_part_of_what_goes_on() -> None:
    progress = Progress(text="caf\ufffd", cost=Tokens(2, 0, 2))
    assert OpenAIAnswer("engine", progress, 0, (), 50).written == 2
    assert progress.text == "caf"


@pytest.mark.parametrize("status", ["404 Not Found", "400 Bad Request"])
def test_a_model_that_is_not_served_is_told_with_those_that_are(status: str) -> None:
    async def main() -> None:
        server = Server(*ALL)
        server.models, server.status = [{"id": "small"}, {"id": "large"}], status
        with pytest.raises(InputError, match="it does not serve 'gpt'; its models: large, small") as caught:
            async with engine_of(server, "#gpt"):
                pass
        assert caught.value.field == "policy"
        server.models = None
        with pytest.raises((InputError, Misbehaving)) as unknown:
            async with engine_of(server, "#gpt"):
                pass
        assert "does not serve" not in str(unknown.value)
        server.models, server.status = [{"id": "small"}], "200 OK"
        async with engine_of(server, "#more-than-it-tells") as engine:
            assert (await engine.generate(request(), Progress())).text

    asyncio.run(main())


def test_what_it_cannot_do_is_refused_at_the_door() -> None:
    async def main() -> None:
        server = Server(*ALL)
        async with engine_of(server) as engine:
            with pytest.raises(InputError, match=r"reward: .*rubric, or a judge such as vllm"):
                await engine.label(Labelling("l", Prompt([(65,)]), (66,)), Progress())
            with pytest.raises(InputError, match="top_k"):
                await engine.generate(Generation("k", Prompt([(65,)]), 1, (), 5, Sampling(top_k=5)), Progress())
            with pytest.raises(InputError, match="lone surrogates"):
                await engine.encode("\ud800")
            with pytest.raises(Misbehaving, match="bytes of UTF-8"):
                await engine.generate(Generation("k", Prompt([(255,)]), 1, (), 5), Progress())
            chat = await engine.encode_chat([Message("system", "Be brief."), Message("user", "Hi")])
            assert bytes(chat).decode() == "System: Be brief.\n\nUser: Hi\n\nAssistant: "

    asyncio.run(main())
    with pytest.raises(InputError, match="slots"):
        OpenAI("http://127.0.0.1", slots=0)


def test_the_key_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "from outside")

    async def main() -> None:
        server = Server(*ALL)
        async with listening(server.serve) as url:
            engine = find_engine(f"openai:{url}/v1")
            await asyncio.gather(engine.open(), engine.open())
            await engine.close()
            await engine.close()
        assert set(server.keys) == {"Bearer from outside"}
        assert len(server.asked) == 2  # which options it takes, and whether it goes on: once, for both who open it

    asyncio.run(main())


@pytest.mark.engine
def test_a_real_server_of_another_make_is_understood() -> None:
    async def main() -> None:
        async with real_server() as (url, key):
            engine = OpenAI(url, key=key)
            try:
                await engine.open()
                assert engine.capabilities.log_probabilities
                progress = Progress()
                prompt = Prompt([await engine.encode("The alphabet: A, B, C, D, E,")])
                completion = await engine.generate(Generation("k", prompt, 1, (",",), 20, Sampling(0.0)), progress)
                assert completion.text.endswith(",")
                assert (completion.end, completion.text.count(",")) == ("delimiter", 1)
                assert completion.logprobs is not None
                assert 1 <= progress.cost.generated <= 20
                short = await engine.generate(Generation("k", prompt, 1, (), 5, Sampling(0.0)), Progress())
                assert (short.end, engine.counters().running) == ("length", 0)
            finally:
                await engine.close()

    asyncio.run(main())


def test_of_many_models_with_hostile_names_a_few_are_shown_and_none_of_them_moves_the_cursor() -> None:
    async def main() -> None:
        server = Server(*ALL)
        server.models = [{"id": f"{number:03d}\x1b[2J" + "x" * 5_000} for number in range(100)]
        with pytest.raises(InputError) as caught:
            async with engine_of(server):
                pass
        assert "\x1b" not in str(caught.value)
        assert "(100 in all)" in str(caught.value)
        assert len(str(caught.value)) < 1_500

    asyncio.run(main())
