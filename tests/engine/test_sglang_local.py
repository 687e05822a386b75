"""SGLang's Engine in this process: requests on its own loop, aborts that are confirmed, nothing left behind."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from math import exp
from pathlib import Path
from typing import Any

import pytest

from spex.engine.abilities import Identity, Reading, Renewable, Telling, namer_of, reader_of, renderer_of
from spex.engine.base import Generation, Labelling, Message, Progress, Sampling
from spex.engine.http import Deadlines
from spex.engine.sglang_local import SglangLocal
from spex.errors import EngineError, InputError, Misbehaving, Overloaded, TimedOut, Unreachable
from spex.prompt import Prompt
from spex.usage import Tokens
from tests.engine.sglang_engine import INFO, NAME, NAMED, TEXT, FakeEngine

PROMPT = Prompt([(1, 2, 3)])


def request(tokens_max: int = 50, stop: tuple[str, ...] = ("\n\n",)) -> Generation:
    return Generation("problem|call", PROMPT, 7, stop, tokens_max, Sampling(0.8))


@asynccontextmanager
async def opened(fake: FakeEngine, deadlines: Deadlines | None = None) -> AsyncIterator[SglangLocal]:
    if fake.moves_here:
        fake.loop.close()
        fake.loop = asyncio.get_running_loop()
    engine = SglangLocal(fake, deadlines=deadlines)
    runs_already = fake.loop.is_running()
    await engine.open()
    assert bool(of_ours()) is not runs_already
    try:
        yield engine
    finally:
        await engine.close()
        assert not of_ours()
        assert not fake.tokenizer_manager.rid_to_state


@pytest.fixture
def fake() -> Iterator[FakeEngine]:
    made = FakeEngine()
    yield made
    made.loop.close()


@pytest.fixture(params=["apart", "here", "elsewhere"])
def either(request: pytest.FixtureRequest, fake: FakeEngine) -> Iterator[FakeEngine]:
    """Whose loop a thread of ours runs; whose loop is the one that asks; whose loop another thread runs."""
    fake.moves_here = request.param == "here"
    if request.param == "elsewhere":
        with running(fake.loop):
            yield fake
    else:
        yield fake


@contextmanager
def running(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    while not loop.is_running():
        time.sleep(0.001)
    yield
    loop.call_soon_threadsafe(loop.stop)
    thread.join()


def of_ours() -> list[str]:
    return [thread.name for thread in threading.enumerate() if "sglang" in thread.name]


def test_a_text_comes_with_its_stop_string_its_tokens_and_what_it_cost(either: FakeEngine) -> None:
    async def main() -> None:
        async with opened(either) as engine:
            progress = Progress()
            completion = await engine.generate(request(), progress)
            assert (completion.text, completion.end) == (TEXT, "delimiter")
            assert completion.token_ids == tuple(map(ord, TEXT))
            assert completion.logprobs == (-0.5,) * len(TEXT)
            assert progress.cost == Tokens(len(TEXT), 1, 2)
            assert engine.counters() == (0, progress.cost)
            assert await engine.load() == 0

    asyncio.run(main())


def test_it_says_what_the_engine_says_of_itself(fake: FakeEngine) -> None:
    async def main() -> None:
        async with opened(fake) as engine:
            told = engine.capabilities
            assert (told.seed, told.seed_bits, told.slots, told.context_tokens) == ("positional", 63, 7, 100)
            assert engine.identity == Identity("SGLang ", "models/some", "")
            assert engine.name == "sglang-local:models/some"
            assert isinstance(engine, Telling)
            assert isinstance(engine, Renewable)
            assert all(able(engine) is engine for able in (namer_of, reader_of, renderer_of))

    asyncio.run(main())


def test_one_loop_after_the_other_asks_it_and_so_does_its_user_between_them(fake: FakeEngine) -> None:
    """SGLang itself answers on no loop but the first."""
    engine = SglangLocal(fake)

    async def main() -> None:
        await engine.open()
        assert (await engine.generate(request(3), Progress())).text == "one"
        await engine.close()

    def user() -> None:
        asked = {"rid": "mine", "input_ids": [1, 2, 3], "sampling_params": {"max_new_tokens": 3}}
        assert fake.generate(**asked)["text"] == "one"

    asyncio.run(main())
    asyncio.run(main())
    user()
    asyncio.run(main())
    user()
    assert not fake.is_shut_down


def test_an_engine_that_was_used_on_a_loop_that_is_closed_begins_anew(fake: FakeEngine) -> None:
    async def use() -> None:
        await fake.tokenizer_manager.get_internal_state()

    async def main() -> None:
        async with opened(fake) as engine:
            assert (await engine.generate(request(3), Progress())).text == "one"

    asyncio.run(use())
    fake.loop.close()
    asyncio.run(main())
    asyncio.run(main())


async def cancelled_after(engine: SglangLocal, progress: Progress, tokens: int) -> None:
    task = asyncio.ensure_future(engine.generate(request(), progress))
    while len(progress.token_ids) < tokens:  # noqa: ASYNC110  # an engine on a real clock
        await asyncio.sleep(0.001)
    task.cancel()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_an_aborted_text_is_gone_when_the_cancellation_comes_through_and_goes_on_from_its_tokens(
    either: FakeEngine,
) -> None:
    manager = either.tokenizer_manager
    manager.pace_seconds, manager.abort_delay_seconds = 0.01, 0.05

    async def main() -> None:
        async with opened(either) as engine:
            progress = Progress()
            await cancelled_after(engine, progress, 5)
            assert set(manager.aborts) == {manager.asked[0]["rid"]}
            assert manager.rid_to_state == {}
            assert engine.counters() == (0, progress.cost)
            kept = len(progress.token_ids)
            assert 5 <= kept < len(TEXT)
            completion = await engine.generate(request(), progress)
            assert (completion.text, completion.token_ids) == (TEXT, tuple(map(ord, TEXT)))
            assert manager.asked[1]["input_ids"] == [1, 2, 3, *map(ord, TEXT[:kept])]
            assert progress.cost.generated == len(TEXT) + 1  # the token that came with the abort is written again

    asyncio.run(main())


def test_a_request_that_the_engine_has_not_got_yet_is_never_given_to_it(either: FakeEngine) -> None:
    """An abort before it would be without effect, and SGLang sends none twice."""
    manager = either.tokenizer_manager
    manager.paused = True

    async def main() -> None:
        async with opened(either) as engine:
            task = asyncio.ensure_future(engine.generate(request(), Progress()))
            while not manager.rid_to_state:  # noqa: ASYNC110  # an engine on a real clock
                await asyncio.sleep(0.001)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert manager.rid_to_state == {}
            assert manager.aborts == []
            manager.paused = False
            assert (await engine.generate(request(3), Progress())).text == "one"

    asyncio.run(main())


def test_a_request_that_is_cancelled_at_once_leaves_nothing(either: FakeEngine) -> None:
    async def main() -> None:
        async with opened(either) as engine:
            for turns in range(8):
                task = asyncio.ensure_future(engine.generate(request(), Progress()))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert (engine.counters().running, await engine.load()) == (0, 0)

    asyncio.run(main())


def test_an_abort_that_is_ignored_holds_nobody_for_ever(fake: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spex.engine.sglang_abort._ABORT_SECONDS", 0.1)
    monkeypatch.setattr("spex.engine.sglang_local_line._GONE_SECONDS", 0.1)

    fake.tokenizer_manager.pace_seconds, fake.tokenizer_manager.deaf = 0.05, True

    async def main() -> None:
        engine = SglangLocal(fake)
        await engine.open()
        await cancelled_after(engine, Progress(), 2)
        assert engine.counters().running == 0
        await engine.close()
        assert not of_ours()

    asyncio.run(main())


def test_labels_are_probabilities_of_the_next_token(fake: FakeEngine) -> None:
    async def main() -> None:
        async with opened(fake) as engine:
            progress = Progress()
            assert await engine.label(Labelling("k", PROMPT, (5, 2)), progress) == (exp(-6.0), exp(-3.0))
            assert progress.cost == Tokens(0, 1, 0, 2)
            assert fake.tokenizer_manager.asked[0]["logprob_start_len"] == -1

    asyncio.run(main())


def test_a_text_that_it_has_not_written_is_read(fake: FakeEngine) -> None:
    async def main() -> None:
        async with opened(fake) as engine:
            assert await engine.read(Reading("k", PROMPT, 2), Progress()) == (-2.0,)

    asyncio.run(main())


def test_a_label_that_is_cancelled_is_gone_when_the_cancellation_comes_through(either: FakeEngine) -> None:
    either.tokenizer_manager.pace_seconds = 0.05

    async def main() -> None:
        async with opened(either) as engine:
            task = asyncio.ensure_future(engine.label(Labelling("k", PROMPT, (5,)), Progress()))
            await asyncio.sleep(0.02)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert either.tokenizer_manager.rid_to_state == {}
            assert engine.counters().running == 0

    asyncio.run(main())


class Refused(Exception):
    """As `fastapi.HTTPException` is."""

    status_code, detail = 503, "the queue is full"


@pytest.mark.parametrize(
    ("error", "kind", "told"),
    [
        (ValueError("too long"), Misbehaving, "ValueError: too long"),
        (Refused(), Overloaded, "the queue is full"),
        (Unreachable("other", "away"), Unreachable, "away"),
    ],
)
def test_what_sglang_raises_is_told_by_its_remedy(
    fake: FakeEngine, error: Exception, kind: type[Exception], told: str
) -> None:
    fake.tokenizer_manager.error = error

    async def main() -> None:
        async with opened(fake) as engine:
            with pytest.raises(kind, match=told):
                await engine.generate(request(), Progress())
            with pytest.raises(kind, match=told):
                await engine.label(Labelling("k", PROMPT, (5,)), Progress())

    asyncio.run(main())


def spoilt(**changed: object) -> Callable[[dict[str, Any]], object]:
    return lambda answer: {**answer, **changed}


@pytest.mark.parametrize(
    "spoil",
    [
        spoilt(text=None),
        spoilt(output_ids=[-1]),
        spoilt(meta_info={}),
        lambda answer: None,
        lambda answer: {**answer, "output_ids": answer["output_ids"] + [1]},
        lambda answer: {**answer, "meta_info": {**answer["meta_info"], "prompt_tokens": 9}},
    ],
)
def test_a_piece_that_cannot_be_right_is_misbehaving_and_its_request_is_ended(
    fake: FakeEngine, spoil: Callable[[dict[str, Any]], object]
) -> None:
    fake.tokenizer_manager.spoil = spoil

    async def main() -> None:
        async with opened(fake) as engine:
            with pytest.raises(Misbehaving):
                await engine.generate(request(), Progress())
            assert await engine.load() == 0

    asyncio.run(main())


def test_a_text_that_was_ended_by_somebody_else_may_be_asked_for_again(fake: FakeEngine) -> None:
    fake.tokenizer_manager.finish = {"type": "abort", "message": "pausing for new weights"}

    async def main() -> None:
        async with opened(fake) as engine:
            with pytest.raises(Unreachable, match="pausing for new weights"):
                await engine.generate(request(), Progress())

    asyncio.run(main())


@pytest.mark.parametrize("mute_from", [0, 3])
def test_an_engine_that_says_no_more_runs_into_a_deadline_that_has_a_name(fake: FakeEngine, mute_from: int) -> None:
    manager = fake.tokenizer_manager

    def fall_silent(answer: dict[str, Any]) -> dict[str, Any]:
        manager.mute = len(answer["output_ids"]) == mute_from
        return answer

    manager.mute, manager.spoil = mute_from == 0, fall_silent
    deadlines = Deadlines(first_token=0.2, token_gap=0.15)

    async def main() -> None:
        engine = SglangLocal(fake, deadlines=deadlines)
        await engine.open()
        writing = asyncio.ensure_future(engine.generate(request(), Progress()))
        await asyncio.sleep(0.4)
        manager.mute = False  # so that what it has been told by then is heard
        with pytest.raises(TimedOut, match="token_gap" if mute_from else "first_token"):
            await writing
        await engine.close()
        assert manager.rid_to_state == {}

    asyncio.run(main())


def test_what_people_wrote_never_becomes_a_control_token(fake: FakeEngine) -> None:
    async def main() -> None:
        async with opened(fake) as engine:
            assert await engine.tokens(NAME) == (NAMED,)
            assert await engine.encode(f"a{NAME}b") == tuple(map(ord, f"a{NAME}b"))
            said = await engine.encode_chat([Message("user", NAME)])
            assert said == (*map(ord, f"user:{NAME}"), NAMED, *map(ord, "say"))
            thinking = await engine.encode_thinking_chat([Message("user", "1")], enable_thinking=True)
            assert thinking == (*map(ord, "user:1"), NAMED, *map(ord, "think"))

    asyncio.run(main())


def test_a_template_that_refuses_is_misbehaving_and_one_of_sglangs_own_is_not_taken(fake: FakeEngine) -> None:
    async def main() -> None:
        async with opened(fake) as engine:
            with pytest.raises(Misbehaving, match="no system, please"):
                await engine.encode_chat([Message("system", "1")])
            fake.template_manager.chat_template_name = "llama-2"
            with pytest.raises(InputError, match="chat_template: 'llama-2'"):
                await engine.encode_chat([Message("user", "1")])

    asyncio.run(main())


def test_opening_and_closing_nest_and_a_closed_engine_says_so(fake: FakeEngine) -> None:
    async def main() -> None:
        engine = SglangLocal(fake)
        await asyncio.gather(engine.open(), engine.open())
        await engine.close()
        assert (await engine.generate(request(3), Progress())).text == "one"
        await engine.close()
        await engine.close()
        assert not of_ours()
        with pytest.raises(Unreachable, match="not open"):
            await engine.generate(request(3), Progress())

    asyncio.run(main())


def test_closing_ends_what_is_still_being_written(fake: FakeEngine) -> None:
    fake.tokenizer_manager.pace_seconds = 0.01

    async def main() -> None:
        engine = SglangLocal(fake)
        await engine.open()
        writing = asyncio.ensure_future(engine.generate(request(), Progress()))
        await asyncio.sleep(0.05)
        await engine.close()
        with pytest.raises(EngineError):
            await writing
        assert fake.tokenizer_manager.rid_to_state == {}

    asyncio.run(main())


def test_an_engine_whose_loop_has_ended_says_so(fake: FakeEngine) -> None:
    engine = SglangLocal(fake)

    async def main() -> None:
        with running(fake.loop):
            await engine.open()
        with pytest.raises(Unreachable, match="event loop that it lives on has ended"):
            await engine.generate(request(3), Progress())
        await engine.close()
        await engine.open()
        assert (await engine.generate(request(3), Progress())).text == "one"
        await engine.close()

    asyncio.run(main())


def test_an_engine_that_does_not_say_what_it_is_runs_into_a_deadline(
    fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fake.tokenizer_manager, "get_internal_state", lambda: asyncio.sleep(60.0))

    async def main() -> None:
        with pytest.raises(TimedOut, match="first_token"):
            await SglangLocal(fake, deadlines=Deadlines(first_token=0.1)).open()
        assert not of_ours()

    asyncio.run(main())


def test_two_of_ours_do_not_share_an_engine(fake: FakeEngine) -> None:
    async def main() -> None:
        async with opened(fake) as engine:
            with pytest.raises(InputError, match="give the same engine"):
                await SglangLocal(fake).open()
            assert (await engine.generate(request(3), Progress())).text == "one"

    asyncio.run(main())


def test_another_model_is_refused_and_an_engine_for_embeddings_too(fake: FakeEngine) -> None:
    async def main() -> None:
        async with opened(fake) as engine:
            await engine.recheck()
            fake.tokenizer_manager.model_path = "models/other"
            with pytest.raises(InputError, match="models/other"):
                await engine.recheck()
        for info, error in (({**INFO, "is_embedding": True}, InputError), ({}, Misbehaving)):
            fake.tokenizer_manager.server_args.resolved_dict = partial(dict, info)
            with pytest.raises(error):
                await SglangLocal(fake).open()
            assert not of_ours()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("given", "arguments", "field"),
    [
        (None, {}, "engine"),
        ("", {}, "engine"),
        (7, {}, "engine"),
        ("model", {"model_path": "other"}, "model_path"),
        ("model", {"skip_tokenizer_init": True}, "skip_tokenizer_init"),
    ],
)
def test_what_is_no_engine_and_no_model_is_refused_at_the_door(
    given: object, arguments: dict[str, Any], field: str
) -> None:
    with pytest.raises(InputError, match=rf"^{field}"):
        SglangLocal(given, **arguments)


def test_an_engine_that_is_there_has_its_settings_and_must_have_a_tokenizer(fake: FakeEngine) -> None:
    with pytest.raises(InputError, match=r"^dtype"):
        SglangLocal(fake, dtype="bfloat16")
    fake.tokenizer_manager.tokenizer = None
    with pytest.raises(InputError, match="skip_tokenizer_init"):
        SglangLocal(fake)


@pytest.mark.parametrize("model", ["some/model", Path("some/model")])
def test_without_sglang_it_is_told_what_to_install(model: str | Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spex.engine.sglang_local_engine.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"sglang-local:some/model.*pip install sglang"):
        SglangLocal(model)
