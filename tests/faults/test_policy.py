"""A policy's server that breaks for one query: what that one is told, and that the others go on."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

import spex
from engines.server import free_port
from spex.usage import Tokens
from tests.engine.listening import listening
from tests.faults.runs import CLIENTS, DOOMED, OTHERS, assert_same, by_text, idle, searched, undisturbed_with, written
from tests.faults.server import Fault, Server

pytestmark = pytest.mark.usefixtures("at_once")

PASSING: dict[str, tuple[type[spex.SpexError], str]] = {
    "503": (spex.Overloaded, "(status 503): wait, or ask for less at once"),
    "429": (spex.Overloaded, "(status 429): wait, or ask for less at once"),
    "500": (spex.Unreachable, "status 500, see the server's log: "),
    "hang": (spex.TimedOut, "deadline first_token of 0.8 s ran out: look whether it hangs, or allow more"),
    "silent": (spex.TimedOut, "deadline token_gap of 0.8 s ran out: look whether it hangs, or allow more"),
    "trickle": (spex.TimedOut, "deadline first_token of 0.8 s ran out: look whether it hangs, or allow more"),
    "closed": (spex.Unreachable, "look in the server's log whether it died"),
    "not HTTP": (spex.Unreachable, "look in the server's log whether it died"),
    "cut": (spex.Unreachable, "ended before its text did: look in the server's log"),
    "reset": (spex.Unreachable, "look in the server's log whether it died"),
    "aborted": (spex.Unreachable, "not by us: see who else stops requests at this server"),
}
"""What may pass, and is tried again: by its name, what a query that it never passes for ends with."""

LASTING: dict[str, tuple[type[spex.SpexError], str]] = {
    "garbage": (spex.Misbehaving, "expected JSON"),
    "page": (spex.Misbehaving, "no web page (is something else at this address, or a proxy before it?)"),
    "nan": (spex.Misbehaving, "expected JSON"),
}
"""What no further attempt would mend."""


def named(faults: dict[str, tuple[type[spex.SpexError], str]]) -> list[object]:
    return [pytest.param(name, *told, id=name) for name, told in faults.items()]


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(("fault", "error", "told"), named(PASSING | LASTING))
def test_a_fault_ends_the_query_that_meets_it_and_no_other_and_nothing_is_left_running_or_lost(
    client: str, fault: str, error: type[spex.SpexError], told: str, tmp_path: Path
) -> None:
    undisturbed = undisturbed_with(client)

    async def main() -> None:
        server = Server()
        async with listening(server.serve) as url:
            server.faults = [Fault(fault, DOOMED)]
            engine = CLIENTS[client](url)
            found = await searched(engine, by_text(), tmp_path / "log", spex.Speculation())
            await idle(server)
            doomed = found.solutions[1]
            assert type(doomed.error) is error
            assert told in str(doomed.error)
            assert doomed.partial == str(doomed.error)
            assert_same(found, undisturbed, OTHERS)
            assert engine.counters() == (0, found.usage.paid)
            server.faults = []
            again = await searched(CLIENTS[client](url), by_text(), tmp_path / "log")
            assert_same(again, undisturbed)
            assert [again.solutions[number].usage.paid for number in OTHERS] == [Tokens()] * 2
            assert again.solutions[1].usage.replayed.generated >= written(doomed)

    asyncio.run(main())


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("fault", PASSING)
def test_a_fault_that_passes_changes_no_tree(client: str, fault: str) -> None:
    undisturbed = undisturbed_with(client)

    async def main() -> None:
        server = Server()
        async with listening(server.serve) as url:
            server.faults = [Fault(fault, "apples", times=1)]
            engine = CLIENTS[client](url)
            found = await searched(engine, by_text(), speculation=spex.Speculation())
            await idle(server)
            assert_same(found, undisturbed)
            assert engine.counters() == (0, found.usage.paid)

    asyncio.run(main())


@pytest.mark.parametrize("client", CLIENTS)
def test_a_server_that_is_full_when_it_is_opened_is_waited_for(client: str) -> None:
    undisturbed = undisturbed_with(client)

    async def main() -> None:
        server = Server()
        async with listening(server.serve) as url:
            server.full_times = 1
            assert_same(await searched(CLIENTS[client](url), by_text()), undisturbed)

    asyncio.run(main())


@pytest.mark.parametrize("client", CLIENTS)
def test_a_server_that_ignores_aborts_holds_nobody_up(client: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spex.engine.sglang_abort._ABORT_SECONDS", 0.2)

    async def main() -> None:
        server = Server(piece_seconds=0.1)
        server.ignores_aborts = True
        async with listening(server.serve) as url:
            engine = CLIENTS[client](url)
            stop = asyncio.Event()
            running = asyncio.ensure_future(searched(engine, by_text(), speculation=spex.Speculation(), stop=stop))
            while server.running < 3:  # noqa: ASYNC110  # a server on a real clock
                await asyncio.sleep(0.01)
            stop.set()
            found = await running
            assert [solution.partial for solution in found.solutions] == ["interrupted"] * 3
            assert engine.counters() == (0, found.usage.paid)
            await idle(server)
            assert server.ignored >= 3

    asyncio.run(main())


@pytest.mark.parametrize(
    ("client", "place", "told"),
    [
        ("sglang", "/elsewhere", "it is another kind of server, or another model"),
        ("vllm", "/elsewhere", "it is another kind of server, or another model"),
        ("openai", "/elsewhere", "it is another kind of server, or another model"),
        ("openai-chat", "/elsewhere", "it is another kind of server, or another model"),
        ("llamacpp-server", "/elsewhere", "it is another kind of server, or another model"),
        ("llamacpp-server", "#large", "a server of llama.cpp has one model: leave out what follows #"),
        ("vllm", "#large", "it does not serve 'large'; its models: small"),
        ("sglang", "#large", "an SGLang server has one model: leave out what follows #"),
        ("openai", "#large", "large"),
    ],
)
def test_a_wrong_address_or_model_is_refused_before_any_work(client: str, place: str, told: str) -> None:
    async def main() -> None:
        server = Server()
        async with listening(server.serve) as url:
            with pytest.raises(spex.InputError, match=re.escape(told)):
                await searched(CLIENTS[client](url + place), by_text())
            assert not [work for work in server.begun if "apples" in work.prompt]
            await idle(server)

    asyncio.run(main())


@pytest.mark.parametrize("client", CLIENTS)
def test_where_nothing_listens_nothing_begins(client: str) -> None:
    async def main() -> None:
        with pytest.raises(spex.Unreachable, match="start it, or correct the address"):
            await searched(CLIENTS[client](f"http://127.0.0.1:{free_port()}"), by_text())

    asyncio.run(main())
