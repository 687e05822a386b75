"""Priorities: demanded calls before speculative ones, by the order of each server's own queue."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from spex.engine.base import Labelling, Progress
from spex.engine.hints import Hints, sglang_hints, vllm_hints
from tests.engine import test_sglang, test_vllm

INT64_MIN, INT64_MAX = -(1 << 63), (1 << 63) - 1
PREEMPTS_FROM = 11


def sorting(usual: int | None = None, *, low_first: bool = False, retains: bool = False) -> Hints:
    return sglang_hints(orders=True, low_first=low_first, usual=usual, retains=retains, refuses=False)


@pytest.mark.parametrize("usual", [None, 0, 7, -7, INT64_MIN, INT64_MAX])
@pytest.mark.parametrize("low_first", [False, True])
def test_sglang_has_the_demanded_first_whichever_way_it_sorts_and_nobody_is_stopped(
    usual: int | None, low_first: bool
) -> None:
    hints = sorting(usual, low_first=low_first)
    assert hints.demanded is not None
    assert hints.speculative is not None
    ahead = (hints.demanded - hints.speculative) * (-1 if low_first else 1)
    assert 0 < ahead < PREEMPTS_FROM
    assert all(INT64_MIN <= value <= INT64_MAX for value in (hints.demanded, hints.speculative))


@pytest.mark.parametrize("low_first", [False, True])
def test_a_speculation_never_comes_before_who_says_nothing(low_first: bool) -> None:
    last = INT64_MAX if low_first else INT64_MIN
    assert sorting(low_first=low_first).speculative == last
    assert sorting(5, low_first=low_first) == Hints(5, 6 if low_first else 4, orders=True)


def test_vllm_has_the_smaller_first_and_who_says_nothing_is_0() -> None:
    assert vllm_hints(orders=True) == Hints(0, 1, orders=True)
    assert vllm_hints(orders=False) == Hints()


def test_what_sorts_by_nothing_may_still_evict_by_it() -> None:
    def evicting(*, refuses: bool) -> Hints:
        return sglang_hints(orders=False, low_first=False, usual=None, retains=True, refuses=refuses)

    assert evicting(refuses=False) == Hints(0, -1, retains=True)
    assert evicting(refuses=True) == Hints()


def test_where_smaller_numbers_are_served_first_and_evicted_first_nothing_is_retained() -> None:
    assert sorting(0, retains=True).retains
    assert not sorting(0, low_first=True, retains=True).retains


async def asked_of_sglang(info: dict[str, Any]) -> tuple[list[Any], tuple[bool, bool]]:
    """The priorities of a demanded and a speculative text, and of a demanded and a speculative label."""
    server = test_sglang.Server({**test_sglang.INFO, **info})
    async with test_sglang.engine_of(server) as engine:
        for demanded in (True, False):
            await engine.generate(test_sglang.request(), Progress(demanded=demanded))
        for demanded in (True, False):
            await engine.label(Labelling("k", test_sglang.PROMPT, (4,)), Progress(demanded=demanded))
        can = engine.capabilities
        return [body.get("priority") for body in server.asked], (can.priority, can.retain)


@pytest.mark.parametrize(
    ("info", "priorities", "can"),
    [
        ({}, [None] * 4, (False, False)),
        ({"default_priority_value": 3}, [None] * 4, (False, False)),
        ({"enable_priority_scheduling": True, "default_priority_value": 3}, [3, 2, 3, 2], (True, False)),
        (
            {
                "enable_priority_scheduling": True,
                "default_priority_value": 3,
                "schedule_low_priority_values_first": True,
            },
            [3, 4, 3, 4],
            (True, False),
        ),
        ({"radix_eviction_policy": "priority"}, [0, -1, 0, -1], (False, True)),
        (
            {"radix_eviction_policy": "priority", "abort_on_priority_when_disabled": True},
            [None] * 4,
            (False, False),
        ),
    ],
)
def test_an_sglang_server_is_told_priorities_as_it_sorts(
    info: dict[str, Any], priorities: list[Any], can: tuple[bool, bool]
) -> None:
    assert asyncio.run(asked_of_sglang(info)) == (priorities, can)


@pytest.mark.parametrize(("policy", "priorities"), [("priority", [0, 1, 0, 1]), ("fcfs", [None] * 4)])
def test_a_vllm_server_is_told_priorities_where_it_sorts_by_them(policy: str, priorities: list[Any]) -> None:
    async def main() -> None:
        server = test_vllm.Server()
        server.settings = test_vllm.settings("scheduler_config", policy=policy)
        async with test_vllm.engine_of(server) as engine:
            before = len(server.asked)
            for demanded in (True, False):
                await engine.generate(test_vllm.request(), Progress(demanded=demanded))
            for demanded in (True, False):
                await engine.label(Labelling("k", test_vllm.PROMPT, (4,)), Progress(demanded=demanded))
            assert [body.get("priority") for body in server.asked[before:]] == priorities
            assert engine.capabilities.priority == (policy == "priority")

    asyncio.run(main())


def test_a_vllm_server_that_does_not_tell_how_it_sorts_is_told_none() -> None:
    async def main() -> None:
        server = test_vllm.Server()
        server.settings = None
        async with test_vllm.engine_of(server) as engine:
            await engine.generate(test_vllm.request(), Progress(demanded=False))
            assert "priority" not in server.asked[-1]
            assert not engine.capabilities.priority

    asyncio.run(main())
