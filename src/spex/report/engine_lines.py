"""What was measured of an engine, a line for each thing, with what is lost where something is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import TypeVar

from spex.engine.measured import Aborts, Cache, EngineProfile, Itl, Labels, Seeds, Share
from spex.report.lacks import ABORT_LOST, LOGPROBS_LOST, MOVED_LOST, SEED_LOST

_LABEL_ERROR_MAX = 0.05
_HIT_SHARE = 0.5
_FALLS = 0.9
_NO_LABELS = "none — no judge and no PRM with label tokens can be asked here"

T = TypeVar("T")


def engine_lines(profile: EngineProfile) -> Iterator[tuple[str, str]]:
    """A subject and what is said of it, in the order in which they were measured."""
    yield "engine", _who(profile)
    yield "ℓ(b)", _or_why(profile, "itl", profile.itl, _curve)
    if profile.drafts:
        yield "drafts", _drafts(profile)
    yield "slots", _slots(profile)
    yield "prefill", _or_why(profile, "prefill_seconds", profile.prefill_seconds, _prefill)
    yield "seed", _or_why(profile, "seeds", profile.seeds, _seed)
    yield "prefix cache", _or_why(profile, "cache", profile.cache, _cache)
    yield "labels", _or_why(profile, "labels", profile.labels, _labels, _NO_LABELS)
    yield "log-probabilities", _logprobs(profile)
    yield "abort", _or_why(profile, "aborts", profile.aborts, _abort)
    yield "priority", _priority(profile)


def _or_why(profile: EngineProfile, field: str, value: T | None, say: Callable[[T], str], else_: str = "") -> str:
    if value is not None:
        return say(value)
    return f"not measured: {profile.unmeasured[field]}" if field in profile.unmeasured else else_


def _who(profile: EngineProfile) -> str:
    version, model = profile.version or "a version that it does not tell", profile.model or "a model it does not name"
    busy = f"; {profile.load_before} requests of others ran when it began: times are theirs too"
    return f"{profile.engine}: {version}, {model}{busy if profile.load_before else ''}"


def _curve(itl: Itl) -> str:
    points = ", ".join(f"{point.running}: {_ms(point.itl_seconds)}" for point in itl.points)
    if itl.line is None:
        shape = "no line fits, so that the points are kept" if len(itl.points) > 1 else "one point, taken as flat"
    else:
        line = itl.line
        shape = f"{_ms(line.base_seconds)} + {_ms(line.slope_seconds)} a request, within {line.error:.0%}"
    times = [point.itl_seconds for point in itl.points]
    if any(later < _FALLS * earlier for earlier, later in pairwise(times)):
        shape += "; it falls in places, so that something else was at work meanwhile: measure again"
    gain = itl.points[-1].running * itl.points[0].itl_seconds / itl.points[-1].itl_seconds
    room = f"{gain:.1f} times the tokens a second of one" if len(itl.points) > 1 else ""
    lost = " — compute-bound: there is little room to speculate in" if len(itl.points) > 1 and gain < 2.0 else ""
    return f"{points} a token; {shape}" + (f"; at {itl.points[-1].running} {room}" if room else "") + lost


def _drafts(profile: EngineProfile) -> str:
    paced = "ℓ(b) is of tokens as they are written, drafts included, and not of passes of the model"
    told = profile.seeds.told if profile.seeds is not None else None
    lost = (
        " — what it drafts may depend on other requests: no tree is promised to be the same" if told == "none" else ""
    )
    return f"{profile.drafts}: {paced}{lost}"


def _priority(profile: EngineProfile) -> str:
    kept = ", and keeps their prompts longer" if profile.retain else ""
    if profile.priority:
        return f"told with every request, not measured: its queue has demanded calls first{kept}"
    if profile.retain:
        return "for its cache alone, not measured: it keeps the prompts of demanded calls longer"
    return "not measured: no request of ours has one, demanded calls go first on our side"


def _prefill(seconds: float) -> str:
    return f"{_ms(seconds)} a prompt token"


def _slots(profile: EngineProfile) -> str:
    at_once = profile.itl.at_once if profile.itl is not None else None
    if at_once is not None:
        return f"{at_once}, and not {profile.slots} as it says — what is beyond them waits or is refused"
    tried = profile.itl.points[-1].running if profile.itl is not None else 1
    return f"{profile.slots} as it says; {tried} at once were tried"


def _seed(seeds: Seeds) -> str:
    seen = f"equal texts again {_of(seeds.again)}, cached against cold {_of(seeds.cached)}"
    seen += f", beside others {_of(seeds.beside)}" if seeds.beside is not None else ""
    seen += f", gone on with from their tokens {_of(seeds.resumed)}" if seeds.resumed is not None else ""
    if seeds.told == "none" and seeds.found != "none":
        return f"none promised, though {seen} — a sample is no promise, and runs do not count on it"
    moved = f" — {MOVED_LOST}" if seeds.moves_logprobs else ""
    if seeds.found == "positional" and seeds.told == "whole":
        return f"whole: {seen}; the engine's client does not go on from tokens{moved}"
    if seeds.found == "positional":
        return f"positional: {seen}{moved}"
    seen += "" if seeds.differing else ", and other seeds give the same text"
    if seeds.found == "whole":
        return f"whole: {seen}{moved} — a text that was stopped is written again from its start"
    return f"none: {seen} — {SEED_LOST}"


def _cache(cache: Cache) -> str:
    ratio = f"one token behind a long prompt took {_ms(cache.cold_seconds)}, and {_ms(cache.cached_seconds)} again"
    if cache.token_seconds is not None:
        ratio += f"; a prompt token that is there costs {_ms(cache.token_seconds)}"
    told = f"{cache.child_cached:.0f} of a child's {cache.child_tokens:.0f} prompt tokens"
    if cache.child_cached > 0.0:
        blocks = "kept token by token" if cache.grain == 1 else f"kept in blocks of {cache.grain}"
        grain = "parts of prompts are not kept" if cache.grain is None else blocks
        return f"{told} are read, {cache.child_uncached:.0f} computed again, {grain}; {ratio}"
    if cache.cached_seconds < _HIT_SHARE * cache.cold_seconds:
        return f"there by the time alone ({ratio}), it tells no counts — what a child costs is not known"
    return f"none: {told} are read; {ratio} — every step computes all of its path again"


def _labels(labels: Labels) -> str:
    seen = f"written tokens were the likeliest {_of(labels.likeliest)}"
    if labels.difference is not None:
        seen += f", at most {labels.difference:.3f} from what texts tell"
    if not labels.likeliest.all or (labels.difference or 0.0) > _LABEL_ERROR_MAX:
        return f"wrong: {seen} — do not trust a judge or a PRM with label tokens here"
    return f"right: {seen}"


def _logprobs(profile: EngineProfile) -> str:
    return "told with every text" if profile.log_probabilities else f"none — {LOGPROBS_LOST}"


def _abort(aborts: Aborts) -> str:
    took = f"{aborts.asked} cancellations came through in {_ms(aborts.seconds)}"
    if aborts.effective is False:
        left = aborts.running or aborts.left_later
        what = f"{left} were running still" if left else "the engine's pace is that of an engine with all of them"
        return f"ignored: {took}, and {what} — speculation that is stopped goes on costing"
    if aborts.confirmed:
        return f"confirmed: {took}, and its server counted 0 of them"
    if aborts.effective:
        how = f"the server counted {aborts.left}, and 0 later" if aborts.left else "by its pace they had stopped"
        return f"effective: {took}, {how} — {ABORT_LOST}"
    return f"not known: {took}; its server does not tell what runs, and its pace cannot — zombies would not be seen"


def _of(share: Share) -> str:
    moved = share.exact is not None and share.exact < share.equal
    return f"{share.equal} of {share.of}" + (f" ({share.exact} in their log-probabilities too)" if moved else "")


def _ms(seconds: float) -> str:
    """Milliseconds, to three digits."""
    return f"{seconds * 1000:.3g} ms" if seconds < 1.0 else f"{seconds:.3g} s"
