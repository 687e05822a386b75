"""Whatever a server does, it comes out as one of the errors that say what to do."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from itertools import count

import httpx2
import pytest

from spex.engine.faults import connection_fault
from spex.engine.http import Deadlines, Http, checked_url, is_loopback
from spex.errors import InputError, Misbehaving, Overloaded, SpexError, TimedOut, Unreachable
from tests.engine.listening import Serve, listening

QUICK = Deadlines(connect=5.0, first_token=0.3, token_gap=0.3)
CALM = Deadlines()
EMPTY = {"n": None}
STREAM = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


def says(text: str) -> Serve:
    """A server that answers with just these bytes, and closes."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(text.encode())
        await writer.drain()

    return answer


def replies(status: str, body: str, headers: str = "") -> Serve:
    return says(f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}")


@asynccontextmanager
async def connected(answer: Serve, deadlines: Deadlines = CALM) -> AsyncIterator[Http]:
    async with listening(answer) as url:
        http = Http("engine", url, "secret", deadlines)
        http.open()
        try:
            yield http
        finally:
            await http.close()


def asked(answer: Serve, deadlines: Deadlines = CALM) -> object:
    async def main() -> object:
        async with connected(answer, deadlines) as http:
            return await http.post("/generate", {"a": 1}, dict)

    return asyncio.run(main())


def streamed(answer: Serve, deadlines: Deadlines = CALM) -> list[object]:
    async def main() -> list[object]:
        always_more = count().__next__
        async with (
            connected(answer, deadlines) as http,
            aclosing(http.events("/generate", {}, object, always_more)) as events,
        ):
            return [event async for event in events]

    return asyncio.run(main())


def test_an_answer_is_its_json_and_a_stream_its_events() -> None:
    assert asked(replies("200 OK", '{"b": 2}')) == {"b": 2}
    assert streamed(says(STREAM + 'data: {"n": 1}\n\n: a comment\n\ndata: {"n": 2}\n\ndata: [DONE]\n\n')) == [
        {"n": 1},
        {"n": 2},
    ]


@pytest.mark.parametrize(
    ("answer", "error", "told"),
    [
        (replies("401 Unauthorized", "{}"), InputError, "key: http://127.0.0.1:"),
        (replies("403 Forbidden", "not in your region"), InputError, "(status 403): 'not in your region'"),
        (replies("429 Too Many Requests", "of the \x1b[31mday"), Overloaded, "at once: 'of the \\x1b[31mday'"),
        (replies("429 Too Many Requests", '{"code": "insufficient_quota"}'), InputError, "has no quota left"),
        (replies("408 Request Timeout", ""), Unreachable, "it did not take the request (status 408)"),
        (replies("409 Conflict", "loading"), Unreachable, "it did not take the request (status 409): 'loading'"),
        (replies("529 Overloaded", ""), Overloaded, "status 529"),
        (replies("404 Not Found", "{}"), InputError, "it has no /generate"),
        (replies("429 Too Many Requests", "{}"), Overloaded, "status 429"),
        (
            replies("500 Internal Server Error", "boom"),
            Unreachable,
            "status 500, see the server's log: 'boom'",
        ),
        (replies("400 Bad Request", "no such field"), Misbehaving, "400: no such field"),
        (replies("200 OK", "<html>Welcome</html>"), Misbehaving, "or a proxy before it?), got '<html>"),
        (replies("200 OK", ""), Misbehaving, "expected JSON"),
        (replies("200 OK", '{"a":' * 100_000), Misbehaving, "expected JSON"),
        (replies("200 OK", '{"n": Infinity}'), Misbehaving, "expected JSON"),
        (replies("200 OK", "[1]"), Misbehaving, "what answers /generate (Expected `object`, got `array`)"),
        (says("SSH-2.0-OpenSSH_9.6\r\n"), Unreachable, "the connection broke off"),
        (says("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"), Unreachable, "the connection broke off"),
        (says(""), Unreachable, "the connection broke off"),
    ],
)
def test_each_failure_says_what_to_do(answer: Serve, error: type[SpexError], told: str) -> None:
    with pytest.raises(error) as caught:
        asked(answer)
    assert told in str(caught.value)
    with pytest.raises(error):
        streamed(answer)


