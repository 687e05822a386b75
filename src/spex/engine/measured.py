"""What was measured of an engine: what `spex probe` finds, prints and keeps, and what an engine starts from later."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal, TypeAlias

import msgspec

from spex.engine.base import Capabilities, SeedKind
from spex.profile import Affine, Curve, Points

VERSION: Literal[1] = 1

_Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=1 << 31)]
_Positive: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=1 << 31)]
_Seconds: TypeAlias = Annotated[float, msgspec.Meta(ge=0.0, le=1e6)]
_Itl: TypeAlias = Annotated[float, msgspec.Meta(gt=0.0, le=1e6)]

_WORTH: dict[SeedKind, int] = {"none": 0, "whole": 1, "positional": 2}


class Share(msgspec.Struct, frozen=True, omit_defaults=True):
    """How many of so many; `exact`: those whose log-probabilities are equal to the last bit, None if none are told."""

    equal: _Count
    of: _Count
    exact: _Count | None = None

    @property
    def all(self) -> bool:
        return self.equal == self.of


class MeasuredPoint(msgspec.Struct, frozen=True):
    """ℓ at one number of requests at once, in seconds a token."""

    running: _Positive
    itl_seconds: _Itl


class Line(msgspec.Struct, frozen=True):
    """ℓ(b) = base + slope·b, which fits the points; `error`: by how much of a point at most."""

    base_seconds: _Seconds
    slope_seconds: _Seconds
    error: Annotated[float, msgspec.Meta(ge=0.0)]


class Itl(msgspec.Struct, frozen=True):
    """ℓ(b): the points, and the line where one fits. `at_once`: those that ran at once where others had to wait."""

    points: Annotated[list[MeasuredPoint], msgspec.Meta(min_length=1, max_length=64)]
    line: Line | None
    at_once: _Positive | None = None

    @property
    def curve(self) -> Curve:
        if self.line is not None:
            return Affine(self.line.base_seconds, self.line.slope_seconds)
        return Points(tuple((float(point.running), point.itl_seconds) for point in rising(self.points)))


class Seeds(msgspec.Struct, frozen=True):
    """Whether a text is the same again. Each share is of texts with equal requests; None where it was not tried.

    again: alone, with the prompt in the cache both times. cached: the first time, with the prompt not in the cache,
    against later. beside: alone against beside others. resumed: in one go against stopped and gone on with from its
    tokens; its log-probabilities are not compared. differing: whether other seeds gave other texts.
    """

    told: SeedKind
    again: Share
    cached: Share
    beside: Share | None
    resumed: Share | None
    differing: bool

    @property
    def moves_logprobs(self) -> bool:
        """Whether a text had other log-probabilities, cached or beside others, than alone."""
        seen = (self.again, self.cached, self.beside)
        return any(share.exact < share.equal for share in seen if share is not None and share.exact is not None)

    @property
    def found(self) -> SeedKind:
        """What the seeds are by what was seen: a difference is a proof, equality is as good as its sample."""
        seen = (self.again, self.cached, self.beside)
        if not self.differing or not all(share.all for share in seen if share is not None):
            return "none"
        return "positional" if self.resumed is not None and self.resumed.all else "whole"


class Aborts(msgspec.Struct, frozen=True):
    """What became of `asked` requests that were cancelled.

    seconds: until all cancellations had come through. running: those that the engine's client still counted then.
    left: those that its server counted then, and `left_later` after some seconds; None where it does not tell. Then
    pace, where ℓ rises enough to tell: a single text's seconds a token afterwards, over ℓ(1); and `pace_of_all`, what
    that would be with all of them running on.
    """

    asked: _Positive
    seconds: _Seconds
    running: _Count
    left: _Count | None = None
    left_later: _Count | None = None
    pace: float | None = None
    pace_of_all: float | None = None

    @property
    def effective(self) -> bool | None:
        """Whether they stopped; None where nothing tells."""
        if self.running or self.left_later:
            return False
        if self.left_later is not None:
            return True
        if self.pace is None or self.pace_of_all is None:
            return None
        return self.pace < (1.0 + self.pace_of_all) / 2

    @property
    def confirmed(self) -> bool:
        """Whether nothing ran any more, by the server's own count, when the cancellations came through."""
        return self.running == 0 and self.left == 0


