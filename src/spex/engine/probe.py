"""An engine measured: ℓ(b), prefill, and what of its seeds, aborts, cache and labels is as it says.

Every measurement takes any open engine and the event loop's clock, so that simulated engines of known truth are
measured by the same code. Nothing of it depends on what a text says, and no request stays behind.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import TypeVar

from spex.engine.abilities import identity_of, load_of
from spex.engine.base import Engine
from spex.engine.measured import EngineProfile
from spex.engine.probe_aborts import measure_aborts
from spex.engine.probe_bench import Bench, Wanted
from spex.engine.probe_cache import measure_cache, measure_prefill
from spex.engine.probe_itl import measure_itl
from spex.engine.probe_labels import measure_labels
from spex.engine.probe_seeds import measure_seeds, tokens_for
from spex.errors import InputError, Misbehaving, Overloaded

T = TypeVar("T")

_SECONDS_MAX = 60.0
_SHARE_FOR_ITL = 0.4
_SHARE_FOR_SEEDS = 0.25
_FIRST_TOKENS = 24
_TIME_RAN_OUT = "time ran out"


async def probe(
    engine: Engine,
    *,
    seconds_max: float = _SECONDS_MAX,
    nonce: str | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> EngineProfile:
    """Measure an open engine that has nothing else to do, in `seconds_max` at most, from its first text on.

    nonce: what no prompt that it was ever asked had in it (default: drawn by chance). tell: hears what is being
    measured. What time does not allow, and what the engine answers wrongly, is left out, and told in `unmeasured`.
    Raises `Unreachable` and `TimedOut`, and any `EngineError` of the first text.
    """
    bench = Bench(engine, secrets.token_hex(8) if nonce is None else nonce)
    told = engine.capabilities
    load_before = await load_of(engine)
    tell("the first text")  # an engine may compile something first
    first = await bench.ask(Wanted(await bench.fresh(_FIRST_TOKENS), 8))
    work = _Work(bench, seconds_max, tell)
    itl = await work.do("itl", "ℓ(b)", lambda: measure_itl(bench, told, work.until(_SHARE_FOR_ITL)))
    slots = min(told.slots, itl.at_once or told.slots) if itl is not None else told.slots
    tokens = tokens_for(_SHARE_FOR_SEEDS * seconds_max, itl.curve.itl_seconds(1)) if itl is not None else 10
    prefill = await work.do("prefill_seconds", "prefill", lambda: measure_prefill(bench, told.context_tokens))
    long, dear = (prefill.tokens, prefill.seconds) if prefill is not None else (_FIRST_TOKENS, 0.0)
    seeds = await work.do("seeds", "seeds", lambda: measure_seeds(bench, told.seed, slots, tokens))
    cache = await work.do("cache", "the prefix cache", lambda: measure_cache(bench, long, dear))
    labels = await work.do("labels", "labels", lambda: measure_labels(bench)) if told.label_scores else None
    aborts = await work.do("aborts", "aborts", lambda: measure_aborts(bench, itl, slots, told.context_tokens))
    version, model, drafts = identity_of(engine)
    return EngineProfile(
        engine=engine.name,
        version=version,
        model=model,
        drafts=drafts,
        priority=told.priority,
        retain=told.retain,
        slots=told.slots,
        context_tokens=told.context_tokens,
        log_probabilities=first.completion.logprobs is not None,
        load_before=load_before,
        seconds=work.seconds,
        itl=itl,
        prefill_seconds=None if prefill is None else prefill.seconds,
        cache=cache,
        seeds=seeds,
        labels=labels,
        aborts=aborts,
        unmeasured=work.unmeasured,
    )


class _Work:
    """The measurements one after another, within one deadline, and why some came to nothing."""

    def __init__(self, bench: Bench, seconds_max: float, tell: Callable[[str], None]) -> None:
        self.unmeasured: dict[str, str] = {}
        self._bench = bench
        self._tell = tell
        self._began = bench.now()
        self._seconds_max = seconds_max

    @property
    def seconds(self) -> float:
        return self._bench.now() - self._began

    def until(self, share: float) -> float:
        """When so much of the time will have passed."""
        return self._began + share * self._seconds_max

    async def do(self, field: str, name: str, measure: Callable[[], Awaitable[T]]) -> T | None:
        """What `measure` finds; None where it finds nothing, for a reason that is kept."""
        self._tell(name)
        timer = asyncio.timeout_at(self.until(1.0))
        try:
            async with timer:
                return await measure()
        except TimeoutError:
            if not timer.expired():
                raise
            self.unmeasured[field] = _TIME_RAN_OUT
        except (Misbehaving, Overloaded, InputError) as error:
            self.unmeasured[field] = str(error)
        return None
