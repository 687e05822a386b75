"""Engines whose words are a script and whose time is a curve."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spex.control.clock import run_virtual
from spex.engine.base import Counters, Generation, Labelling, Message, Path, Progress, Scoring
from spex.engine.simulated import SimulatedPolicy, SimulatedReward
from spex.errors import Misbehaving
from spex.problem import Problem
from spex.profile import Affine
from spex.prompt import Prompt
from spex.usage import Tokens
from tests.builders import Words, policy, request, reward

T = TypeVar("T")

TEN = Words(usual=10)


def scoring(*lengths: int) -> Scoring:
    paths = tuple(Path(Prompt([range(length)]), ()) for length in lengths)
    return Scoring("p|score:reward.0:step.0", Problem("problem", "p"), paths, "reward", 5)


async def stopped_after(seconds: float, work: Awaitable[object]) -> float:
    """Cancel `work` then; the time when the cancellation came through."""
    task = asyncio.ensure_future(work)
    await asyncio.sleep(seconds)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    return asyncio.get_running_loop().time()


def alone(work: Callable[[], Awaitable[T]]) -> T:
    async def main() -> T:
        return await work()

    return run_virtual(main())


def test_a_text_takes_its_tokens_times_the_curve() -> None:
    async def main() -> float:
        await policy(TEN).generate(request(), Progress())
        return asyncio.get_running_loop().time()

    assert run_virtual(main()) == pytest.approx(0.1)


def test_what_was_generated_is_counted_by_request_and_engine_alike() -> None:
    async def main() -> None:
        engine, progress = policy(TEN), Progress()
        completion = await engine.generate(request(prompt=(1, 2, 3)), progress)
        assert progress.cost == Tokens(generated=10, prompt_uncached=3)
        assert engine.counters() == Counters(0, progress.cost)
        assert tuple(progress.token_ids) == completion.token_ids

    run_virtual(main())


def test_a_childs_prompt_is_cached_but_for_its_last_token() -> None:
    async def main() -> Tokens:
        engine, progress = policy(TEN), Progress()
        child = request()
        longer = Generation(child.key, child.prompt.extended((4, 5, 6)), 1, child.stop, child.tokens_max)
        await engine.generate(longer, progress)
        return progress.cost

    assert run_virtual(main()) == Tokens(generated=10, prompt_cached=5, prompt_uncached=1)


def test_uncached_prompt_tokens_take_their_time() -> None:
    async def main() -> float:
        await policy(TEN, prefill_seconds=0.5).generate(request(prompt=(1, 2, 3)), Progress())
        return asyncio.get_running_loop().time()

    assert run_virtual(main()) == pytest.approx(1.6)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 90), max_size=4), st.sampled_from([0.0, 0.023]))
def test_a_text_that_is_stopped_goes_on_from_its_tokens_to_the_same_end(stops: list[int], delay: float) -> None:
    async def main() -> None:
        engine, progress = policy(Words(usual=100), cancel_delay_seconds=delay), Progress()
        for stop in stops:
            left = (100 - len(progress.token_ids)) * 0.010
            if stop * 0.010 < left:
                await stopped_after(stop * 0.010 - 0.001, engine.generate(request(), progress))
        whole = await engine.generate(request(), progress)
        assert tuple(progress.token_ids) == whole.token_ids
        assert progress.cost.generated == engine.counters().cost.generated == 100
        assert engine.counters().running == 0

    run_virtual(main())


def test_a_stopped_text_occupies_the_engine_until_the_cancellation_is_through() -> None:
    async def main() -> None:
        engine, progress = policy(TEN, cancel_delay_seconds=0.05), Progress()
        task = asyncio.ensure_future(engine.generate(request(), progress))
        await asyncio.sleep(0.02)
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0.01)
            assert engine.counters().running == 1
        await asyncio.wait([task])
        assert asyncio.get_running_loop().time() == pytest.approx(0.07)
        assert len(progress.token_ids) == 7
        assert engine.counters().running == 0

    run_virtual(main())


def test_an_engine_without_a_free_slot_refuses() -> None:
    async def main() -> None:
        engine = policy(TEN, slots=1)
        running = asyncio.ensure_future(engine.generate(request(), Progress()))
        await asyncio.sleep(0)
        with pytest.raises(Misbehaving, match="at most 1 requests"):
            await engine.generate(request(), Progress())
        await running
        assert engine.counters() == Counters(0, Tokens(10, 0, 3, 0))

    run_virtual(main())


def test_what_it_says_of_itself_may_be_wrong() -> None:
    believed = Affine(0.5, 0.0)
    assert SimulatedPolicy(TEN, Affine(0.010, 0.0), believed=believed).capabilities.curve == believed


def test_it_gives_no_label_probabilities() -> None:
    with pytest.raises(Misbehaving, match="label"):
        alone(lambda: policy().label(Labelling("p|x", Prompt(), (1,)), Progress()))


def test_a_chat_is_the_bytes_of_its_messages() -> None:
    chat = [Message("system", "a"), Message("user", "b\ud800")]
    assert alone(lambda: policy().encode_chat(chat)) == tuple(b"ab?")


def test_a_score_takes_one_token_of_the_rewards_curve() -> None:
    async def main() -> float:
        await reward(0.040).score(scoring(5), Progress())
        return asyncio.get_running_loop().time()

    assert run_virtual(main()) == pytest.approx(0.040)


def test_scores_slow_each_other_as_the_curve_says() -> None:
    async def main() -> float:
        server = SimulatedReward(lambda _: (0.5,), Affine(0.0, 0.1))
        await asyncio.gather(*(server.score(scoring(5), Progress()) for _ in range(4)))
        return asyncio.get_running_loop().time()

    assert run_virtual(main()) == pytest.approx(0.4)


def test_the_tokens_of_all_paths_are_counted_for_a_stopped_score_too() -> None:
    async def main() -> None:
        server, whole, part = reward(0.040), Progress(), Progress()
        await server.score(scoring(5, 7), whole)
        await stopped_after(0.01, server.score(scoring(3), part))
        assert (whole.cost.reward, part.cost.reward) == (12, 3)
        assert server.counters() == Counters(0, Tokens(reward=15))

    run_virtual(main())


def test_a_reward_server_without_a_free_slot_refuses() -> None:
    async def main() -> None:
        server = reward(0.040, slots=1)
        running = asyncio.ensure_future(server.score(scoring(5), Progress()))
        await asyncio.sleep(0)
        with pytest.raises(Misbehaving, match="at most 1 scores"):
            await server.score(scoring(3), Progress())
        await running
        assert server.counters() == Counters(0, Tokens(reward=5))

    run_virtual(main())
