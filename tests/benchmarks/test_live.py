"""Plain and speculative searches on an engine, in turns."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.live import SEARCHES, main, measured, problems, virtual, whole
from benchmarks.live_rows import Row, Side, Virtual, entries
from spex.control.clock import run_virtual
from spex.engine.base import Completion, Engine, Generation
from spex.engine.function import FunctionPolicy
from spex.engine.kv_pool import KvPool
from spex.engine.measured import EngineProfile
from spex.engine.probe import probe
from spex.engine.simulated import SimulatedPolicy, SimulatedReward
from spex.errors import EngineError, Unreachable
from spex.profile import Affine
from spex.reward.confidence import Confidence


def told(latencies: list[float], **more: int) -> Side:
    figures = {"tokens_useful": 100, "tokens_wasted": 0, "prompt_cached": 30, "prompt_uncached": 10, "correct": 1}
    return Side(latencies, **(figures | more))


def test_a_row_has_the_ratio_of_the_mean_latencies_with_its_interval_and_what_speculation_cost() -> None:
    speculative = told([1.0, 1.0], tokens_wasted=25, prompt_cached=10)
    row = Row("p", "r", "mcts", 4, told([2.0, 4.0]), speculative, Virtual([1.8, 3.6], [0.5, 0.4], 0.1))
    lead = ["mcts", "4", "2", "3.0", "1.0", "3.00 [2.00, 4.00]"]
    assert entries(row) == [*lead, "6.00", "80%", "90%", "0.25", "75% / 50%", "1 / 1"]


CURVE = Affine(0.010, 0.002)


def judge() -> SimulatedReward:
    return SimulatedReward(lambda request: tuple(request.seed % 7 / 7 for _ in request.paths), Affine(0.050, 0.0))


def answered(request: Generation) -> Completion:
    tokens = 5 + request.seed % 20
    last = request.seed % 3 == 0
    text = "1 + 1 = 2\nAnswer: 2" if last else "1 + 1 = 2\n"
    return Completion(text, tuple(range(1000, 1000 + tokens)), None, "eos" if last else "delimiter")


def speak(prompt: str, seed: int) -> tuple[str, float]:
    return f"{prompt.count(chr(10))} + {seed % 3} = 3\nAnswer: {seed % 3}", -0.5


def simulated(write: Callable[[Generation], Completion] = answered) -> SimulatedPolicy:
    return SimulatedPolicy(write, CURVE, prefill_seconds=0.00001, cache=KvPool(10**9))


def written(request: Generation) -> Completion:
    return Completion("x" * 40, tuple(range(request.tokens_max)), None, "length")


PROFILE = run_virtual(probe(simulated(written)))


def test_queries_are_made_up_to_whole_groups_so_that_as_many_as_are_told_run_at_once() -> None:
    assert [whole(5, concurrency) for concurrency in (1, 4, 8)] == [5, 8, 8]


@pytest.mark.parametrize("more", [["--queries", "9"], ["--queries", "0"], ["--concurrency", "0"]])
def test_problems_that_are_not_there_are_refused_before_anything_is_asked(
    more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--policy", "vllm:http://127.0.0.1:9", *more])
    assert "error: " in capsys.readouterr().err


@pytest.mark.parametrize("search", SEARCHES)
def test_both_ways_search_every_problem_once(search: str) -> None:
    plain, speculative, again = run_virtual(measured(simulated(), judge(), search, 2, problems(3), PROFILE))
    assert len(plain.latencies_seconds) == len(speculative.latencies_seconds) == 3
    assert [len(group) for group in again.groups] == [2, 1]
    assert plain.tokens_useful == speculative.tokens_useful > 0
    assert plain.tokens_wasted == 0


def test_the_virtual_clock_tells_what_an_engine_of_known_pace_takes() -> None:
    plain, _, again = run_virtual(measured(simulated(), judge(), "rebase", 1, problems(2), PROFILE))
    found = virtual(again)
    assert found.plain_seconds == pytest.approx(plain.latencies_seconds, rel=0.02)
    assert sum(found.clairvoyant_seconds) < sum(found.plain_seconds)
    assert found.reward_seconds == pytest.approx(0.050)
    assert plain.score_seconds == pytest.approx(0.050)


def test_the_virtual_clock_reads_no_prompt_again_that_a_server_has() -> None:
    _, _, again = run_virtual(measured(simulated(), judge(), "rebase", 1, problems(1), PROFILE))
    free, dear = (virtual(replace(again, pace=replace(again.pace, prefill_seconds=cost))) for cost in (0.0, 0.001))
    assert dear.plain_seconds[0] - free.plain_seconds[0] < 0.5  # 16 readings of the problem's prompt take many seconds


def test_caches_are_emptied_and_prompts_read_before_each_way_of_each_group(monkeypatch: pytest.MonkeyPatch) -> None:
    happened: list[str] = []

    async def emptied(addresses: list[str]) -> None:
        happened.append(*addresses)

    def write(request: Generation) -> Completion:
        happened.append("read" if request.tokens_max == 1 else "searched")
        return answered(request)

    monkeypatch.setattr("benchmarks.live.emptied", emptied)
    run_virtual(measured(simulated(write), judge(), "rebase", 2, problems(3), PROFILE, ["there"]))
    turns = [name for before, name in zip(["", *happened], happened, strict=False) if name != before]
    assert turns == ["there", "read", "searched"] * 4
    assert happened.count("read") == 6


def answering(profile: EngineProfile) -> Callable[[Engine], Awaitable[EngineProfile]]:
    async def answer(engine: Engine) -> EngineProfile:
        return profile

    return answer


def test_a_search_that_fails_is_no_figure() -> None:
    def away(prompt: str, seed: int) -> str:
        raise Unreachable("engine", "away")

    with pytest.raises(EngineError, match="away"):
        asyncio.run(measured(FunctionPolicy(away), Confidence(), "rebase", 1, problems(1), PROFILE))


def test_the_rows_are_printed_and_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("benchmarks.live.find_engine", lambda name: FunctionPolicy(speak))
    monkeypatch.setattr("benchmarks.live.probe", answering(PROFILE))
    file = tmp_path / "rows.json"
    asked = ["--policy", "function", "--reward", "confidence", "--search", "rebase", "--concurrency", "1"]
    for _ in range(2):
        main([*asked, "--queries", "2", "--out", str(file)])
    assert capsys.readouterr().out.splitlines()[-1].startswith("| rebase | 1 | 2 | ")
    assert [[row["search"] for row in run["rows"]] for run in json.loads(file.read_text())] == [["rebase"], ["rebase"]]
