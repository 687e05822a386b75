"""Chats of OpenAI's protocol: how half an answer goes on there, and what is told where it does not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spex.engine.base import Generation, Message, Progress, Sampling
from spex.engine.catalog import find_engine
from spex.engine.openai import OpenAI
from spex.engine.openai_chat import Chats, Joint
from spex.errors import InputError, Misbehaving, Unreachable
from spex.prompt import Prompt
from spex.report.lacks import lacks_of
from spex.usage import Tokens
from tests.engine.llamacpp_real import real_server
from tests.engine.openai_server import ALL, Server, begins_anew, engine_of

CHAT = [Message("system", "Be brief."), Message("user", "Count.")]
TURNS = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Count."}]


def by_flags(body: dict[str, Any]) -> bool:
    return bool(body.get("continue_final_message")) and body.get("add_generation_prompt") is False


def by_prefix(body: dict[str, Any]) -> bool:
    return bool(body["messages"][-1].get("prefix"))


def by_turn(body: dict[str, Any]) -> bool:
    return body["messages"][-1]["role"] == "assistant" and not by_flags(body) and not by_prefix(body)


async def asked(engine: OpenAI, begun: str, stop: tuple[str, ...] = ("\n\n",), progress: Progress | None = None) -> str:
    """The text behind what the assistant has `begun`."""
    prompt = Prompt([await engine.encode_chat(CHAT), await engine.encode(begun)])
    request = Generation("p|c", prompt, 7, stop, 50, Sampling(0.8))
    return (await engine.generate(request, progress or Progress())).text


@pytest.mark.parametrize(
    ("goes_on", "turn", "flags"),
    [
        (by_flags, {}, {"continue_final_message": True, "add_generation_prompt": False}),
        (by_prefix, {"prefix": True}, {}),
        (by_turn, {}, {}),
    ],
)
def test_half_an_answer_goes_on_in_the_way_that_the_server_has(
    goes_on: Callable[[dict[str, Any]], bool], turn: dict[str, object], flags: dict[str, object]
) -> None:
    async def main() -> None:
        server = Server(*ALL, chats=True, goes_on=goes_on)
        async with engine_of(server) as engine:
            assert engine.capabilities.continues
            assert not any("half an answer" in lack for lack in lacks_of(engine.capabilities))
            assert await asked(engine, "") == "one two.\n\n"
            assert server.asked[-1]["messages"] == TURNS
            assert await asked(engine, "One: 1.") == "one two.\n\n"
            body = server.asked[-1]
            assert body["messages"] == [*TURNS, {"role": "assistant", "content": "One: 1.", **turn}]
            for flag in ("continue_final_message", "add_generation_prompt"):
                assert body.get(flag) == flags.get(flag)

    asyncio.run(main())


def test_where_no_turn_goes_on_it_is_asked_for_in_words_and_that_is_told() -> None:
    async def main() -> None:
        server = Server(*ALL, chats=True, goes_on=begins_anew)
        async with engine_of(server) as engine:
            assert any("does not go on from half an answer" in lack for lack in lacks_of(engine.capabilities))
            await asked(engine, "One: 1.")
            *turns, begun, wanted = server.asked[-1]["messages"]
            assert (turns, begun) == (TURNS, {"role": "assistant", "content": "One: 1."})
            assert wanted["role"] == "user"
            assert "exactly where it ends" in wanted["content"]

    asyncio.run(main())


def test_a_server_that_has_both_forms_is_asked_for_completions_unless_chats_are_wanted() -> None:
    async def main() -> None:
        server = Server(*ALL)
        server.forms = ("/v1/completions", "/v1/chat/completions")
        async with engine_of(server):
            assert all("prompt" in body for body in server.asked)
        server.asked.clear()
        async with engine_of(server, chats=True) as engine:
            assert engine.name.startswith("openai-chat:")
            assert all("messages" in body for body in server.asked)

    asyncio.run(main())


def test_its_name_in_a_policy_is_that_of_chats() -> None:
    engine = find_engine("openai-chat:http://127.0.0.1:1/v1#policy")
    assert engine.name == "openai-chat:http://127.0.0.1:1/v1#policy"


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("known", [(), ("seed",), ("logprobs",), ALL])
def test_what_it_lacks_is_not_asked_for_again_and_told(known: tuple[str, ...], strict: bool) -> None:
    async def main() -> None:
        server = Server(*known, strict=strict, chats=True, goes_on=by_flags)
        async with engine_of(server) as engine:
            assert engine.capabilities.log_probabilities is ("logprobs" in known)
            assert engine.capabilities.counts is ("stream_options" in known)
            assert engine.capabilities.continues
            assert await asked(engine, "") == "one two.\n\n"
        if strict:
            assert {"logprobs", "seed", "stream_options"} & server.asked[-1].keys() == set(known)

    asyncio.run(main())


def test_a_model_that_knows_the_newer_name_of_the_limit_alone_is_asked_by_it() -> None:
    async def main() -> None:
        server = Server(*ALL, chats=True, goes_on=by_turn)
        server.limit = "max_completion_tokens"
        async with engine_of(server) as engine:
            assert await asked(engine, "One.") == "one two.\n\n"
            assert server.asked[-1]["max_completion_tokens"] == 50
            assert "max_tokens" not in server.asked[-1]

    asyncio.run(main())


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (("\n", "\nthree", "\n\nfour"), "three\n\n"),  # a template has cut it off, so that it is written anew
        (("three", "\n\nfour"), "three\n\n"),
        (("\n", "  return 1", "\n\n"), "  return 1\n\n"),
        (("\n\n\n\n",), "\n\n"),
    ],
)
def test_the_delimiter_before_a_step_is_sent_by_no_one_and_is_no_step_of_its_own(
    pieces: tuple[str, ...], text: str
) -> None:
    async def main() -> None:
        server = Server(*ALL, chats=True, goes_on=by_flags)
        async with engine_of(server) as engine:
            server.pieces = pieces
            assert await asked(engine, "One: 1.\n\n") == text
            assert server.asked[-1]["messages"][-1]["content"] == "One: 1."

    asyncio.run(main())


@given(st.text(" \n", max_size=4), st.text("a \n", max_size=8), st.lists(st.integers(1, 3), max_size=8))
def test_what_is_held_back_is_taken_off_once_however_a_text_is_cut_into_pieces(
    held: str, text: str, lengths: list[int]
) -> None:
    common = next((n for n, pair in enumerate(zip(held, text, strict=False)) if pair[0] != pair[1]), None)
    expected = text[min(len(held), len(text)) if common is None else common :]
    joint, found, rest = Joint("begun" + held), "", text
    for length in [*lengths, *[1] * len(text)]:
        piece, rest = rest[:length], rest[length:]
        found += joint.rest(piece)
    assert found == expected


def test_a_text_that_was_stopped_goes_on_behind_what_it_had() -> None:
    async def main() -> None:
        server = Server("logprobs", chats=True, strict=True, goes_on=by_flags)
        async with engine_of(server) as engine:
            progress = Progress(text="one two.\n", cost=Tokens(3, 0, 2))
            server.pieces = ("\n\nthree",)
            assert await asked(engine, "Here: ", progress=progress) == "one two.\n\n"
            assert server.asked[-1]["messages"][-1]["content"] == "Here: one two."
            assert server.asked[-1]["max_tokens"] == 47

    asyncio.run(main())


def test_a_text_that_is_no_chat_is_one_that_the_assistant_has_begun() -> None:
    async def main() -> None:
        server = Server(*ALL, chats=True, goes_on=by_flags)
        async with engine_of(server) as engine:
            request = Generation("k", Prompt([await engine.encode("Once upon")]), 1, (), 5)
            await engine.generate(request, Progress())
            wanted, begun = server.asked[-1]["messages"]
            assert wanted["role"] == "user"
            assert begun == {"role": "assistant", "content": "Once upon"}

    asyncio.run(main())


@given(
    st.lists(st.tuples(st.sampled_from(["system", "user", "assistant"]), st.text(max_size=6)), max_size=4), st.text()
)
def test_a_chat_comes_back_from_its_token_ids_whatever_its_texts_are(said: list[tuple[Any, str]], begun: str) -> None:
    chats = Chats("engine")
    messages = [Message(role, text.encode("utf-8", "ignore").decode()) for role, text in said]
    begun = begun.encode("utf-8", "ignore").decode()
    turns, found = chats.turns((*chats.encoded(messages), *begun.encode()))
    assert turns == [{"role": message.role, "content": message.content} for message in messages]
    assert found == begun


@pytest.mark.parametrize("token_ids", [(300,), (0xFA, 0xC3), (65, 0xFA), (0xFA, 65, 0xF9, 66)])
def test_token_ids_that_are_no_chat_are_refused(token_ids: tuple[int, ...]) -> None:
    with pytest.raises(Misbehaving, match="chat"):
        Chats("engine").turns(token_ids)


def test_thoughts_that_are_told_apart_are_no_part_of_a_text_and_no_silence() -> None:
    async def main() -> None:
        server = Server(*ALL, chats=True, goes_on=by_flags)
        async with engine_of(server) as engine:
            thoughts = iter([{"reasoning_content": "Hm. "}, {"reasoning": "So: ", "content": None}])

            def thinking(event: dict[str, Any]) -> object:
                delta = next(thoughts, None)
                return event if delta is None else {"choices": [{"delta": delta}]}

            server.pieces = ("", "", "four.\n\n")
            server.spoil = thinking
            assert await asked(engine, "") == "four.\n\n"

    asyncio.run(main())


def test_what_of_a_prompt_was_in_the_servers_cache_is_counted_so() -> None:
    async def main() -> None:
        server = Server(*ALL, chats=True, goes_on=by_flags)
        server.spoil = lambda event: (
            {**event, "usage": {**event["usage"], "prompt_tokens_details": {"cached_tokens": 5}}}
            if event.get("usage")
            else event
        )
        async with engine_of(server) as engine:
            progress = Progress()
            await asked(engine, "", stop=(), progress=progress)
            assert progress.cost == Tokens(5, 5, 2)
            server.spoil = lambda event: (
                {**event, "usage": {**event["usage"], "prompt_tokens_details": {"cached_tokens": 8}}}
                if event.get("usage")
                else event
            )
            with pytest.raises(Misbehaving, match="no more tokens from its cache"):
                await asked(engine, "", stop=())

    asyncio.run(main())


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (lambda event: {"error": {"message": "out of memory"}}, Unreachable),
        (lambda event: {"choices": [{"index": 0, "text": "a completion"}]}, Misbehaving),
        (lambda event: {"choices": [{**event["choices"][0], "finish_reason": "content_filter"}]}, Misbehaving),
    ],
)
def test_a_piece_that_cannot_be_right_says_so(
    spoil: Callable[[dict[str, Any]], object], error: type[Exception]
) -> None:
    async def main() -> None:
        server = Server(*ALL, chats=True, goes_on=by_flags)
        async with engine_of(server) as engine:
            server.spoil = spoil
            with pytest.raises(error):
                await asked(engine, "")
            assert engine.counters().running == 0

    asyncio.run(main())


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden"])
def test_a_key_that_is_refused_is_named(status: str) -> None:
    async def main() -> None:
        server = Server(chats=True)
        server.status = status
        with pytest.raises(InputError, match="key: "):
            async with engine_of(server):
                pass

    asyncio.run(main())


@pytest.mark.engine
def test_a_real_server_goes_on_from_half_an_answer() -> None:
    async def main() -> None:
        async with real_server() as (url, key):
            engine = OpenAI(url, key=key, chats=True)
            try:
                await engine.open()
                assert engine.capabilities.continues
                assert engine.capabilities.log_probabilities
                assert engine.capabilities.counts
                chat = await engine.encode_chat([Message("user", "Say the alphabet, in capitals.")])
                prompt = Prompt([chat, await engine.encode("A, B, C, D, E,")])
                progress = Progress()
                found = await engine.generate(Generation("k", prompt, 1, (",",), 20, Sampling(0.0)), progress)
                assert (found.text, found.end) == (" F,", "delimiter")
                assert progress.cost.generated >= 1
                assert engine.counters().running == 0
            finally:
                await engine.close()

    asyncio.run(main())
