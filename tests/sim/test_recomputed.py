"""The figures of `spex simulate --json`, computed again from its traces and nothing else.

What an engine is comes from the workload's name, as a reader of the documents would know it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from spex.cli.main import main

ITL_SECONDS: dict[str, Callable[[float], float]] = {"reference": lambda running: 0.010 + 0.00008 * running}
SCORE_SECONDS = {"reference": 0.040}
ARGUMENTS = {
    "closed": (
        "--search",
        "rebase",
        "--set",
        "width=4",
        "--set",
        "depth_max=5",
        "--queries",
        "9",
        "--concurrency",
        "2",
    ),
    "open": ("--search", "mcts", "--set", "iterations=4", "--queries", "3", "--arrivals", "poisson:0.2"),
    "strands": (
        "--search",
        "dvts",
        "--set",
        "width=4",
        "--set",
        "children=2",
        "--queries",
        "4",
        "--set",
        "depth_max=4",
    ),
}


@dataclass
class Call:
    """What a trace says of one call."""

    kind: str
    parent: str | None
    demanded_at: float | None = None
    started_at: float | None = None
    speculative: bool = False
    tokens: int = 0
    digest: str | None = None


@dataclass
class Traced:
    """A trace, read."""

    run: dict[str, Any]
    began: dict[str, float] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)
    calls: dict[tuple[str, str], Call] = field(default_factory=dict)

    @property
    def latencies(self) -> list[float]:
        return [self.ended[query] - self.began[query] for query in sorted(self.began)]

    @property
    def demanded(self) -> dict[tuple[str, str], Call]:
        return {key: call for key, call in self.calls.items() if call.demanded_at is not None}


def read(path: Path) -> Traced:
    first, *lines = path.read_text().splitlines()
    traced = Traced(json.loads(first)["run"])
    for line in lines:
        event = json.loads(line)
        if event["event"] == "query_started":
            traced.began[event["query"]] = event["t"]
        elif event["event"] == "query_finished":
            traced.ended[event["query"]] = event["t"]
        elif "call" in event:
            new = Call(event["kind"], event.get("parent"))
            take(traced.calls.setdefault((event["query"], event["call"]), new), event)
    return traced


def take(call: Call, event: dict[str, Any]) -> None:
    """What one event of a call adds."""
    call.tokens = max(call.tokens, event.get("tokens", 0))
    if event["event"] == "demanded":
        call.demanded_at = event["t"]
    elif event["event"] == "started" and call.started_at is None:
        call.started_at, call.speculative = event["t"], event["speculative"]
    elif event["event"] == "finished":
        call.digest = event["digest"]


def figures_of(traced: Traced) -> dict[str, Any]:
    """Everything of one run that its record has, the count of answers and the CPU time left out."""
    calls, demanded = traced.calls.values(), traced.demanded.values()
    speculated = [call for call in calls if call.speculative]
    committed = [call for call in speculated if call.demanded_at is not None]
    won = [call.demanded_at - call.started_at for call in committed]  # type: ignore[operator]
    useful = sum(call.tokens for call in demanded)
    return {
        **latency_figures(traced.latencies),
        "makespan_seconds": max(traced.ended.values()),
        "tokens_useful": useful,
        "tokens_wasted": sum(call.tokens for call in calls) - useful,
        "tokens_lost": 0,
        "calls_demanded": len(demanded),
        "calls_speculated": len(speculated),
        "calls_committed": len(committed),
        "calls_foreseen": len(committed),
        "accuracy": len(committed) / len(speculated) if speculated else None,
        "coverage": len(committed) / len(demanded),
        "head_start_seconds_mean": sum(won) / len(won) if won else None,
        "queries": len(traced.ended),
        "partial": 0,
    }


def latency_figures(latencies: list[float]) -> dict[str, float]:
    return {
        "latency_seconds_mean": sum(latencies) / len(latencies),
        "latency_seconds_p50": quantile(latencies, 0.5),
        "latency_seconds_p99": quantile(latencies, 0.99),
    }


def quantile(values: list[float], share: float) -> float:
    ranked, place = sorted(values), share * (len(values) - 1)
    below = int(place)
    above = min(below + 1, len(ranked) - 1)
    return ranked[below] + (place - below) * (ranked[above] - ranked[below])


def latency_floors(traced: Traced) -> list[float]:
    itl = ITL_SECONDS[traced.run["workload"]](1)
    score = SCORE_SECONDS[traced.run["workload"]]
    ends = {key: tokens * itl for key, tokens in path_tokens(traced).items()}
    for (query, name), call in traced.demanded.items():
        if call.kind == "score" and call.digest is not None:
            node = name.rpartition(":")[2]
            ends[query, f"score {node}"] = ends[query, node] + score
    return [max(end for (owner, _), end in ends.items() if owner == query) for query in sorted(traced.began)]


def path_tokens(traced: Traced) -> dict[tuple[str, str], int]:
    """The tokens of each demanded node's path: a call `expand:step.0>step.3` makes `step.0/step.3`."""
    own: dict[tuple[str, str], tuple[str, int]] = {}
    for (query, name), call in traced.demanded.items():
        if call.kind == "expand" and call.digest is not None and call.parent is not None:
            edge = name.rpartition(">")[2]
            node = edge if call.parent == "root" else f"{call.parent}/{edge}"
            own[query, node] = (call.parent, call.tokens)

    def total(query: str, node: str) -> int:
        parent, tokens = own[query, node]
        return tokens + (0 if parent == "root" else total(query, parent))

    return {key: total(*key) for key in own}