class Cache(msgspec.Struct, frozen=True):
    """What of a prompt need not be computed again.

    Of children (prompt and output of another text, and nothing else): mean tokens of their prompts, and how many of
    those were read or computed, as the engine tells. grain: tokens that are kept or not kept together, None where no
    prompt was kept in part. cold_seconds, cached_seconds: the time of one token behind the same long prompt, first and
    again. token_seconds: what a prompt token costs that is in the cache, None in profiles of before it was measured.
    """

    child_tokens: Annotated[float, msgspec.Meta(ge=0.0)]
    child_cached: Annotated[float, msgspec.Meta(ge=0.0)]
    child_uncached: Annotated[float, msgspec.Meta(ge=0.0)]
    grain: _Positive | None
    cold_seconds: _Seconds
    cached_seconds: _Seconds
    token_seconds: _Seconds | None = None


class Labels(msgspec.Struct, frozen=True):
    """Probabilities of single tokens, asked for where greedy decoding had written a known one, `asked` times.

    difference: the greatest between a probability and what the text itself told of that token, None where texts tell
    none. likeliest: how often the written token was the likeliest of those asked for.
    """

    asked: _Positive
    difference: Annotated[float, msgspec.Meta(ge=0.0)] | None
    likeliest: Share


class EngineProfile(msgspec.Struct, frozen=True, kw_only=True):
    """All of it, for one engine. What could not be measured is None, and `unmeasured` says why, by the field's name.

    drafts: what it drafts with, in words; empty for nothing. priority, retain: whether it takes those hints, it says.
    """

    spex_profile: Literal[1] = VERSION
    engine: str
    version: str
    model: str
    drafts: str = ""
    priority: bool = False
    retain: bool = False
    slots: _Positive
    context_tokens: _Positive | None
    log_probabilities: bool
    load_before: _Count | None
    seconds: _Seconds
    itl: Itl | None = None
    prefill_seconds: _Seconds | None = None
    cache: Cache | None = None
    seeds: Seeds | None = None
    labels: Labels | None = None
    aborts: Aborts | None = None
    unmeasured: dict[str, str] = {}

    def applied(self, told: Capabilities) -> Capabilities:
        """`told` with what was measured in the place of first beliefs.

        Never more slots than the engine has now, and no seed that is better than both what it says and what was seen.
        """
        known = told
        if self.itl is not None:
            known = replace(known, curve=self.itl.curve, slots=min(told.slots, self.itl.at_once or told.slots))
        if self.prefill_seconds is not None:
            known = replace(known, prefill_seconds=self.prefill_seconds)
        if self.cache is not None and self.cache.token_seconds is not None:
            known = replace(known, cached_seconds=self.cache.token_seconds)
        if self.seeds is not None:
            known = replace(known, seed=min(told.seed, self.seeds.found, key=_WORTH.__getitem__))
        return known


def rising(points: list[MeasuredPoint]) -> list[MeasuredPoint]:
    """The points, one for each number running; those that fall are drawn together with those before, to their mean."""
    groups: list[list[MeasuredPoint]] = []
    by_running = {point.running: point for point in points}
    for _, point in sorted(by_running.items()):
        groups.append([point])
        while len(groups) > 1 and _mean(groups[-2]) > _mean(groups[-1]):
            groups[-2:] = [groups[-2] + groups[-1]]
    return [MeasuredPoint(point.running, _mean(group)) for group in groups for point in group]


def _mean(points: list[MeasuredPoint]) -> float:
    return sum(point.itl_seconds for point in points) / len(points)
