"""What has been said of contents is said again, and is not asked for again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from spex.reward.memory import Memory


class Teller:
    """Says another number each time that it is asked, when it is let."""

    def __init__(self) -> None:
        self.asked = 0

    async def tell(self) -> int:
        self.asked += 1
        return self.asked

    def behind(self, gate: asyncio.Event) -> Callable[[], Awaitable[int]]:
        async def tell() -> int:
            number = await self.tell()
            await gate.wait()
            return number

        return tell


def test_equal_questions_are_asked_once_and_others_apart() -> None:
    async def main() -> None:
        memory: Memory[str, int] = Memory()
        teller = Teller()
        said = [await memory.said(name, teller.tell) for name in ("a", "b", "a", "b")]
        assert said == [1, 2, 1, 2]
        assert teller.asked == 2

    asyncio.run(main())


def test_an_answer_that_looks_like_nothing_is_kept_too() -> None:
    async def main() -> None:
        memory: Memory[str, float] = Memory()

        async def nothing() -> float:
            return 0.0

        async def more() -> float:
            return 1.0

        assert [await memory.said("a", nothing), await memory.said("a", more)] == [0.0, 0.0]

    asyncio.run(main())


def test_of_two_equal_questions_at_once_what_was_said_first_stays_for_both() -> None:
    async def main() -> None:
        memory: Memory[str, int] = Memory()
        teller, early, late = Teller(), asyncio.Event(), asyncio.Event()
        first = asyncio.ensure_future(memory.said("a", teller.behind(late)))
        second = asyncio.ensure_future(memory.said("a", teller.behind(early)))
        await asyncio.sleep(0)
        early.set()
        assert await second == 2
        late.set()
        assert await first == 2
        assert await memory.said("a", teller.tell) == 2

    asyncio.run(main())


def test_what_failed_is_asked_again() -> None:
    async def main() -> None:
        memory: Memory[str, int] = Memory()

        async def fail() -> int:
            raise RuntimeError("no")

        with pytest.raises(RuntimeError, match="no"):
            await memory.said("a", fail)
        assert await memory.said("a", Teller().tell) == 1

    asyncio.run(main())


def test_only_so_many_are_kept_and_the_oldest_go_first() -> None:
    async def main() -> None:
        memory: Memory[int, int] = Memory(2)
        teller = Teller()
        for name in (1, 2, 3):
            await memory.said(name, teller.tell)
        assert [await memory.said(name, teller.tell) for name in (3, 2, 1)] == [3, 2, 4]

    asyncio.run(main())


def test_nothing_is_known_of_before_it_forgot_not_even_what_was_asked_for_then() -> None:
    async def main() -> None:
        memory: Memory[str, int] = Memory()
        teller, gate = Teller(), asyncio.Event()
        old = asyncio.ensure_future(memory.said("a", teller.behind(gate)))
        await asyncio.sleep(0)
        memory.forget()
        gate.set()
        assert await old == 1
        assert await memory.said("a", teller.tell) == 2

    asyncio.run(main())