def makespan_floor(traced: Traced) -> float:
    """Of an affine curve, whose best batch is the greatest: then the longest path alone bounds the iterations."""
    paths = path_tokens(traced)
    longest = [max(tokens for (owner, _), tokens in paths.items() if owner == query) for query in traced.began]
    iterations: float = max([*longest, sum(longest) / (traced.run["concurrency"] or len(longest))])
    work = sum(call.tokens for call in traced.demanded.values())
    floor: float = iterations * ITL_SECONDS[traced.run["workload"]](work / iterations)
    if traced.run["arrivals"] is None:
        return floor
    began = [traced.began[query] for query in sorted(traced.began)]
    return max([floor, *(at + least for at, least in zip(began, latency_floors(traced), strict=True))])


@pytest.fixture(params=ARGUMENTS)
def told(
    request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> tuple[dict[str, Any], Traced, Traced]:
    """What a simulation printed, and its two traces."""
    assert main(["simulate", *ARGUMENTS[request.param], "--trace", str(tmp_path / "t"), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    return record, read(tmp_path / "t.plain.jsonl"), read(tmp_path / "t.speculative.jsonl")


def test_the_printed_figures_are_those_of_the_traces(told: tuple[dict[str, Any], Traced, Traced]) -> None:
    record, plain, speculative = told
    for name, traced in (("plain", plain), ("speculative", speculative)):
        for key, value in figures_of(traced).items():
            assert record[name][key] == (value if value is None else pytest.approx(value, rel=1e-9)), (name, key)
        assert traced.run == record["run"]
    floor = {**latency_figures(latency_floors(plain)), "makespan_seconds": makespan_floor(plain)}
    assert record["floor"] == pytest.approx(floor, rel=1e-9)
    assert record["speedup"] == pytest.approx(sum(plain.latencies) / sum(speculative.latencies), rel=1e-9)
    assert record["speedup_makespan"] == pytest.approx(max(plain.ended.values()) / max(speculative.ended.values()))


def test_the_traces_prove_that_the_trees_are_the_same(told: tuple[dict[str, Any], Traced, Traced]) -> None:
    record, plain, speculative = told
    digests: Callable[[Traced], dict[tuple[str, str], str | None]] = lambda traced: {  # noqa: E731
        key: call.digest for key, call in traced.demanded.items()
    }
    assert digests(plain) == digests(speculative)
    assert record["same_tree"] is True
