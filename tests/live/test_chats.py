"""Real servers asked by chats: half an answer goes on, and what is given up runs nowhere any more."""

from __future__ import annotations

import asyncio

import pytest

import spex
from spex.engine.base import Generation, Message, Progress, Sampling
from spex.engine.catalog import find_engine
from spex.prompt import Prompt
from tests.live.servers import Pair, at_work, pairs
from tests.live.test_lossless import QUESTIONS


def by_chats(pair: Pair) -> str:
    return f"openai-chat:{pair.policy.partition(':')[2]}"


@pytest.mark.parametrize("pair", pairs())
def test_half_an_answer_goes_on(pair: Pair) -> None:
    async def main() -> None:
        engine = find_engine(by_chats(pair))
        await engine.open()
        try:
            can = engine.capabilities
            assert can.continues
            assert can.counts
            assert can.log_probabilities
            chat = await engine.encode_chat([Message("user", "Say the alphabet, in capitals.")])
            prompt = Prompt([chat, await engine.encode("A, B, C, D, E,")])
            found = await engine.generate(Generation("k", prompt, 1, (",",), 20, Sampling(0.0)), Progress())
            assert (found.text, found.end) == (" F,", "delimiter")
        finally:
            await engine.close()

    asyncio.run(main())


@pytest.mark.parametrize("pair", pairs())
def test_a_search_ends_with_steps_that_are_no_delimiters_alone_and_leaves_nothing(pair: Pair) -> None:
    async def main() -> None:
        found = await spex.run(
            QUESTIONS[:2],
            policy=by_chats(pair),
            reward=spex.Judge(find_engine(pair.reward)),
            search=spex.Rebase(width=4, depth_max=3),
            step_tokens_max=64,
        )
        for solution in found.solutions:
            assert solution.partial is None
            inner = [step for step in solution.tree.steps.values() if step.end == "delimiter"]
            assert inner
            # A model may write another by itself; were the first one written twice, every other step would be one.
            assert sum(not step.text.strip() for step in inner) <= len(inner) // 4
        async with asyncio.timeout(5.0):
            while await asyncio.to_thread(at_work, pair.policy):  # noqa: ASYNC110  # on a real clock
                await asyncio.sleep(0.05)

    asyncio.run(main())
