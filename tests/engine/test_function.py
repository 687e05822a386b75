"""The engine that is made of a function."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spex.control.clock import run_virtual
from spex.engine.base import Completion, Counters, Generation, Labelling, Message, Progress, Sampling
from spex.engine.function import FunctionPolicy
from spex.engine.said import Said
from spex.errors import InputError, Misbehaving, Overloaded
from spex.prompt import Prompt
from spex.tree import Step
from spex.usage import Tokens


def request(prompt: str = "1 + 1", stop: tuple[str, ...] = ("\n",), tokens_max: int = 100, seed: int = 7) -> Generation:
    return Generation("p|expand", Prompt([tuple(prompt.encode())]), seed, stop, tokens_max, Sampling())


def said(answer: Said, **bounds: object) -> Completion:
    """What an engine that answers `answer` gives for a request within `bounds`."""
    engine = FunctionPolicy(lambda _prompt, _seed: answer)
    return asyncio.run(engine.generate(request(**bounds), Progress()))  # type: ignore[arg-type]


def test_the_function_gets_the_prompts_text_and_the_seed() -> None:
    heard = []

    def function(prompt: str, seed: int) -> str:
        heard.append((prompt, seed))
        return "2"

    asyncio.run(FunctionPolicy(function).generate(request("Löse 1 + 1", seed=2**63), Progress()))
    assert heard == [("Löse 1 + 1", 2**63)]


def test_a_text_that_ends_by_itself_ends_as_eos() -> None:
    assert said("two") == Completion("two", tuple(b"two"), None, "eos")


def test_a_matched_stop_string_is_the_end_of_text_and_tokens() -> None:
    assert said("a = 1\nb = 2\n") == Completion("a = 1\n", tuple(b"a = 1\n"), None, "delimiter")


def test_the_stop_string_that_is_complete_first_counts() -> None:
    assert said("one; two. three", stop=("two. three", ". ", ";")).text == "one;"


def test_an_empty_stop_string_stops_nothing() -> None:
    assert said("one", stop=("",)).end == "eos"


def test_the_token_limit_cuts_the_text() -> None:
    assert said("abcdef", tokens_max=4) == Completion("abcd", tuple(b"abcd"), None, "length")


def test_a_text_as_long_as_the_limit_is_whole() -> None:
    assert said("abcd", tokens_max=4).end == "eos"


def test_the_token_limit_never_cuts_a_character_in_two() -> None:
    completion = said("ab😀", tokens_max=4)
    assert (completion.text, completion.token_ids, completion.end) == ("ab", tuple(b"ab"), "length")


def test_a_stop_string_beyond_the_limit_is_not_reached() -> None:
    assert said("abcd\n", tokens_max=4).end == "length"


@given(
    text=st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    stop=st.lists(st.text("ab\nö", max_size=3), max_size=3).map(tuple),
    tokens_max=st.integers(1, 20),
)
def test_token_ids_are_the_bytes_of_a_prefix_of_the_text_within_the_limit(
    text: str, stop: tuple[str, ...], tokens_max: int
) -> None:
    completion = said(text, stop=stop, tokens_max=tokens_max)
    assert text.startswith(completion.text)
    assert bytes(completion.token_ids) == completion.text.encode()
    assert len(completion.token_ids) <= tokens_max
    matched = [one for one in stop if one and completion.text.endswith(one)]
    assert (completion.end == "delimiter") == bool(matched)
    assert completion.end != "eos" or completion.text == text


def test_one_log_probability_counts_for_every_token() -> None:
    assert said(("ab\ncd", -0.5)).logprobs == (-0.5, -0.5, -0.5)


def test_log_probabilities_are_cut_with_the_text() -> None:
    assert said(("ab\n", [-1.0, -2.0, -3.0]), tokens_max=2).logprobs == (-1.0, -2.0)


def test_log_probabilities_of_another_number_than_the_tokens_are_refused() -> None:
    with pytest.raises(Misbehaving, match="function: expected 2 finite log-probabilities"):
        said(("ab", [-1.0]))


def test_a_step_gets_the_delimiter_that_ended_it() -> None:
    assert said(Step("x = 2", logprobs=(-1.0,) * 5)) == Completion(
        "x = 2\n", tuple(b"x = 2\n"), (-1.0, -1.0, -1.0, -1.0, -1.0, 0.0), "delimiter"
    )


def test_a_step_asked_for_without_delimiters_ends_as_eos() -> None:
    assert said(Step("x = 2"), stop=()).end == "eos"


@pytest.mark.parametrize("end", ["eos", "length", "context"])
def test_a_completion_keeps_its_own_end(end: str) -> None:
    answer = Completion("x", (), None, end)  # type: ignore[arg-type]
    assert said(answer) == Completion("x", (120,), None, end)  # type: ignore[arg-type]


def test_a_completion_of_other_tokens_is_refused() -> None:
    with pytest.raises(Misbehaving, match="token ids that are the UTF-8 bytes"):
        said(Completion("x", (5,), None, "eos"))


@pytest.mark.parametrize("answer", [None, 24, b"bytes", ("text",), "\ud800", (24, -1.0), {"text": "x"}])
def test_an_answer_that_is_no_text_is_misbehaviour(answer: object) -> None:
    with pytest.raises(Misbehaving, match="function: expected a"):
        said(answer)  # type: ignore[arg-type]


def test_an_exception_of_the_function_is_misbehaviour_that_says_what_it_was() -> None:
    def function(prompt: str, seed: int) -> str:
        raise KeyError(prompt)

    with pytest.raises(Misbehaving, match='model: expected an answer of the function, got "KeyError') as caught:
        asyncio.run(FunctionPolicy(function, name="model").generate(request(), Progress()))
    assert isinstance(caught.value.__cause__, KeyError)


def test_a_function_can_play_an_engine_that_fails() -> None:
    def function(prompt: str, seed: int) -> str:
        raise Overloaded("model", "queue full")

    with pytest.raises(Overloaded, match="queue full"):
        asyncio.run(FunctionPolicy(function).generate(request(), Progress()))


def test_an_async_function_is_awaited() -> None:
    async def function(prompt: str, seed: int) -> str:
        await asyncio.sleep(0)
        return f"{prompt} = 2"

    assert asyncio.run(FunctionPolicy(function).generate(request(), Progress())).text == "1 + 1 = 2"


def test_latency_passes_on_the_clock_of_the_loop_and_requests_run_side_by_side() -> None:
    async def main() -> tuple[float, Counters]:
        engine = FunctionPolicy(lambda _prompt, _seed: "x", latency_seconds=3600.0)
        loop = asyncio.get_running_loop()
        started_at_seconds = loop.time()
        async with asyncio.TaskGroup() as group:
            for _ in range(5):
                group.create_task(engine.generate(request(), Progress()))
            await asyncio.sleep(1)
            during = engine.counters()
        return loop.time() - started_at_seconds, during

    took_seconds, during = run_virtual(main())
    assert took_seconds == pytest.approx(3600.0)
    assert during == Counters(5, Tokens(prompt_uncached=25))


def test_counters_are_the_sum_of_what_requests_cost() -> None:
    async def main() -> tuple[Counters, list[Progress]]:
        engine = FunctionPolicy(lambda prompt, _seed: prompt * 2)
        attempts = [Progress() for _ in range(3)]
        for number, progress in enumerate(attempts):
            await engine.generate(request("é" * number), progress)
        return engine.counters(), attempts

    counters, attempts = asyncio.run(main())
    assert counters == Counters(0, Tokens(generated=12, prompt_uncached=6))
    assert [progress.cost.generated for progress in attempts] == [0, 4, 8]
    assert attempts[1].text == "éé"
    assert attempts[1].token_ids == list("éé".encode())


@pytest.mark.parametrize("steps", range(1, 4))
def test_a_cancelled_request_no_longer_runs_wherever_it_was_cancelled(steps: int) -> None:
    async def function(prompt: str, seed: int) -> str:
        await asyncio.sleep(10)
        return "never"

    async def main() -> Counters:
        engine = FunctionPolicy(function, latency_seconds=10)
        task = asyncio.create_task(engine.generate(request(), Progress()))
        await asyncio.sleep(5 * steps)
        task.cancel()
        assert isinstance((await asyncio.gather(task, return_exceptions=True))[0], asyncio.CancelledError)
        return engine.counters()

    assert run_virtual(main()) == Counters(0, Tokens(prompt_uncached=5))


def test_a_failed_request_no_longer_runs_and_generated_nothing() -> None:
    engine = FunctionPolicy(lambda _prompt, _seed: None)  # type: ignore[arg-type]
    with pytest.raises(Misbehaving):
        asyncio.run(engine.generate(request(), Progress()))
    assert engine.counters() == Counters(0, Tokens(prompt_uncached=5))


def test_more_requests_than_slots_wait_for_one_another() -> None:
    async def main() -> float:
        engine = FunctionPolicy(lambda _prompt, _seed: "x", latency_seconds=1, slots=2)
        await engine.open()
        await asyncio.gather(*(engine.generate(request(), Progress()) for _ in range(5)))
        assert engine.counters().running == 0
        return asyncio.get_running_loop().time()

    assert run_virtual(main()) == pytest.approx(3.0)


def test_a_chat_is_readable_and_ends_where_the_assistant_speaks() -> None:
    messages = [Message("system", "Be brief."), Message("user", "1 + 1?")]
    token_ids = asyncio.run(FunctionPolicy(lambda _p, _s: "").encode_chat(messages))
    assert bytes(token_ids).decode() == "System: Be brief.\n\nUser: 1 + 1?\n\nAssistant: "


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_text_round_trips(text: str) -> None:
    assert bytes(asyncio.run(FunctionPolicy(lambda _p, _s: "").encode(text))).decode() == text


def test_text_that_is_no_unicode_is_bad_input() -> None:
    with pytest.raises(InputError, match="lone surrogates"):
        asyncio.run(FunctionPolicy(lambda _p, _s: "").encode("\ud800"))


def test_a_prompt_of_foreign_tokens_is_refused() -> None:
    foreign = Generation("p", Prompt([(50_256,)]), 0, (), 5)
    with pytest.raises(Misbehaving, match="bytes of UTF-8 text"):
        asyncio.run(FunctionPolicy(lambda _p, _s: "x").generate(foreign, Progress()))


def test_seeds_repeat_a_text_from_its_start() -> None:
    assert FunctionPolicy(lambda _p, seed: str(seed)).capabilities.seed == "whole"


def labelling(*labels: str) -> Labelling:
    return Labelling("p", Prompt([tuple(b"Right?")]), tuple(ord(label) for label in labels))


def test_labels_are_answered_by_a_function_of_their_own() -> None:
    engine = FunctionPolicy(
        lambda _p, _s: "x", labels=lambda prompt, labels: [0.75 if x == "+" else 0.25 for x in labels]
    )
    assert engine.capabilities.label_scores
    assert asyncio.run(engine.label(labelling("+", "-"), Progress())) == (0.75, 0.25)
    assert engine.counters() == Counters(0, Tokens(prompt_uncached=6))


def test_labels_are_refused_without_such_a_function() -> None:
    engine = FunctionPolicy(lambda _p, _s: "x")
    assert not engine.capabilities.label_scores
    with pytest.raises(Misbehaving, match="no function for labels"):
        asyncio.run(engine.label(labelling("+"), Progress()))


@pytest.mark.parametrize("answer", [[0.5], [0.5, 1.5], [0.5, float("nan")], "ab", None])
def test_labels_that_are_no_probabilities_are_misbehaviour(answer: object) -> None:
    engine = FunctionPolicy(lambda _p, _s: "x", labels=lambda _prompt, _labels: answer)  # type: ignore[arg-type, return-value]
    with pytest.raises(Misbehaving, match="2 probabilities"):
        asyncio.run(engine.label(labelling("+", "-"), Progress()))


@pytest.mark.parametrize("wrong", [{"latency_seconds": -1.0}, {"latency_seconds": float("nan")}, {"slots": 0}])
def test_impossible_settings_are_named(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        FunctionPolicy(lambda _p, _s: "x", **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("odd", [float("-inf"), float("nan"), [-1.0, float("inf")], [-1.0, 10**400], ["-1", "-1"]])
def test_log_probabilities_that_are_no_finite_numbers_are_refused(odd: object) -> None:
    with pytest.raises(Misbehaving, match="finite log-probabilities"):
        said(("ab", odd))  # type: ignore[arg-type]  # that it is odd is the point
