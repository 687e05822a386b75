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
from spex.engine.template import Templated
from spex.errors import InputError, Misbehaving, Unreachable
from spex.policy import Policy
from spex.prompt import Prompt
from spex.report.lacks import lacks_of
from spex.tasks.text import Text
from spex.tasks.thinking import Thinking
from spex.usage import Tokens
from tests.engine.listening import listening
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
        server.forms = ("/completions", "/chat/completions")
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
            assert not engine.capabilities.counts  # of a text that is cut off there are none
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


def test_a_model_that_takes_no_top_p_is_asked_without_where_it_is_1_and_else_refused() -> None:
    async def main() -> None:
        server = Server(*ALL, chats=True, goes_on=by_turn)
        server.limit, server.refused = "max_completion_tokens", {"top_p", "logprobs", "temperature"}
        async with engine_of(server) as engine:
            prompt = Prompt([await engine.encode_chat(CHAT)])
            await engine.generate(Generation("k", prompt, 1, (), 50), Progress())
            assert not server.refused & server.asked[-1].keys()
            for sampling, field in ((Sampling(0.7), "temperature"), (Sampling(top_p=0.9), "top_p")):
                with pytest.raises(InputError, match="it must be 1") as caught:
                    await engine.generate(Generation("k", prompt, 1, (), 50, sampling), Progress())
                assert caught.value.field == field

    asyncio.run(main())


def test_what_a_model_refuses_in_any_form_is_told_by_its_last_word() -> None:
    async def main() -> None:
        server = Server(*ALL, chats=True)
        server.limit, server.refused = "max_completion_tokens", {"stream"}
        with pytest.raises(Misbehaving, match=r"unknown: \{'stream'\}"):
            async with engine_of(server, chats=True):
                pass

    asyncio.run(main())


def test_where_completions_begin_a_turn_of_their_own_and_chats_go_on_chats_are_asked() -> None:
    async def main() -> None:
        for goes_on, path in ((by_turn, "messages"), (begins_anew, "prompt")):
            server = Server(*ALL, goes_on=goes_on)
            server.forms, server.has_texts = ("/completions", "/chat/completions"), False
            async with engine_of(server) as engine:
                assert engine.capabilities.continues is (path == "messages")
                await asked(engine, "")
                assert path in server.asked[-1]

    asyncio.run(main())


