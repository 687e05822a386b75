"""Caches that are emptied between two runs, and prefixes that are found again in blocks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial

import httpx2
import pytest

from benchmarks import live_engines
from benchmarks.live_caches import NotEmptied, emptied
from benchmarks.live_clairvoyant import Blocks, Watch, pace_of
from spex.control.clock import run_virtual
from spex.engine.kv_pool import KvPool
from spex.engine.measured import EngineProfile, Itl, MeasuredPoint
from spex.prompt import Prompt
from tests.engine.listening import listening

ADDRESS = "http://127.0.0.1:1/reset_prefix_cache"


def served(monkeypatch: pytest.MonkeyPatch, answer: Callable[[int], httpx2.Response]) -> list[str]:
    """What is asked of a server that answers so, by how often it was asked before."""
    asked: list[str] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        asked.append(f"{request.method} {request.url}")
        return answer(len(asked) - 1)

    client = partial(httpx2.AsyncClient, transport=httpx2.MockTransport(handle))
    monkeypatch.setattr("benchmarks.live_caches.httpx2.AsyncClient", client)
    return asked


def test_a_server_is_asked_until_it_has_emptied_its_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [httpx2.Response(400, text="a request runs"), httpx2.Response(200, json={"success": False})]
    asked = served(monkeypatch, lambda before: [*answers, httpx2.Response(200, json={"success": True})][before])
    run_virtual(emptied([ADDRESS]))
    assert asked == [f"POST {ADDRESS}"] * 3


def test_a_server_that_never_does_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    served(monkeypatch, lambda before: httpx2.Response(404, text=f"no such path {before}"))
    with pytest.raises(NotEmptied, match=f"{ADDRESS}: its cache is not emptied: 404 'no such path"):
        run_virtual(emptied([ADDRESS]))


def test_a_server_that_is_gone_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(before: int) -> httpx2.Response:
        raise httpx2.ConnectError("refused")

    served(monkeypatch, gone)
    with pytest.raises(NotEmptied, match=f"{ADDRESS}: ConnectError, look in the server's log"):
        run_virtual(emptied([ADDRESS]))


def test_no_proxy_stands_between_this_machine_and_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    for variable in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(variable, raising=False)

    async def emptying(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    async def main() -> None:
        async with listening(emptying) as url, asyncio.timeout(10.0):
            await emptied([f"{url}/flush_cache"])

    asyncio.run(main())


def test_a_cache_that_is_not_emptied_ends_the_benchmark_with_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def never(kind: str, folder: object, more: object) -> None:
        raise NotEmptied(f"{ADDRESS}: its cache is not emptied: 400 'a request runs'")

    monkeypatch.setattr(live_engines, "measured", never)
    monkeypatch.setattr(live_engines, "nothing_left", nullcontext)
    assert live_engines.main(["vllm", "--folder", ".engines"]) == 3
    assert capsys.readouterr().err == f"engines: {ADDRESS}: its cache is not emptied: 400 'a request runs'\n"


@pytest.mark.parametrize(("at_once", "slots"), [(None, 64), (8, 8), (100, 64)])
def test_no_more_run_at_once_on_the_virtual_clock_than_were_seen_to(at_once: int | None, slots: int) -> None:
    itl = Itl([MeasuredPoint(1, 0.05)], None, at_once)
    profile = EngineProfile(
        engine="vllm:x",
        version="",
        model="",
        slots=64,
        context_tokens=None,
        log_probabilities=True,
        load_before=None,
        seconds=1.0,
        itl=itl,
    )
    assert pace_of(profile, Watch()).slots == slots


def test_a_prefix_is_found_again_in_whole_blocks() -> None:
    cache = Blocks(KvPool(10**6), 16)
    root = Prompt([tuple(range(40))])
    assert cache.hold(root, (), 8).uncached == 40
    again = cache.hold(root, (), 8)
    assert (again.cached, again.uncached) == (32, 8)
