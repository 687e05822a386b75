"""ℓ(b) measured: the seconds that a token more takes with b requests at once.

Each b is timed with short texts and with longer ones behind the same prompts, which are in the cache by then: what a
request costs apart from its tokens is in both, and falls out of the difference. Tokens are counted in the texts, and
not in passes of the model: where an engine drafts, it is the pace of what it writes, as a step meets it.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from spex.engine.base import Capabilities
from spex.engine.measured import Itl, Line, MeasuredPoint
from spex.engine.probe_bench import Asked, Bench, Wanted
from spex.errors import Misbehaving, Overloaded
from spex.prompt import Prompt

_RUNNING = (1, 2, 4, 8, 16, 32)
_ROUNDS = 2
_PROMPT_TOKENS = 24
_SHORT_TOKENS = 4
_MORE_TOKENS = (12, 64)
_MORE_SECONDS = 0.6
_LATE = 1.4
_DEARER = 1.7
_FIT_ERROR_MAX = 0.1


class _Timed(NamedTuple):
    itl_seconds: float
    at_once: int


async def measure_itl(bench: Bench, told: Capabilities, until_seconds: float) -> Itl:
    """ℓ at 1, 2, 4, … up to 32 requests at once, within its slots. Raises `EngineError`, `Misbehaving` for none at all.

    What will not be done by `until_seconds` is left out. An engine that refuses so many, or lets some wait for others,
    has fewer slots than it says. Which wait is seen by when they end; where drafts are accepted here and not there,
    texts end when they may, and that tells nothing.
    """
    levels = [level for level in _RUNNING if level < told.slots]
    levels += [told.slots] if told.slots <= _RUNNING[-1] else []
    measurement = _Measurement(bench, levels, until_seconds, even=told.drafts is None)
    for _ in range(_ROUNDS):
        await measurement.climb()
    return measurement.result()


class _Measurement:
    """What has been found at which level so far."""

    def __init__(self, bench: Bench, levels: Sequence[int], until_seconds: float, *, even: bool) -> None:
        self._bench = bench
        self._even = even
        self._levels = list(levels)
        self._until_seconds = until_seconds
        self._prompts: list[Prompt] = []
        self._found: dict[int, list[float]] = {}
        self._at_once: int | None = None
        self._more = _MORE_TOKENS[0]

    async def climb(self) -> None:
        """Once through the levels, as far as time and slots allow."""
        took_seconds = 0.0
        for number, level in enumerate(self._levels):
            began = self._bench.now()
            if self._found and began + _DEARER * took_seconds > self._until_seconds:
                return
            try:
                timed = await self._level(level)
            except (Misbehaving, Overloaded):
                if not number:
                    raise
                self._stop_at(self._levels[number - 1])
                return
            if timed is not None and timed.at_once < level and self._even:
                self._stop_at(timed.at_once)
                return
            if timed is not None:
                self._found.setdefault(level, []).append(timed.itl_seconds)
            if timed is not None and level == 1:
                tokens = _MORE_SECONDS / timed.itl_seconds
                self._more = round(max(_MORE_TOKENS[0], min(_MORE_TOKENS[1], tokens)))
            took_seconds = self._bench.now() - began

    def result(self) -> Itl:
        """Raises `Misbehaving` where no level has come to anything."""
        if not self._found:
            expected = f"texts of more than {_SHORT_TOKENS} tokens"
            raise Misbehaving(self._bench.engine.name, expected, "texts that ended before")
        # What else a machine does makes a text slower, never faster.
        points = [MeasuredPoint(level, min(values)) for level, values in sorted(self._found.items())]
        return Itl(points, fitted(points), self._at_once)

    async def _level(self, level: int) -> _Timed | None:
        await self._warm(level)
        timed = await _timed(self._bench, self._prompts[:level], self._more)
        if timed is None or timed.at_once == level or not self._even:
            return timed
        # Something else on the machine may have held one up: who waits for a slot waits again.
        again = await _timed(self._bench, self._prompts[:level], self._more)
        return timed if again is None or again.at_once < timed.at_once else again

    async def _warm(self, level: int) -> None:
        """Bring what is missing of `level` prompts into the engine's cache."""
        new = [await self._bench.fresh(_PROMPT_TOKENS) for _ in range(level - len(self._prompts))]
        if new:
            await self._bench.ask_all([Wanted(prompt, 1) for prompt in (*self._prompts, *new)])
        self._prompts += new

    def _stop_at(self, at_once: int) -> None:
        self._at_once = at_once
        self._levels = [level for level in self._levels if level <= at_once]


async def itl_alone(bench: Bench, prompt: Prompt) -> float | None:
    """ℓ as a single text sees it now, in seconds; None where its text ended too early."""
    timed = await _timed(bench, [prompt], 2 * _MORE_TOKENS[0])
    return None if timed is None else timed.itl_seconds


def fitted(points: Sequence[MeasuredPoint]) -> Line | None:
    """The line with the least squares of relative errors; None where it misses a point by more than a tenth."""
    if len(points) < 2:
        return None
    # With weights 1/y² a slow point counts as much as a fast one.
    rows = [(float(point.running), point.itl_seconds, point.itl_seconds**-2) for point in points]
    weight = sum(w for _, _, w in rows)
    mean_x = sum(w * x for x, _, w in rows) / weight
    mean_y = sum(w * y for _, y, w in rows) / weight
    spread = sum(w * (x - mean_x) ** 2 for x, _, w in rows)
    slope = max(0.0, sum(w * (x - mean_x) * (y - mean_y) for x, y, w in rows) / spread)
    base = max(0.0, mean_y - slope * mean_x)
    error = max(abs(base + slope * x - y) / y for x, y, _ in rows)
    return Line(base, slope, error) if error <= _FIT_ERROR_MAX else None


async def _timed(bench: Bench, prompts: Sequence[Prompt], more: int) -> _Timed | None:
    """None where most texts ended before their limit: nothing can be said of them."""
    short = await bench.ask_all([Wanted(prompt, _SHORT_TOKENS) for prompt in prompts])
    long = await bench.ask_all([Wanted(prompt, _SHORT_TOKENS + more) for prompt in prompts])
    pairs = [(few, many) for few, many in zip(short, long, strict=True) if many.tokens - few.tokens > more // 2]
    if len(pairs) * 2 <= len(prompts):
        return None
    itl_seconds = median((many.seconds - few.seconds) / (many.tokens - few.tokens) for few, many in pairs)
    if itl_seconds <= 0.0:
        return None
    return _Timed(itl_seconds, _at_once(long))


def _at_once(asked: Sequence[Asked]) -> int:
    """How many ran together: one that waited for another to end comes to its own end far later."""
    longest = max(one.tokens for one in asked)
    first_seconds = min(one.seconds for one in asked if one.tokens == longest)
    return sum(one.seconds <= _LATE * first_seconds for one in asked)
