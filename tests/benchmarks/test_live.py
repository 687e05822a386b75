"""Plain and speculative searches on an engine, in turns."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from benchmarks.live import Row, Side, entries, main, measured, problems
from spex.engine.function import FunctionPolicy
from spex.errors import EngineError, Unreachable
from spex.reward.confidence import Confidence


def told(latencies: list[float], **more: int) -> Side:
    figures = {"tokens_useful": 100, "tokens_wasted": 0, "prompt_cached": 30, "prompt_uncached": 10, "correct": 1}
    return Side(latencies, **(figures | more))


def test_a_row_has_the_ratio_of_the_mean_latencies_with_its_interval_and_what_speculation_cost() -> None:
    row = Row("p", "r", "mcts", 4, told([2.0, 4.0]), told([1.0, 1.0], tokens_wasted=25, prompt_cached=10))
    assert entries(row) == ["mcts", "4", "2", "3.0", "1.0", "3.00 [2.00, 4.00]", "0.25", "75% / 50%"]


def speak(prompt: str, seed: int) -> tuple[str, float]:
    return f"{prompt.count(chr(10))} + {seed % 3} = 3\nAnswer: {seed % 3}", -0.5


def test_both_ways_search_every_problem_once() -> None:
    engine = FunctionPolicy(speak)
    plain, speculative = asyncio.run(measured(engine, Confidence(), "rebase", 2, problems(3)))
    assert len(plain.latencies_seconds) == len(speculative.latencies_seconds) == 3
    assert plain.tokens_useful == speculative.tokens_useful > 0
    assert plain.tokens_wasted == 0


def test_a_search_that_fails_is_no_figure() -> None:
    def away(prompt: str, seed: int) -> str:
        raise Unreachable("engine", "away")

    with pytest.raises(EngineError, match="away"):
        asyncio.run(measured(FunctionPolicy(away), Confidence(), "rebase", 1, problems(1)))


def test_the_rows_are_printed_and_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("benchmarks.live.find_engine", lambda name: FunctionPolicy(speak))
    file = tmp_path / "rows.json"
    asked = ["--policy", "function", "--reward", "confidence", "--search", "rebase", "--concurrency", "1"]
    main([*asked, "--queries", "2", "--out", str(file)])
    assert capsys.readouterr().out.splitlines()[-1].startswith("| rebase | 1 | 2 | ")
    assert [row["search"] for row in json.loads(file.read_text())] == ["rebase"]
