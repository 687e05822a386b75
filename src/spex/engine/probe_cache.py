"""What a prompt costs, and what of it an engine keeps."""

from __future__ import annotations

from math import gcd
from statistics import fmean
from typing import NamedTuple

from spex.engine.measured import Cache
from spex.engine.probe_bench import Asked, Bench, Wanted
from spex.prompt import Prompt

_FEW_TOKENS = 32
_SOME_TOKENS = 96
_MANY_TOKENS = 512
_MANY_SECONDS = 1.5
_ROUNDS = 2
_CHILDREN = 3
_CHILD_TOKENS = 5
# Parts of a long prompt: what blocks of any size up to a half of it keep of them differs enough to tell the size.
_CUTS = (0.912, 0.841, 0.611, 0.373)  # falling: where a slot keeps one prompt, the last asked holds the next


class Prefill(NamedTuple):
    """What an uncached prompt token costs, and how long the prompts were that it was measured with."""

    seconds: float
    tokens: int


async def measure_prefill(bench: Bench, context_tokens: int | None) -> Prefill:
    """From prompts of up to 512 tokens and half of the context: shorter ones where a token is dear.

    Raises `EngineError`.
    """
    most = _MANY_TOKENS if context_tokens is None else max(4, min(_MANY_TOKENS, context_tokens // 2))
    few, some = min(_FEW_TOKENS, most // 2), min(_SOME_TOKENS, most)
    rough_seconds = await _prefill_seconds(bench, few, some)
    many = most if rough_seconds * most <= _MANY_SECONDS else max(some, round(_MANY_SECONDS / rough_seconds))
    found = [await _prefill_seconds(bench, few, many) for _ in range(_ROUNDS)]
    return Prefill(min(found), many)


async def _prefill_seconds(bench: Bench, few: int, many: int) -> float:
    shorter = await bench.ask(Wanted(await bench.fresh(few), 1))
    longer = await bench.ask(Wanted(await bench.fresh(many), 1))
    tokens = longer.progress.cost.prompt_uncached - shorter.progress.cost.prompt_uncached
    return max(0.0, longer.seconds - shorter.seconds) / tokens if tokens > 0 else 0.0


async def measure_cache(bench: Bench, tokens: int, prefill_seconds: float) -> Cache:
    """With a prompt of so many tokens, and children of it; an uncached token costs so much. Raises `EngineError`."""
    prompt = await bench.fresh(tokens)
    cold = await bench.ask(Wanted(prompt, 1))
    again = await _again(bench, prompt)
    parent, children = prompt, []
    for number in range(_CHILDREN + 1):
        asked = await bench.ask(Wanted(parent, _CHILD_TOKENS + number))
        children.append(asked)
        parent = parent.extended(asked.completion.token_ids)
    costs = [child.progress.cost for child in children[1:]]
    cached = fmean(cost.prompt_cached for cost in costs)
    uncached = fmean(cost.prompt_uncached for cost in costs)
    return Cache(
        child_tokens=cached + uncached,
        child_cached=cached,
        child_uncached=uncached,
        grain=await _grain(bench, prompt),
        cold_seconds=cold.seconds,
        cached_seconds=again.seconds,
        token_seconds=await _token_seconds(bench, again, prefill_seconds),
    )


async def _again(bench: Bench, prompt: Prompt) -> Asked:
    """A prompt that the cache has, if it has any; the faster of two times."""
    found = [await bench.ask(Wanted(prompt, 1)) for _ in range(_ROUNDS)]
    return min(found, key=lambda asked: asked.seconds)


async def _token_seconds(bench: Bench, longer: Asked, prefill_seconds: float) -> float | None:
    """What a cached prompt token costs, by a shorter prompt: what a request costs apart from it falls out.

    None where there are none.
    """
    short = await bench.fresh(_FEW_TOKENS)
    await bench.ask(Wanted(short, 1))
    shorter = await _again(bench, short)
    cost, less = longer.progress.cost, shorter.progress.cost
    cached = cost.prompt_cached - less.prompt_cached
    if cached <= 0:
        return None
    computed_seconds = (cost.prompt_uncached - less.prompt_uncached) * prefill_seconds
    return max(0.0, longer.seconds - shorter.seconds - computed_seconds) / cached


async def _grain(bench: Bench, prompt: Prompt) -> int | None:
    """What all numbers of tokens that were kept of parts of `prompt` are multiples of; 1 where all parts were kept."""
    grain, whole = 0, True
    for cut in _CUTS:
        part = prompt.token_ids[: round(cut * prompt.token_count)]
        other = (await bench.fresh(_FEW_TOKENS)).token_ids
        asked: Asked = await bench.ask(Wanted(Prompt([part, other]), 1))
        kept = asked.progress.cost.prompt_cached
        grain, whole = gcd(grain, kept), whole and kept >= len(part)
    if whole:  # lengths may have a divisor in common by chance
        return 1
    return grain or None