def test_an_instant_in_which_a_server_is_full_or_away_is_no_refusal() -> None:
    async def main() -> None:
        for status in ("502 Bad Gateway", "429 Too Many Requests"):
            server = Server(*ALL, chats=True, goes_on=by_flags)
            complete, left = server.complete, iter(range(100))

            async def sometimes(body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
                server.status = status if next(left) % 2 else "200 OK"  # noqa: B023
                await complete(body, writer)  # noqa: B023

            server.complete = sometimes  # type: ignore[method-assign]
            async with engine_of(server, chats=True) as engine:
                assert engine.capabilities.continues
                assert engine.capabilities.log_probabilities

    asyncio.run(main())


def test_the_base_of_its_paths_is_taken_as_it_stands() -> None:
    async def main() -> None:
        for base, path in (
            ("", "/v1"),
            ("/v1", "/v1"),
            ("/v1beta/openai/", "/v1beta/openai"),
            ("/api/v1#policy", "/api/v1"),
        ):
            server = Server(*ALL, chats=True, goes_on=by_flags)
            server.path = path
            async with engine_of(server, base) as engine:
                assert await asked(engine, "") == "one two.\n\n"

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


@pytest.mark.parametrize("keeps", [True, False])
def test_where_white_space_at_a_turns_end_reaches_the_model_it_is_sent_and_what_comes_is_all_new(keeps: bool) -> None:
    async def main() -> None:
        server = Server(*ALL, chats=True, goes_on=by_flags)

        def counted(event: dict[str, Any]) -> object:
            if not event.get("usage"):
                return event
            said = str(server.asked[-1]["messages"][-1]["content"])
            return {**event, "usage": {"prompt_tokens": len(said if keeps else said.rstrip()), "completion_tokens": 2}}

        server.spoil = counted
        async with engine_of(server) as engine:
            server.pieces = ("\n\n", "three", "\n\n")
            found = [await asked(engine, begun) for begun in ("One: 1.\n\n", "\n")]
            sent = [body["messages"][-1]["content"] for body in server.asked[-2:]]
            assert found == ["\n\n" if keeps else "three\n\n", "\nthree\n\n"]
            assert sent == ["One: 1.\n\n" if keeps else "One: 1.", TURNS[-1]["content"]]

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
            assert engine.capabilities.keeps_tokens
            progress = Progress(text="one two.\n", cost=Tokens(3, 0, 2))
            server.pieces = ("\n\nthree",)
            assert await asked(engine, "Here: ", progress=progress) == "one two.\n\n"
            assert server.asked[-1]["messages"][-1]["content"] == "Here: one two."
            assert server.asked[-1]["max_tokens"] == 47

    asyncio.run(main())


def test_where_no_turn_goes_on_a_text_that_was_stopped_is_written_anew() -> None:
    async def main() -> None:
        server = Server("logprobs", chats=True, strict=True, goes_on=begins_anew)
        async with engine_of(server) as engine:
            assert not engine.capabilities.keeps_tokens
            assert await asked(engine, "", progress=Progress(text="The answer is")) == "one two.\n\n"
            assert server.asked[-1]["messages"] == TURNS

    asyncio.run(main())


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (("Here: 1.", " one\n\n"), " one\n\n"),
        (("Here", ": 1. one", "\n\n"), " one\n\n"),
        (("He", "llo\n\n"), "Hello\n\n"),
        (("He",), "He"),
    ],
)
def test_what_a_server_repeats_of_a_turn_with_a_prefix_is_not_new(pieces: tuple[str, ...], text: str) -> None:
    joint = Joint("Here: 1.", echoed=True)
    found = [joint.rest(piece, is_last=number == len(pieces)) for number, piece in enumerate(pieces, start=1)]
    assert "".join(found) == text


def test_a_server_that_repeats_what_was_begun_goes_on_all_the_same() -> None:
    async def main() -> None:
        server = Server(*ALL, chats=True, goes_on=by_prefix)
        write = server.text_for

        def repeated(body: dict[str, Any]) -> tuple[str, ...]:
            last = body["messages"][-1]
            return (last["content"], *write(body)) if last.get("prefix") else write(body)

        server.text_for = repeated  # type: ignore[method-assign]
        async with engine_of(server) as engine:
            assert engine.capabilities.continues
            assert await asked(engine, "Here: 1.") == "one two.\n\n"

    asyncio.run(main())


def test_of_a_server_that_repeats_nothing_what_is_as_what_was_begun_is_new() -> None:
    async def main() -> None:
        server = Server(*ALL, chats=True, goes_on=by_prefix)
        server.pieces = ("1", " apples", "\n\n")
        async with engine_of(server) as engine:
            assert engine.capabilities.continues
            assert await asked(engine, "1") == "1 apples\n\n"

    asyncio.run(main())


@pytest.mark.parametrize("choice", [{"index": 0, "content_filter_results": {}}, {"index": 0, "delta": None}])
def test_a_choice_without_anything_new_says_nothing(choice: dict[str, Any]) -> None:
    async def main() -> None:
        server = Server(*ALL, chats=True, goes_on=by_flags)
        async with engine_of(server) as engine:
            server.spoil = lambda event: (
                {"choices": [choice]} if event["choices"][0]["delta"]["content"] == "one" else event
            )
            assert await asked(engine, "") == " two.\n\n"

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


