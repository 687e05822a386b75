"""What a clairvoyant schedule would win on a real server: what it answered in a plain run, again, on a virtual clock.

Texts and scores come from the plain run's log, how long they take from the ℓ(b) that was measured. So neither the
controller's own time nor what a server does beside decoding is in these figures: `plain_seconds` beside the real plain
run tells how far the measured ℓ explains it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean

from spex.api import run
from spex.control.clock import run_virtual
from spex.control.run import Run
from spex.control.setup import Speculation
from spex.engine.base import Capabilities, Completion, Counters, Generation, Labelling, Message, Progress, Scoring
from spex.engine.kv_pool import Hold, KvPool, Segment
from spex.engine.measured import EngineProfile
from spex.engine.recorded import Replayed
from spex.engine.simulated import SimulatedPolicy, SimulatedReward
from spex.errors import NotLossless
from spex.events import Event
from spex.problem import Problem
from spex.profile import Affine, Curve
from spex.prompt import Prompt
from spex.record import MemoryLog, ScoreEntry, TextEntry
from spex.search.base import AnySearch
from spex.sim.clairvoyant import Clairvoyant
from spex.tasks.base import Task

_CACHE_TOKENS = 10**9
"""More than these runs ever write: nothing is pushed out."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things take: `curve` is ℓ(b), `prefill_seconds` a prompt token that is not cached, `reward` a score.

    `grain`: a prefix is found again in blocks of so many tokens. `cached_seconds`: a prompt token that is cached.
    """

    curve: Curve
    slots: int
    prefill_seconds: float
    reward: Curve
    grain: int = 1
    cached_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Blocks:
    """A prefix cache of whole blocks."""

    pool: KvPool
    grain: int

    def hold(self, prompt: Prompt, kept: Segment, text_tokens: int) -> Hold:
        found = self.pool.hold(prompt, kept, text_tokens)
        rest = found.cached % self.grain
        return replace(found, cached=found.cached - rest, uncached=found.uncached + rest)

    def release(self, hold: Hold, text: Segment) -> None:
        self.pool.release(hold, text)


@dataclass(slots=True)
class Watch:
    """Hears a run's events and knows how long a score took, from when it was sent to when it was there."""

    seconds: list[float] = field(default_factory=list)
    _began: dict[tuple[str, str | None], float] = field(default_factory=dict)

    @property
    def score_seconds(self) -> float | None:
        """On average; None without a score."""
        return fmean(self.seconds) if self.seconds else None

    def __call__(self, event: Event) -> None:
        if event.kind == "score" and event.event == "started":
            self._began[event.query, event.call] = event.t
        elif event.kind == "score" and event.event == "finished":
            began = self._began.pop((event.query, event.call), None)
            if began is not None:
                self.seconds.append(event.t - began)


def pace_of(profile: EngineProfile, scores: Watch) -> Pace:
    """What was measured of a policy's server, and of the scores of a plain run. Raises `ValueError` without an ℓ(b).

    Slots are those that were seen to run at once, where they are fewer than the server says: a lane has no more either.
    """
    if profile.itl is None:
        raise ValueError(f"ℓ(b) was not measured: {profile.unmeasured.get('itl')}")
    reward = Affine(scores.score_seconds or 0.0, 0.0)
    cache, dear = profile.cache, profile.prefill_seconds or 0.0
    slots = min(profile.slots, profile.itl.at_once or profile.slots)
    if cache is None:
        return Pace(profile.itl.curve, slots, dear, reward)
    return Pace(profile.itl.curve, slots, dear, reward, cache.grain or 1, cache.token_seconds or 0.0)


class Again:
    """A policy's engine that answers from a log, as late as an engine of that pace would."""

    def __init__(self, log: MemoryLog, pace: Pace, capabilities: Capabilities) -> None:
        self._log = log
        self._known = Replayed(log)
        self._cache = Blocks(KvPool(_CACHE_TOKENS), pace.grain)
        self._timed = SimulatedPolicy(
            self._text,
            pace.curve,
            slots=pace.slots,
            prefill_seconds=pace.prefill_seconds,
            cached_seconds=pace.cached_seconds,
            cache=self._cache,
            seed=capabilities.seed,
        )

    def _text(self, request: Generation) -> Completion:
        found = self._log.find(request.key)
        if not isinstance(found, TextEntry) or found.digest != request.digest:
            raise NotLossless(request.key)
        return Completion(found.text, found.token_ids, found.logprobs, found.end)

    @property
    def name(self) -> str:
        return "again"

    @property
    def capabilities(self) -> Capabilities:
        return self._timed.capabilities

    def counters(self) -> Counters:
        return self._timed.counters()

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def encode(self, text: str) -> tuple[int, ...]:
        return await self._known.encode(text)

    async def encode_chat(self, messages: Sequence[Message]) -> tuple[int, ...]:
        return self._warm(await self._known.encode_chat(messages))

    def _warm(self, token_ids: tuple[int, ...]) -> tuple[int, ...]:
        """Most of a problem's prompt is that of all problems: a server has it from before."""
        prompt = Prompt([token_ids])
        self._cache.release(self._cache.hold(prompt, (), 0), ())
        return token_ids

    async def generate(self, request: Generation, progress: Progress) -> Completion:
        return await self._timed.generate(request, progress)

    async def label(self, request: Labelling, progress: Progress) -> tuple[float, ...]:
        return await self._timed.label(request, progress)


@dataclass(frozen=True, slots=True)
class Replay:
    """A plain run to be carried out again: its search, task, problems (in groups that ran together) and log."""

    search: AnySearch
    task: Task
    groups: Sequence[Sequence[Problem]]
    log: MemoryLog
    pace: Pace
    capabilities: Capabilities

    def latencies_seconds(self) -> Mapping[str, list[float]]:
        """`plain` and `clairvoyant`, in the order of the problems. Raises the error of the first search that failed."""
        found: dict[str, list[float]] = {"plain": [], "clairvoyant": []}
        for group in self.groups:
            plain = self._run(group, None)
            knowing = self._run(group, Speculation(rule=Clairvoyant.of(plain.solutions)))
            for name, done in (("plain", plain), ("clairvoyant", knowing)):
                for solution in done.solutions:
                    if solution.error is not None:
                        raise solution.error
                    found[name].append(solution.timings.latency_seconds)
        return found

    def _run(self, group: Sequence[Problem], speculation: Speculation | None) -> Run:
        return run_virtual(
            run(
                group,
                policy=Again(self.log, self.pace, self.capabilities),
                task=self.task,
                reward=SimulatedReward(self._scores, self.pace.reward),
                search=self.search,
                concurrency=len(group),
                speculation=speculation,
            )
        )

    def _scores(self, request: Scoring) -> tuple[float, ...]:
        found = self.log.find(request.key)
        if not isinstance(found, ScoreEntry):
            raise NotLossless(request.key)
        return found.values
