"""What a lane learns of its engine: each kind of prompt by itself, and ℓ(b) without the seconds of prompts."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from spex.control.job import Job
from spex.control.lessons import Lessons
from spex.engine.base import Capabilities, Progress
from spex.ids import ROOT, Call, Expand, Score, child
from spex.profile import Affine

FLAT = Affine(0.010, 0.0)
KNOWN = Capabilities(curve=FLAT, prefill_seconds=0.001)
BEHIND = child(Expand(ROOT))


async def nothing(progress: Progress) -> Any:
    await asyncio.sleep(0)


def job_of(call: Call) -> Job:
    return Job(call, None, nothing)  # type: ignore[arg-type]  # nobody's


def taught(lessons: Lessons, call: Call, seconds: float, **cost: int) -> float:
    """A job is started and ends, alone; for how long it was thought to hold up the others."""
    job = job_of(call)
    stalled = lessons.started(job, KNOWN)
    job.progress.spend(**cost)
    expected_tokens = (seconds - stalled) * lessons.profile.level / lessons.profile.itl_seconds(1)
    lessons.ended(job, seconds, seconds, expected_tokens, KNOWN.prefill_seconds)
    return stalled


def test_a_call_of_no_nodes_stands_at_the_root() -> None:
    assert job_of(Score(())).depth == 0
    assert job_of(Score((ROOT, BEHIND))).depth == 1
    assert job_of(Expand(BEHIND)).depth == 1


def test_a_prompt_holds_up_the_others_for_as_long_as_those_of_its_kind_did() -> None:
    lessons = Lessons(KNOWN, serves_text=True)
    assert taught(lessons, Expand(ROOT), 0.6, generated=20, prompt_uncached=400) == 0.0
    assert taught(lessons, Expand(BEHIND), 0.21, generated=20, prompt_uncached=10) == 0.0
    assert taught(lessons, Score((BEHIND,)), 0.3, reward=300) == 0.0
    told = [lessons.started(job_of(call), KNOWN) for call in (Expand(ROOT), Expand(BEHIND), Score((BEHIND,)))]
    assert told == pytest.approx([0.4, 0.01, 0.3])
    assert lessons.prompt_seconds(KNOWN) == pytest.approx(0.01 / lessons.lengths.mean)


def test_a_prompt_that_is_as_expected_teaches_the_pace_of_what_is_written() -> None:
    lessons = Lessons(KNOWN, serves_text=True)
    for _ in range(20):
        taught(lessons, Expand(BEHIND), 0.3, generated=20, prompt_uncached=100)
    assert lessons.profile.itl_seconds(1) == pytest.approx(0.010)
    assert lessons.profile.observations == 19


def test_a_prompt_that_is_longer_than_expected_is_no_slower_pace() -> None:
    lessons = Lessons(KNOWN, serves_text=True)
    taught(lessons, Expand(BEHIND), 0.21, generated=20, prompt_uncached=10)
    taught(lessons, Expand(BEHIND), 0.7, generated=20, prompt_uncached=500)
    assert lessons.profile.itl_seconds(1) == pytest.approx(0.010, rel=0.1)


def test_scores_alone_take_the_seconds_of_their_prompts() -> None:
    """A reward's ℓ(b) is how long a score takes: its prompt is the work."""
    lessons = Lessons(KNOWN, serves_text=False)
    for _ in range(200):
        taught(lessons, Score((BEHIND,)), 0.3, reward=300)
    assert lessons.profile.itl_seconds(1) == pytest.approx(0.3, rel=0.1)
    assert lessons.lengths.mean == 1.0
