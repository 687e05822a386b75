"""The judge of a run: reads its trace and its engines' counters, and nothing else.

It shares no code with the controller. What it is given is what a trace file holds (JSON objects)
and what the engines counted by themselves.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.swarm.admission import late_admissions

Events = Sequence[Mapping[str, Any]]

_ENDS = ("finished", "cancelled", "failed")


@dataclass(frozen=True)
class Limits:
    """What a run was allowed."""

    slots: int
    speculations_max: int
    reward_slots: int
    cancel_delay_seconds: float
    aborts_work: bool


def check_run(events: Events, limits: Limits, generated: int, running: int) -> list[str]:
    """What is wrong with one run by itself."""
    return [
        *_once(events),
        *bounded(events, limits),
        *clean(events, running),
        *_accounted(events, generated),
        *_never_in_the_way(events, limits),
    ]


def compare(plain: Events, other: Events) -> list[str]:
    """G1: the same decisions in the same order a strand, the same results, the same answers."""
    one, two = _decisions(plain), _decisions(other)
    wrong = [
        f"G1: strand {strand} decided otherwise: {_first_difference(one, two, strand)}"
        for strand in sorted(one.keys() | two.keys())
        if one.get(strand) != two.get(strand)
    ]
    demanded = {(event["query"], event["call"]) for event in plain if event["event"] == "demanded"}
    results, others = _results(plain), _results(other)
    wrong.extend(
        f"G1: {call} gave {others.get(call)} instead of {results.get(call)}"
        for call in sorted(demanded)
        if results.get(call) != others.get(call)
    )
    if _answers(plain) != _answers(other):
        wrong.append(f"G1: answers {_answers(other)} instead of {_answers(plain)}")
    return wrong


def _once(events: Events) -> list[str]:
    """G1: a result is recorded once, and a call is demanded once."""
    counts = Counter((event["event"], event["query"], event.get("call")) for event in events)
    return [
        f"G1: {call} of {query} {kind} {count} times"
        for (kind, query, call), count in counts.items()
        if kind in ("demanded", "finished") and count > 1
    ]


def bounded(events: Events, limits: Limits) -> list[str]:
    """G3: in flight at any time never above the slots; speculation never above its budget."""
    wrong = []
    running: dict[tuple[str, str], bool] = {}
    kinds: dict[tuple[str, str], str] = {}
    for event in events:
        key = (event["query"], event.get("call", ""))
        if event["event"] == "started":
            running[key] = event["speculative"]
            kinds[key] = event["kind"]
        elif event["event"] == "promoted" and key in running:
            running[key] = False
        elif event["event"] in _ENDS:
            running.pop(key, None)
        expanding = [speculative for other, speculative in running.items() if kinds[other] == "expand"]
        scoring = [speculative for other, speculative in running.items() if kinds[other] == "score"]
        if len(expanding) > limits.slots or len(scoring) > limits.reward_slots:
            wrong.append(f"G3: {len(expanding)} + {len(scoring)} in flight at {event['t']}")
        if event["event"] == "started" and event["speculative"] and sum(expanding) > limits.speculations_max:
            wrong.append(f"G3: {sum(expanding)} speculations in flight at {event['t']}")
    return wrong[:3]


def clean(events: Events, running: int) -> list[str]:
    """G3: a query's calls end before it does, nothing of it follows, and no engine is busy in the end."""
    wrong = [f"G3: the engines still run {running} requests"] if running else []
    open_calls: dict[str, set[str]] = defaultdict(set)
    over: set[str] = set()
    for event in events:
        query = event["query"]
        if query in over:
            wrong.append(f"G3: {event['event']} of {query} after its end")
        if event["event"] == "started":
            open_calls[query].add(event["call"])
        elif event["event"] in _ENDS:
            open_calls[query].discard(event["call"])
        elif event["event"] == "query_finished":
            over.add(query)
            wrong.extend(f"G3: {call} of {query} never ended" for call in sorted(open_calls[query]))
    started = {event["query"] for event in events if event["event"] == "query_started"}
    wrong.extend(f"liveness: {query} never ended" for query in sorted(started - over))
    return wrong


def _accounted(events: Events, generated: int) -> list[str]:
    """G4: the tokens of all calls add up to what the engine counted; every ended call has one fate."""
    tokens: dict[tuple[str, str], int] = {}
    for event in events:
        if event["event"] in _ENDS and event["kind"] == "expand":
            tokens[event["query"], event["call"]] = event.get("tokens") or 0
    total = sum(tokens.values())
    return [] if total == generated else [f"G4: the trace has {total} tokens, the engine counted {generated}"]


def _never_in_the_way(events: Events, limits: Limits) -> list[str]:
    """G2: a demanded call that could run waits for other demanded calls, or for one cancellation delay."""
    if not limits.aborts_work:
        return []
    delay = limits.cancel_delay_seconds
    late = late_admissions(events, "expand", limits.slots, delay, delay)
    return (late + late_admissions(events, "score", limits.reward_slots, 0.0, delay))[:3]


def _decisions(events: Events) -> dict[tuple[str, int], list[tuple[str, ...]]]:
    found: dict[tuple[str, int], list[tuple[str, ...]]] = defaultdict(list)
    for event in events:
        if event["event"] == "decided":
            found[event["query"], event["strand"]].append(tuple(event["calls"]))
    return found


def _results(events: Events) -> dict[tuple[str, str], str]:
    return {(event["query"], event["call"]): event["digest"] for event in events if event["event"] == "finished"}


def _answers(events: Events) -> dict[str, tuple[str | None, str | None]]:
    return {
        event["query"]: (event.get("answer"), event.get("reason"))
        for event in events
        if event["event"] == "query_finished"
    }


def _first_difference(
    one: Mapping[tuple[str, int], list[tuple[str, ...]]],
    two: Mapping[tuple[str, int], list[tuple[str, ...]]],
    strand: tuple[str, int],
) -> str:
    mine, theirs = one.get(strand, []), two.get(strand, [])
    for number, (left, right) in enumerate(zip(mine, theirs, strict=False)):
        if left != right:
            return f"decision {number}: {right} instead of {left}"
    return f"{len(theirs)} decisions instead of {len(mine)}"
