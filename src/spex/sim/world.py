"""A synthetic world: what a model would write and how good it would be, as pure functions of content.

A step's first token carries 48 random bits from the request's seed, so every step is distinct and
everything else about it (length, quality, end, answer) is drawn from those bits alone: the policy and
the reward server agree without talking to each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from math import exp, log
from random import Random

from spex.engine.base import Completion, Generation, Scoring
from spex.sim.workload import Workload

_NAME_BITS = 48
_WRONG_WEIGHTS = (1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 16)
RIGHT = "right"


@dataclass(frozen=True, slots=True)
class Thought:
    """One simulated step: how many steps it stands for, its tokens, its reward's departure from the parent's."""

    name: int
    tokens: int
    shifts: tuple[float, ...]
    ends: bool
    answer_draw: float


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
        if thought.ends:
            quality = self._follow(self.quality(segments), thought)
            text += f"\nAnswer: {_answer(quality, thought.answer_draw)}"
        token_ids = (name, *range(1, thought.tokens))
        return Completion(text, token_ids, None, "eos" if thought.ends else "delimiter")

    def judge(self, request: Scoring) -> tuple[float, ...]:
        """What the reward server answers to `request`: a `SimulatedReward`'s judgement."""
        return tuple(self.quality(path.prompt.segments) for path in request.paths)

    def quality(self, segments: tuple[tuple[int, ...], ...]) -> float:
        """The reward of a partial solution: the root's, then each step's shift, clipped."""
        quality = self._workload.root_reward
        for segment in segments[1:]:
            quality = self._follow(quality, self._thought(segment[0]))
        return quality

    def _follow(self, quality: float, thought: Thought) -> float:
        low, high = self._workload.reward_range
        for shift in thought.shifts:
            quality = min(high, max(low, quality + shift))
        return quality

    def _thought(self, name: int) -> Thought:
        depth, whole = name >> 1 & 31, bool(name & 1)
        key = (name, depth, whole)
        found = self._thoughts.get(key)
        if found is None:
            found = self._thoughts[key] = self._draw(name, depth, whole)
        return found

    def _draw(self, name: int, depth: int, whole: bool) -> Thought:
        load = self._workload
        digest = blake2b(f"{load.seed}:{name}".encode(), digest_size=8).digest()
        random = Random(int.from_bytes(digest))  # noqa: S311  # a simulated model, not a secret
        tokens, ends = 0, False
        shifts: list[float] = []
        while not ends and (whole or not shifts):
            tokens += max(1, round(exp(random.gauss(log(load.step_tokens) - load.spread**2 / 2, load.spread))))
            shifts.append(random.gauss(0.0, load.reward_noise))
            ends = depth >= load.depth_max or (depth >= load.depth_min and random.random() < load.end_probability)
            depth += 1
        return Thought(name, tokens, tuple(shifts), ends, random.random())


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
