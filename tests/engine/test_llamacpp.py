"""The embedded engine with its real model: texts, seeds, aborts, and losslessness shown by replay."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import spex
from spex.api import Options, setup_of
from spex.control.run import Conduct
from spex.control.run import run as carry_out
from spex.control.setup import Speculation, replayed
from spex.engine import llamacpp
from spex.engine.base import Capabilities, Completion, Generation, Message, Progress, Sampling
from spex.engine.llamacpp import LlamaCpp
from spex.engine.local_model import default_model
from spex.errors import InputError, Unreachable
from spex.prompt import Prompt
from spex.record import MemoryLog
from spex.search.rebase import Rebase

pytestmark = pytest.mark.engine
pytest.importorskip("xllamacpp")

_QUESTION = "What is 2 + 2? Answer in one short line."


def test_a_stop_string_ends_a_text_and_its_tokens_are_kept() -> None:
    async def main() -> None:
        engine = LlamaCpp(slots=2, context_tokens=512, threads=1)
        await engine.open()
        try:
            prompt = Prompt([await engine.encode_chat([Message("user", "Count: one, two, three, four.")])])
            request = Generation("t|c", prompt, 1, (",",), 20, Sampling(0.0))
            progress = Progress()
            completion = await engine.generate(request, progress)
            assert completion.end == "delimiter"
            assert completion.text.endswith(",")
            assert completion.logprobs is not None
            assert len(completion.token_ids) == len(completion.logprobs) == progress.cost.generated
            assert await engine.encode(completion.text) == completion.token_ids
            assert engine.counters() == (0, progress.cost)
        finally:
            await engine.close()

    asyncio.run(main())


def test_control_tokens_in_a_message_stay_text() -> None:
    async def main() -> None:
        engine = LlamaCpp(slots=1, context_tokens=512, threads=1)
        await engine.open()
        try:
            one = await engine.encode_chat([Message("user", "a<|im_end|>b")])
            two = await engine.encode_chat([Message("user", "ab")])
            end = (set(one) & set(two)) - set(await engine.encode("a<|im_end|>b"))
            assert all(one.count(control) == two.count(control) for control in end)
        finally:
            await engine.close()

    asyncio.run(main())


def test_an_aborted_text_leaves_its_slot_before_the_cancellation_comes_through() -> None:
    async def main() -> None:
        engine = LlamaCpp(slots=2, context_tokens=512, threads=1)
        await engine.open()
        try:
            prompt = Prompt([await engine.encode_chat([Message("user", "Tell me a very long story.")])])
            progress = Progress()
            task = asyncio.ensure_future(engine.generate(Generation("t|c", prompt, 1, (), 400), progress))
            while not progress.token_ids:  # noqa: ASYNC110  # a real engine on a real clock
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert engine.counters().running == 0
            assert await engine.load() == 0
        finally:
            await engine.close()

    asyncio.run(main())


def test_the_plain_run_replayed_from_a_speculating_live_run_is_the_same_tree_bit_for_bit() -> None:
    async def main() -> None:
        engine = LlamaCpp(slots=4, context_tokens=512, threads=1)
        log = MemoryLog()
        options = Options(
            policy=engine,
            reward="confidence",
            search=Rebase(width=2, depth_max=2),
            speculation=Speculation(),
            step_tokens_max=8,
            seed=3,
            log=log,
        )
        live = await spex.solve(_QUESTION, **options)
        plain = await carry_out([live.problem], replayed(setup_of(options), log), Conduct())
        assert plain.solutions[0].partial is None
        assert plain.solutions[0].tree == live.tree
        assert plain.solutions[0].answer == live.answer
        assert live.usage.paid.generated == engine.counters().cost.generated
        assert engine.counters().running == 0

    asyncio.run(main())


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "empty"),
        (b"PK\x03\x04....", "zip"),
        (b"<!DOCTYPE html><html>", "HTML"),
        (b"GGUF\x03\x00\x00\x00", "cut off"),
        (b'\x40\x00\x00\x00\x00\x00\x00\x00{"__metadata__":{}}', "safetensors"),
    ],
)
def test_a_file_that_is_no_model_is_refused_with_what_it_is(tmp_path: Path, content: bytes, kind: str) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    with pytest.raises(InputError, match=kind):
        LlamaCpp(path)


def test_a_model_file_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        LlamaCpp(tmp_path / "nothing.gguf")


async def texts(draft: str | None, temperature: float, at_once: int) -> list[Completion]:
    engine = LlamaCpp(slots=at_once, context_tokens=512, threads=1, draft=draft)
    await engine.open()
    try:
        prompt = Prompt([await engine.encode("one two three four five. " * 3 + "one two")])
        asked = [Generation("t|c", prompt, seed, (".",), 24, Sampling(temperature)) for seed in range(at_once)]
        progress = [Progress() for _ in asked]
        found = await asyncio.gather(*map(engine.generate, asked, progress))
        assert [len(text.token_ids) for text in found] == [one.cost.generated for one in progress]
        assert engine.counters().running == 0
        return found
    finally:
        await engine.close()


@pytest.mark.parametrize("temperature", [0.0, 0.7])
@pytest.mark.parametrize("draft", ["ngram:4", f"{default_model()}:3"])
def test_a_text_alone_is_the_same_with_drafts_and_without_but_for_log_probabilities(
    draft: str, temperature: float
) -> None:
    (plain,), (drafted,) = (asyncio.run(texts(one, temperature, 1)) for one in (None, draft))
    assert (drafted.text, drafted.token_ids, drafted.end) == (plain.text, plain.token_ids, plain.end)
    assert plain.logprobs is not None
    assert drafted.logprobs is None


def test_several_texts_at_once_are_drafted_and_counted() -> None:
    assert all(text.token_ids for text in asyncio.run(texts("ngram", 0.7, 3)))


def test_a_draft_is_a_part_of_the_engines_name_and_of_who_it_is() -> None:
    plain, drafting = LlamaCpp(), LlamaCpp(f"{default_model()}#ngram:5")
    assert drafting.name == f"{plain.name}#ngram:5"
    assert (plain.identity.drafts, drafting.identity.drafts) == ("", "n-grams of the text, 5 tokens at once")
    assert (plain.capabilities.log_probabilities, drafting.capabilities.log_probabilities) == (True, False)
    assert LlamaCpp("#ngram:5").name == drafting.name


def test_who_opens_it_while_the_model_loads_waits_and_the_last_to_close_ends_it() -> None:
    async def main() -> None:
        engine = LlamaCpp(slots=1, context_tokens=512, threads=1)
        await asyncio.gather(engine.open(), engine.open())
        await engine.close()
        assert await engine.encode("still there")
        await engine.close()
        with pytest.raises(Unreachable, match="not open"):
            await engine.encode("gone")
        await engine.open()
        assert await engine.encode("there again")
        await engine.close()

    asyncio.run(main())


def test_a_model_that_could_not_be_loaded_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        engine = LlamaCpp(slots=1, context_tokens=512, threads=1)
        with monkeypatch.context() as patch:  # a load that fails is not to be had on demand
            patch.setattr(llamacpp, "started", _out_of_memory)
            with pytest.raises(InputError, match="out of memory"):
                await engine.open()
        await engine.open()
        assert await engine.encode("there")
        await engine.close()

    asyncio.run(main())


def _out_of_memory(model: Path, key: str, capabilities: Capabilities, threads: int, draft: object) -> None:
    raise InputError("model", model.name, f"out of memory for a server of {len(key)} letters")
