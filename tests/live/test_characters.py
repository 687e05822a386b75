"""Characters of several tokens on real servers: wherever a limit falls, no text ends within one, and none is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import httpx2
import pytest

from spex.engine.base import Completion, Engine, Generation, Progress, Sampling
from spex.engine.catalog import find_engine
from spex.prompt import Prompt
from tests.live.servers import Pair, pairs

BEGUN = "√2 ≠ √3, ∞ ½ √5, 中文字符: 你好，世界。 √2 ≠ √3, ∞ ½ √5, 中文字符: 你好，世界。 √2 ≠ √3, ∞ ½"
_PATHS = {"sglang": ("/v1/detokenize", "text"), "vllm": ("/detokenize", "prompt")}


async def spelled(engine: str, token_ids: Sequence[int]) -> str:
    kind, _, url = engine.partition(":")
    path, field = _PATHS[kind]
    async with httpx2.AsyncClient() as client:
        told = await client.post(f"{url}{path}", json={"tokens": list(token_ids)}, timeout=30.0)
        return str(told.raise_for_status().json()[field])


async def written(engine: Engine, prompt: Prompt, tokens_max: int) -> Completion:
    request = Generation("p|c", prompt, 3, ("\n\n",), tokens_max, Sampling(0.3))
    return await engine.generate(request, Progress())


@pytest.mark.timeout(600)
@pytest.mark.parametrize("pair", pairs())
def test_a_text_and_what_goes_on_behind_it_are_those_of_their_tokens_wherever_a_limit_falls(pair: Pair) -> None:
    async def main() -> None:
        engine = find_engine(pair.policy)
        await engine.open()
        try:
            prompt = Prompt([await engine.encode(BEGUN)])
            cut = 0
            for tokens_max in range(4, 13):
                first = await written(engine, prompt, tokens_max)
                cut += len(first.token_ids) < tokens_max and first.end == "length"
                assert first.text == await spelled(pair.policy, first.token_ids)
                assert not first.text.endswith("\ufffd")
                second = await written(engine, prompt.extended(first.token_ids), 8)
                assert first.text + second.text == await spelled(pair.policy, (*first.token_ids, *second.token_ids))
            assert cut > 0  # else no limit fell within a character
        finally:
            await engine.close()

    asyncio.run(main())
