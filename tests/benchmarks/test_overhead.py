"""The benchmark of the controller's own CPU time: what its files hold, and that its parts add up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.growth import CASES, growth
from benchmarks.listening import Stopwatch, TimedMarket, TimedRule
from benchmarks.overhead import SEARCHES, Bench, ahead_cost, cpu_seconds, main, plain_cost, tables, too_slow
from spex.control.clock import run_virtual
from spex.control.setup import Speculation
from spex.search.catalog import build_search
from spex.sim.simulate import same_trees


def bench() -> Bench:
    return Bench(build_search(*SEARCHES["rebase-16"]), 2, 2)


def test_an_event_is_a_finished_call_and_the_engines_get_the_same_requests() -> None:
    load = bench()
    asked = load.listen()
    run = load.run(None)
    calls = sum(len(solution.tree.expansions) + len(solution.tree.scores) for solution in run.solutions)
    assert len(asked) == calls
    assert [one.at_seconds for one in asked] == sorted(one.at_seconds for one in asked)
    assert run_virtual(load.drive(asked)) is None


def test_of_a_run_the_engines_share_and_the_controllers_are_told() -> None:
    row = plain_cost(1, 2, repetitions=1)
    parts = row["engines_microseconds_per_event"] + row["controller_microseconds_per_event"]
    assert row["run_microseconds_per_event"] == pytest.approx(parts)
    assert row["engines_microseconds_per_event"] > 0.0


def test_a_timed_speculation_does_what_an_untimed_one_does() -> None:
    rule, market = TimedRule(), TimedMarket()
    timed, own = bench().run(Speculation(rule=rule, market=market)), bench().run(Speculation())
    assert same_trees(timed, own)
    assert timed.seconds == own.seconds
    assert rule.foreseeing.calls > 0 < rule.learning.calls
    assert market.watch.calls > 0


def test_a_stopwatch_counts_what_raises_too() -> None:
    watch = Stopwatch()
    with pytest.raises(ZeroDivisionError):
        watch.time(lambda: 1 / 0)
    assert watch.calls == 1
    assert watch.seconds >= 0.0


def test_looking_ahead_is_told_by_pass_and_as_a_share_of_an_iteration() -> None:
    row = ahead_cost("rebase-16", 1, 1)
    assert row["passes"] > 0
    assert 0.0 < row["share_of_iteration"] < row["everything_share_of_iteration"]
    assert row["itl_seconds"] > 0.010


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.name))
def test_growth_is_told_for_each_size_with_the_calls_that_were_made(case: object) -> None:
    chosen = next(one for one in CASES if one is case)
    rows = growth(chosen, 0.004, cpu_seconds)
    assert [row["size"] for row in rows] == [max(2, round(size * 0.004)) for size in chosen.sizes]
    for row in rows:
        assert row["calls"] >= row["size"]
        assert row["microseconds_per_call"] == pytest.approx(row["cpu_seconds"] / row["calls"] * 1e6)


def test_both_files_begin_with_the_command(tmp_path: Path) -> None:
    main(["--only", "plain", "--factor", "0.01", "--at-once-max", "1", "--out", str(tmp_path)])
    for name in ("overhead.json", "overhead.md"):
        first = (tmp_path / name).read_text().splitlines()[0]
        assert "python -m benchmarks.overhead --only plain --factor 0.01" in first
    told = json.loads((tmp_path / "overhead.json").read_text())
    assert [row["concurrency"] for row in told["plain"]] == [1]
    assert "| 1 |" in tables("a command", {"plain": told["plain"]})


def test_a_missed_aim_is_named() -> None:
    plain = [{"concurrency": 4, "controller_microseconds_per_event": 151.0}]
    ahead = [{"search": "mcts-32", "concurrency": 1, "share_of_iteration": 0.2}]
    assert too_slow({"plain": plain, "ahead": ahead}) == ["4 at once: 151 µs an event", "mcts-32, 1 at once: 20%"]
    told = tables("a command", {"plain": plain, "ahead": ahead}).splitlines()[-1]
    assert told.endswith("Missed: 4 at once: 151 µs an event; mcts-32, 1 at once: 20%.")
    met = {"plain": [{**plain[0], "controller_microseconds_per_event": 149.0}]}
    assert too_slow(met) == []
    assert tables("a command", met).splitlines()[-1].endswith("Missed: none.")