@pytest.mark.parametrize(
    "pulse", ["retry: 3000\n\n", "id: 1\n\n", "event: ping\n\n", "data\n\n", "data:\n\n", ": x\n\n"]
)
def test_an_event_without_data_says_nothing(pulse: str) -> None:
    answer = says(f'{STREAM}{pulse}data: {{"n": 1}}\n\n{pulse}data: [DONE]\n\n')
    assert streamed(answer) == [{"n": 1}]


def test_a_mark_of_the_encoding_and_capitals_in_its_name_change_no_stream() -> None:
    told = 'HTTP/1.1 200 OK\r\nContent-Type: Text/Event-Stream\r\n\r\n\ufeffdata: {"n": 1}\n\ndata: {"n": 2}\n\n'
    assert streamed(says(told)) == [{"n": 1}, {"n": 2}]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ('{"message": "no"}', {"error": {"message": "no"}}),
        ('{"error": "no"}', {"error": "no"}),
        ('{"type": "error", "code": 400}', {"error": {"type": "error", "code": 400}}),
        ("[" * 100_000, {"error": {"message": "[" * 100_000}}),
        ("no", {"error": {"message": "no"}}),
    ],
)
def test_an_event_that_is_called_an_error_tells_one(data: str, told: object) -> None:
    assert streamed(says(f"{STREAM}event: error\ndata: {data}\n\n")) == [told]


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_too_many_open_files_are_no_fault_of_the_server(number: int) -> None:
    error = httpx2.ConnectError("connection failed")
    error.__cause__ = OSError(number, "too many open files")
    found = connection_fault(error, "engine", "http://127.0.0.1:1")
    assert isinstance(found, Overloaded)
    assert "ulimit -n" in str(found)


@pytest.mark.parametrize("form", ['s"k/1', 's\\"k/1', 's\\"k\\/1'])
def test_a_key_that_is_repeated_is_not_shown_in_whatever_form(form: str) -> None:
    async def main() -> None:
        async with listening(replies("500 Internal Server Error", form)) as url:
            http = Http("engine", url, 's"k/1')
            http.open()
            with pytest.raises(Unreachable, match=r"log: '\(the key\)'"):
                await http.post("/generate", {}, object)
            await http.close()

    asyncio.run(main())


def test_what_was_there_before_and_is_absent_now_may_come_back() -> None:
    statuses = iter(["200 OK", "404 Not Found", "404 Not Found"])

    async def main() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await replies(next(statuses), "{}")(reader, writer)

        async with connected(serve, Deadlines()) as http:
            await http.post("/generate", {}, object)
            with pytest.raises(Unreachable, match="it has no /generate now, and had it before"):
                await http.post("/generate", {}, object)
            with pytest.raises(InputError, match="it has no /other: it is another kind of server"):
                await http.post("/other", {}, object)

    asyncio.run(main())


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85"])
def test_an_event_ends_where_the_standard_says_and_at_no_other_separator(separator: str) -> None:
    assert streamed(says(STREAM + f'data: {{"t": "a{separator}b"}}\n\n')) == [{"t": f"a{separator}b"}]


def test_an_endless_answer_is_let_go_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spex.engine.http._BODY_BYTES_MAX", 1000)
    with pytest.raises(Misbehaving, match="at most 1000 bytes"):
        asked(replies("200 OK", "x" * 5000))
    with pytest.raises(Misbehaving, match="bearable size"):
        streamed(says(STREAM + "data: " + "x" * 5000))


_AT = "Date: Wed, 21 Oct 2026 07:28:00 GMT\r\n"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("Retry-After: 7\r\n", 7.0),
        ("Retry-After: 1e9\r\n", 600.0),
        ("Retry-After: -1\r\n", 0.0),
        ("Retry-After: nan\r\n", None),
        ("Retry-After: soon\r\n", None),
        (f"{_AT}Retry-After: Wed, 21 Oct 2026 07:28:06 GMT\r\n", 6.0),
        (f"{_AT}Retry-After: Wed, 21 Oct 2026 07:27:06 GMT\r\n", 0.0),
        (f"{_AT}Retry-After: Wed, 21 Oct 2026\r\n", None),
        (f"{_AT}Retry-After: Wed, 21 Oct 99999999999999999999 07:28:00 GMT\r\n", None),
        ("Retry-After: Wed, 21 Oct 2026 07:28:06 GMT\r\n", None),
        ("", None),
    ],
)
def test_a_full_server_may_say_for_how_long(header: str, seconds: float | None) -> None:
    with pytest.raises(Overloaded) as caught:
        asked(replies("503 Service Unavailable", "{}", header))
    assert caught.value.retry_after_seconds == seconds


