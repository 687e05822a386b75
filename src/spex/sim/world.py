"""A synthetic world: what a model would write and how good it would be, as pure functions of content.

A step's first token carries 48 random bits from the request's seed, so every step is distinct and
everything else about it (length, quality, end, answer) is drawn from those bits alone: the policy and
the reward server agree without talking to each other.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain
from math import exp, log
from random import Random
from typing import NamedTuple

from spex.engine.base import Completion, Generation, Scoring
from spex.reward.clusters import numbered
from spex.sim.workload import Workload

_NAME_BITS = 48
# The first meaning has the probability 0.45, and each one after it 0.55 of that before it.
_MEANING_RATE = 0.6
_WRONG_WEIGHTS = (1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 16)
RIGHT = "right"
STATE = " to state "


class Part(NamedTuple):
    """What stands for one step: its tokens, its reward's departure from the parent's, its mean log-probability."""

    tokens: int
    shift: float
    logprob: float | None


@dataclass(frozen=True, slots=True)
class Thought:
    """What one request writes: a step, or all the steps of a whole solution."""

    name: int
    parts: tuple[Part, ...]
    ends: bool
    answer_draw: float

    @property
    def tokens(self) -> int:
        return sum(part.tokens for part in self.parts)


class World:
    """Draws steps, rewards and answers for a workload. Holds no state but a memo of its own draws."""

    def __init__(self, workload: Workload) -> None:
        self._workload = workload
        self._thoughts: dict[tuple[int, int, bool], Thought] = {}

    def write(self, request: Generation) -> Completion:
        """What the policy answers to `request`: a `SimulatedPolicy`'s script."""
        segments = request.prompt.segments
        depth = len(segments)
        whole = not request.stop
        name = request.seed >> (64 - _NAME_BITS) << 6 | min(depth, 31) << 1 | whole
        thought = self._thought(name)
        text = f"step {depth} ({thought.tokens} tokens)"
        states = self._workload.states
        quality = self._follow(self.quality(segments), thought) if states or thought.ends else 0.0
        if states:
            text += f"{STATE}{int(quality * states)}"
        if thought.ends:
            text += f"\nAnswer: {_answer(quality, thought.answer_draw)}"
        token_ids = (name, *range(1, thought.tokens))
        return Completion(text, token_ids, self._logprobs(thought), "eos" if thought.ends else "delimiter")

    def judge(self, request: Scoring) -> tuple[float, ...]:
        """What the reward server answers to `request`: a `SimulatedReward`'s judgement."""
        return tuple(self.quality(path.prompt.segments) for path in request.paths)

    def cluster(self, request: Scoring) -> tuple[float, ...]:
        """Which of the paths say the same in their last step: below one parent there are a few things to say."""
        return numbered(self._meaning(path.prompt.segments) for path in request.paths)

    def _meaning(self, segments: tuple[tuple[int, ...], ...]) -> Hashable:
        drawn = self._random(f"meaning:{segments[-1][0]}").expovariate(_MEANING_RATE)
        return len(segments), segments[-2:-1], int(drawn)

    def quality(self, segments: tuple[tuple[int, ...], ...]) -> float:
        """The reward of a partial solution: the root's, then each step's shift, clipped."""
        quality = self._workload.root_reward
        for segment in segments[1:]:
            quality = self._follow(quality, self._thought(segment[0]))
        return quality

    def _follow(self, quality: float, thought: Thought) -> float:
        load = self._workload
        low, high = load.reward_range
        forgotten = 1.0 - load.reward_memory
        for part in thought.parts:
            quality = min(high, max(low, quality - forgotten * (quality - load.root_reward) + part.shift))
        return quality

    def _logprobs(self, thought: Thought) -> tuple[float, ...] | None:
        """One a token, where rewards are readable: many near 0, few far below, in the mean what was drawn."""
        if self._workload.readable is None:
            return None
        random = self._random(f"logprobs:{thought.name}")
        return tuple(chain.from_iterable(_shares(part.tokens, part.logprob or 0.0, random) for part in thought.parts))

    def _thought(self, name: int) -> Thought:
        depth, whole = name >> 1 & 31, bool(name & 1)
        key = (name, depth, whole)
        found = self._thoughts.get(key)
        if found is None:
            found = self._thoughts[key] = self._draw(name, depth, whole)
        return found

    def _draw(self, name: int, depth: int, whole: bool) -> Thought:
        load = self._workload
        random = self._random(str(name))
        parts: list[Part] = []
        ends = False
        while not ends and (whole or not parts):
            parts.append(self._part(random))
            ends = depth >= load.depth_max or (depth >= load.depth_min and random.random() < load.end_probability)
            depth += 1
        return Thought(name, tuple(parts), ends, random.random())

    def _part(self, random: Random) -> Part:
        load = self._workload
        tokens = max(1, round(exp(random.gauss(load.log_tokens_mean, load.spread))))
        noise = random.gauss(0.0, load.reward_noise)
        if load.readable is None:
            return Part(tokens, noise, None)
        logprob = load.readable.logprob(random.gauss(0.0, 1.0))
        return Part(tokens, noise + load.readable.shift(logprob, log(tokens) - load.log_tokens_mean), logprob)

    def _random(self, purpose: str) -> Random:
        digest = blake2b(f"{self._workload.seed}:{purpose}".encode(), digest_size=8).digest()
        return Random(int.from_bytes(digest))  # noqa: S311  # a simulated model, not a secret


def _shares(tokens: int, mean: float, random: Random) -> list[float]:
    """`tokens` numbers of one sign and the given mean, spread as waiting times are."""
    weights = [random.expovariate(1.0) + 1e-9 for _ in range(tokens)]
    scale = mean * tokens / sum(weights)
    return [scale * weight for weight in weights]


def _answer(quality: float, draw: float) -> str:
    """Right with the probability `quality`, else one of five wrong answers, the first the likeliest."""
    if draw < quality:
        return RIGHT
    rest = (draw - quality) / (1.0 - quality)
    for number, weight in enumerate(_WRONG_WEIGHTS):
        rest -= weight
        if rest < 0.0:
            return f"wrong-{number + 1}"
    return f"wrong-{len(_WRONG_WEIGHTS)}"
