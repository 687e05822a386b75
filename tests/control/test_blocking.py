"""Coroutines run to their ends by who cannot await them."""

from __future__ import annotations

import asyncio

import pytest

from spex.control.blocking import complete


async def failing() -> None:
    raise ValueError("of its own")


def test_an_error_comes_alone_and_not_behind_one_of_ours() -> None:
    with pytest.raises(ValueError, match="of its own") as caught:
        complete(failing())
    assert (caught.value.__context__, caught.value.__cause__) == (None, None)


def test_within_a_running_loop_it_has_a_thread_of_its_own() -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match="of its own"):
            complete(failing())

    asyncio.run(main())