def test_where_nothing_listens_the_address_is_named() -> None:
    async def main() -> None:
        http = Http("engine", "http://127.0.0.1:9")
        http.open()
        try:
            await http.get("/", object)
        finally:
            await http.close()

    with pytest.raises(Unreachable, match=r"nothing answers at http://127\.0\.0\.1:9"):
        asyncio.run(main())


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A first piece, and then a byte now and then that never makes another."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write((STREAM + 'data: {"n": 1}\n\ndata: ').encode())
    while not writer.is_closing():
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.05)


def test_a_silent_server_runs_out_its_named_deadline() -> None:
    for call in (asked, streamed):
        with pytest.raises(TimedOut) as caught:
            call(hang, QUICK)
        assert caught.value.deadline == "first_token"


def test_a_byte_now_and_then_is_silence() -> None:
    with pytest.raises(TimedOut) as caught:
        streamed(trickle, QUICK)
    assert caught.value.deadline == "token_gap"


def chatter(*first: str) -> Serve:
    """Some pieces, and then for ever such as say nothing."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(STREAM.encode())
        for piece in first:
            writer.write(f"data: {piece}\n\n".encode())
        while not writer.is_closing():
            writer.write(b'data: {"n": null}\n\n')
            await writer.drain()
            await asyncio.sleep(0.05)

    return answer


@pytest.mark.parametrize(("first", "deadline"), [((), "first_token"), (('{"n": 1}', '{"n": 2}'), "token_gap")])
def test_pieces_that_say_nothing_are_silence(first: tuple[str, ...], deadline: str) -> None:
    async def main() -> None:
        async with asyncio.timeout(5.0):
            found = 0
            async with (
                connected(chatter(*first), QUICK) as http,
                aclosing(http.events("/generate", {}, object, lambda: found)) as events,
            ):
                async for event in events:
                    found += event != EMPTY

    with pytest.raises(TimedOut) as caught:
        asyncio.run(main())
    assert caught.value.deadline == deadline


def test_a_cancelled_request_is_cancelled_and_not_out_of_time() -> None:
    async def main() -> None:
        async with connected(hang) as http:
            task = asyncio.ensure_future(http.post("/generate", {}, object))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(main())


@pytest.mark.parametrize("url", ["", "localhost:30000", "ftp://x", "http://", 5])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(InputError) as caught:
        checked_url(url)
    assert caught.value.field == "url"


def test_a_password_in_an_address_is_refused_and_not_shown() -> None:
    with pytest.raises(InputError) as caught:
        checked_url("http://user:secret@example.org")
    assert "secret" not in str(caught.value)
    assert "example.org" in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://h:99999", "http://h/?version=1", "http://h/#m", "user:secret@h", "http://h?key=secret"]
)
def test_an_address_that_cannot_be_asked_is_refused_without_a_secret(url: str) -> None:
    with pytest.raises(InputError) as caught:
        checked_url(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("key", ["schlüssel", "two\nlines", "end\r"])
def test_a_key_that_no_header_holds_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(InputError, match="printable ASCII") as caught:
        Http("engine", "http://h", key)
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "here"),
    [("http://127.0.0.1:1", True), ("http://[::1]:1", True), ("http://localhost", True), ("http://example.org", False)],
)
def test_an_address_of_this_machine_is_known_as_one(url: str, here: bool) -> None:
    assert is_loopback(url) is here


def test_an_environment_that_allows_no_request_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "foo://x")
    with pytest.raises(InputError, match="environment: engine: it cannot be asked"):
        Http("engine", "http://example.org").open()
    Http("engine", "http://127.0.0.1").open()  # no proxy leads there


def test_a_stream_is_utf_8_whatever_it_calls_itself() -> None:
    other = STREAM.replace("event-stream", "event-stream; charset=utf-16")
    assert streamed(says(other + 'data: {"t": "é"}\n\n')) == [{"t": "é"}]


def test_a_server_that_has_moved_says_where_to() -> None:
    with pytest.raises(InputError, match="https://elsewhere: name that one"):
        asked(replies("301 Moved Permanently", "", "Location: https://elsewhere\r\n"))


@pytest.mark.parametrize("name", ["connect", "first_token", "token_gap"])
def test_a_deadline_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(InputError) as caught:
        Deadlines(**{name: 0.0})
    assert caught.value.field == f"deadlines.{name}"
