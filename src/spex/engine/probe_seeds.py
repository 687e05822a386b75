"""Whether equal requests get equal texts: again, cached or not, beside others, and gone on with from their tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from spex.engine.base import Progress, SeedKind
from spex.engine.measured import Seeds, Share
from spex.engine.probe_bench import Asked, Bench, Wanted

_TEXTS = 4
_OTHER_SEEDS = 2
_PROMPT_TOKENS = 40
_TOKENS = (10, 20)
_TEXTS_IN_ALL = 24
_AT_ONCE = 8
_OTHERS = 50
_CROWD = 100


def tokens_for(seconds: float, itl_seconds: float) -> int:
    """How long texts may be: 10 to 20 tokens."""
    return max(_TOKENS[0], min(_TOKENS[1], round(seconds / itl_seconds / _TEXTS_IN_ALL)))


async def measure_seeds(bench: Bench, told: SeedKind, slots: int, tokens: int = _TOKENS[1]) -> Seeds:
    """Four texts of so many tokens (10 or more) at temperature 1, each several times. Raises `EngineError`."""
    wanted = [Wanted(await bench.fresh(_PROMPT_TOKENS), tokens, seed=_seed(number)) for number in range(_TEXTS)]
    cold = [await bench.ask(one) for one in wanted]
    first, second = [[await bench.ask(one) for one in wanted] for _ in range(2)]
    others = [
        await bench.ask(one._replace(seed=_seed(_OTHERS + number))) for number, one in enumerate(wanted[:_OTHER_SEEDS])
    ]
    return Seeds(
        told=told,
        again=_share(first, second),
        cached=_share(cold, first),
        beside=await _beside(bench, wanted, first, slots) if slots > 1 else None,
        resumed=await _resumed(bench, wanted, first, told),
        differing=any(map(_differ, first, others)),
    )


async def _beside(bench: Bench, wanted: Sequence[Wanted], alone: Sequence[Asked], slots: int) -> Share:
    """Each text among others that begin with it and end at other times, half of a batch of eight at most."""
    half = max(1, min(_AT_ONCE, slots) // 2)
    crowded: list[Asked] = []
    for start in range(0, len(wanted), half):
        group = list(wanted[start : start + half])
        crowd = [
            Wanted(
                await bench.fresh(_PROMPT_TOKENS + 9 * number),
                wanted[0].tokens_max // 2 + 5 * number,
                seed=_seed(_CROWD + number),
            )
            for number in range(half)
        ]
        crowded += (await bench.ask_all([*group, *crowd]))[: len(group)]
    return _share(alone, crowded)


async def _resumed(bench: Bench, wanted: Sequence[Wanted], whole: Sequence[Asked], told: SeedKind) -> Share | None:
    """Each text stopped after some tokens, and gone on with from them. None where all ended before that."""
    long = [pair for pair in zip(wanted, whole, strict=True) if len(_ids(pair[1])) > _kept(wanted[0])]
    if not long:
        return None
    equal = [await _goes_on(bench, one, asked, told) for one, asked in long]
    return Share(sum(equal), len(long))


async def _goes_on(bench: Bench, wanted: Wanted, whole: Asked, told: SeedKind) -> bool:
    stopped = await bench.ask(wanted._replace(tokens_max=_kept(wanted)))
    if told == "positional":
        kept = replace(stopped.progress, cost=Progress().cost)
        return not _differ(whole, await bench.ask(wanted._replace(kept=kept)))
    # Such an engine starts from nothing whatever was there: what was written becomes a part of the prompt.
    ids = _ids(stopped)
    longer = wanted._replace(prompt=wanted.prompt.extended(ids), tokens_max=wanted.tokens_max - _kept(wanted))
    return (*ids, *_ids(await bench.ask(longer))) == _ids(whole)


def _kept(wanted: Wanted) -> int:
    """After how many tokens a text is stopped."""
    return wanted.tokens_max // 2 - 1


def _share(some: Sequence[Asked], others: Sequence[Asked]) -> Share:
    equal = [(one, other) for one, other in zip(some, others, strict=True) if not _differ(one, other)]
    told = [(one.completion.logprobs, other.completion.logprobs) for one, other in equal]
    untold = any(asked.completion.logprobs is None for asked in (*some, *others))
    exact = None if untold else sum(one == other for one, other in told)
    return Share(len(equal), len(some), exact)


def _differ(one: Asked, other: Asked) -> bool:
    return _ids(one) != _ids(other)


def _ids(asked: Asked) -> tuple[int, ...]:
    return asked.completion.token_ids


def _seed(number: int) -> int:
    """Far apart: an engine may make the seeds of its own from neighbouring ones."""
    return (number + 1) * 0x9E3779B97F4A7C15 % (1 << 63)