def test_thoughts_that_are_told_apart_are_no_part_of_a_text_and_no_silence_and_cost_a_token_a_piece() -> None:
    async def main() -> None:
        server = Server("logprobs", chats=True, goes_on=by_flags)
        thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "So?"}]}
        deltas: list[dict[str, Any]] = [
            {"reasoning_content": "Hm. "},
            {"reasoning": "So: ", "content": None},
            {"content": [thinking]},
            {"content": [{"type": "text", "text": "four"}, {"type": "text", "text": "."}]},
            {"content": "\n\n"},
        ]
        async with engine_of(server) as engine:
            left = iter(deltas)

            def spoil(event: dict[str, Any]) -> object:
                delta = next(left, None)
                told = {"content": [{"logprob": -4.0 if delta and "four" not in str(delta) else -0.5}]}
                return event if delta is None else {"choices": [{"delta": delta, "logprobs": told}]}

            server.pieces = ("a",) * 5
            server.spoil = spoil
            progress = Progress()
            assert await asked(engine, "", progress=progress) == "four.\n\n"
            assert progress.cost.generated == 5
            assert progress.logprobs == pytest.approx([(-0.5 - 4.0) / 2] * len("four.\n\n"))

    asyncio.run(main())


def test_sums_that_are_told_as_a_text_goes_count_one_that_is_cut_off() -> None:
    async def main() -> None:
        server = Server(*ALL, chats=True, goes_on=by_flags)

        def sums(event: dict[str, Any]) -> object:
            details = {"cached_tokens": 5}
            told = {"prompt_tokens": 7, "completion_tokens": server.left_after, "prompt_tokens_details": details}
            return {**event, "usage": told}

        server.spoil = sums
        async with engine_of(server) as engine:
            assert engine.capabilities.counts
            progress = Progress()
            assert await asked(engine, "", progress=progress) == "one two.\n\n"
            assert progress.cost == engine.counters().cost == Tokens(4, 5, 2)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("finish", "end"), [("eos", "eos"), ("eos_token", "eos"), ("stop_sequence", "eos"), ("model_length", "context")]
)
def test_how_a_text_ends_is_said_in_several_words(finish: str, end: str) -> None:
    async def main() -> None:
        server = Server(*ALL, chats=True, goes_on=by_flags)
        async with engine_of(server) as engine:
            server.finish = finish
            prompt = Prompt([await engine.encode_chat(CHAT)])
            assert (await engine.generate(Generation("k", prompt, 1, (), 50), Progress())).end == end

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


def test_a_template_of_the_users_own_is_refused_and_the_servers_is_what_there_is() -> None:
    async def main() -> None:
        server = Server(*ALL, chats=True, goes_on=by_flags)
        async with listening(server.serve) as url:
            with pytest.raises(InputError, match="asked by chats, whose template is the server's own"):
                await Templated(OpenAI(url), "none").open()
            engine = Templated(OpenAI(url), "chat")
            await engine.open()
            await engine.close()

    asyncio.run(main())


def test_a_model_that_thinks_is_not_asked_by_chats() -> None:
    async def main() -> None:
        server = Server(*ALL, chats=True, goes_on=by_flags)
        async with engine_of(server) as engine:
            with pytest.raises(InputError, match="tell thoughts apart, and go on from none"):
                await Policy(engine, Thinking(Text())).check()
            await Policy(engine, Text()).check()

    asyncio.run(main())


def test_several_servers_can_what_each_of_them_can_and_are_asked_in_one_form() -> None:
    async def main() -> None:
        one, two = Server(*ALL, chats=True, goes_on=by_flags), Server(*ALL, chats=True, goes_on=begins_anew)
        by_texts = Server(*ALL)
        async with listening(one.serve) as first, listening(two.serve) as second, listening(by_texts.serve) as third:
            both = find_engine(f"openai:{first},{second}")
            await both.open()
            assert not both.capabilities.continues
            assert not both.capabilities.counts
            await both.close()
            with pytest.raises(InputError, match="different tokens of one text or chat"):
                await find_engine(f"openai:{first},{third}").open()

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
