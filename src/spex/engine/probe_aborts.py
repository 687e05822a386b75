"""What becomes of requests that are cancelled: whether they stop, and whether that is known when it is said.

The last of the measurements: what does not stop runs on behind it.
"""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from spex.engine.abilities import load_of
from spex.engine.measured import Aborts, Itl
from spex.engine.probe_bench import Bench, Wanted
from spex.engine.probe_itl import itl_alone
from spex.errors import Misbehaving

_AT_ONCE = 8
_PROMPT_TOKENS = 24
_TOKENS = 400
_WRITTEN_TOKENS = 6
_LATER_SECONDS = 3.0
_LATER_AGAIN_SECONDS = 0.1
_STEEP = 1.3


async def measure_aborts(bench: Bench, itl: Itl | None, slots: int, context_tokens: int | None) -> Aborts:
    """Cancels up to eight long texts at once. Raises `EngineError`."""
    count = max(1, min(_AT_ONCE, slots - 1))
    tokens = _TOKENS if context_tokens is None else max(1, min(_TOKENS, context_tokens - _PROMPT_TOKENS - 1))
    before = await load_of(bench.engine) or 0
    alone = await bench.fresh(_PROMPT_TOKENS)
    await bench.ask(Wanted(alone, 1))
    prompts = [await bench.fresh(_PROMPT_TOKENS) for _ in range(count)]
    await bench.ask_all([Wanted(prompt, 1) for prompt in prompts])
    texts = [asyncio.ensure_future(bench.ask(Wanted(prompt, tokens))) for prompt in prompts]
    try:
        await asyncio.wait(texts, timeout=_WRITTEN_TOKENS * (itl.curve.itl_seconds(count) if itl else 0.05))
    finally:
        began = bench.now()
        stopped = sum(text.cancel() for text in texts)
        await asyncio.gather(*texts, return_exceptions=True)
    seconds = bench.now() - began
    if not stopped:
        raise Misbehaving(bench.engine.name, f"texts of {tokens} tokens", "texts that ended before they were stopped")
    found = Aborts(asked=stopped, seconds=seconds, running=bench.engine.counters().running)
    left = await load_of(bench.engine)
    if left is not None:
        later = await _later(bench, before)
        return replace(found, left=max(0, left - before), left_later=max(0, later - before))
    steep = itl is not None and itl.curve.itl_seconds(stopped + 1) >= _STEEP * itl.curve.itl_seconds(1)
    pace_seconds = await itl_alone(bench, alone) if steep and not found.running else None
    if itl is None or pace_seconds is None:
        return found
    usual_seconds = itl.curve.itl_seconds(1)
    of_all = itl.curve.itl_seconds(stopped + 1) / usual_seconds
    return replace(found, pace=pace_seconds / usual_seconds, pace_of_all=of_all)


async def _later(bench: Bench, before: int) -> int:
    """What the server counts when it has had time to let go: what is left then is not going to stop."""
    until_seconds = bench.now() + _LATER_SECONDS
    while True:
        left = await load_of(bench.engine) or 0
        if left <= before or bench.now() > until_seconds:
            return left
        await asyncio.sleep(_LATER_AGAIN_SECONDS)
