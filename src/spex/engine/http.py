"""HTTP to an engine's server: kept connections, deadlines with names, and every failure by its remedy.

Answers are decoded into types that say what they may hold: an answer of another form, or with a number out of its
range, is `Misbehaving`. Deadlines are the loop's: `connect` to the server, `first_token` from the request to the first
token of its answer, `token_gap` between two tokens. A server that sends a byte now and then, or pieces without a token,
is as silent as any.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Annotated, TypeAlias, TypeVar

import httpx2
import msgspec

from spex.engine.faults import connection_fault
from spex.engine.paced import paced, within
from spex.engine.refusals import Refused, refusal
from spex.errors import InputError, Misbehaving, SpexError, TimedOut, Unreachable

_DONE = "[DONE]"
_ERROR = '"error"'
_BODY_BYTES_MAX = 64 << 20
_KEPT_IDLE_SECONDS = 3.0  # servers close what was idle for five: what is sent in that instant would be lost
_ADDRESS = "it must be an address such as http://127.0.0.1:30000"

T = TypeVar("T")

Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]
"""How many there are of something."""

Positive: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=1 << 31)]
"""How many there may be of something: one at least."""

TokenId: TypeAlias = Annotated[int, msgspec.Meta(ge=0, lt=1 << 31)]


@dataclass(frozen=True, slots=True)
class Deadlines:
    """In seconds, all above 0. Raises `InputError`."""

    connect: float = 5.0
    first_token: float = 300.0
    token_gap: float = 60.0

    def __post_init__(self) -> None:
        for name in ("connect", "first_token", "token_gap"):
            value = getattr(self, name)
            if type(value) not in (int, float) or not value > 0.0:
                raise InputError(f"deadlines.{name}", value, "it must be a number of seconds above 0")


class Http:
    """One server. `open` and `close` may nest: the last `close` lets go of the connections."""

    def __init__(
        self,
        name: str,
        url: str,
        key: str | None = None,
        deadlines: Deadlines | None = None,
        *,
        advice: str = "",
        keeps_connections: bool = True,
        paces: bool = True,
    ) -> None:
        """advice: what to do where the server wants another key, for the message.

        keeps_connections: for the next requests; else each has one of its own. paces: whether streams have their
        deadlines; else each read has `token_gap` for itself, which spares a timer a token.
        """
        self._name = name
        self._advice = advice
        self._keeps_connections = keeps_connections
        self._paces = paces
        self._url = checked_url(url)
        self._key = checked_key(key)
        self._deadlines = deadlines or Deadlines()
        self._answered: set[str] = set()
        self._users = 0
        self._client: httpx2.AsyncClient | None = None

    @property
    def url(self) -> str:
        """The server's address."""
        return self._url

    def open(self) -> None:
        self._users += 1
        if self._client is None:
            self._answered.clear()
            try:
                self._client = self._made()
            except (ImportError, OSError, ValueError) as error:  # what HTTPS_PROXY, SSL_CERT_FILE and their like say
                told = f"it cannot be asked in this environment: {error} (a proxy's or a certificate's variable?)"
                raise InputError("environment", None, f"{self._name}: {told}") from error

    def _made(self) -> httpx2.AsyncClient:
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        return httpx2.AsyncClient(
            base_url=self._url,
            headers=headers if self._keeps_connections else {**headers, "Connection": "close"},
            timeout=httpx2.Timeout(
                None, connect=self._deadlines.connect, read=None if self._paces else self._deadlines.token_gap
            ),
            limits=httpx2.Limits(
                max_connections=None, max_keepalive_connections=64, keepalive_expiry=_KEPT_IDLE_SECONDS
            ),
            # Without the environment, of a server on this machine, SSL_CERT_FILE would not count either.
            verify=httpx2.create_ssl_context() if self._url.startswith("https:") else True,
            trust_env=not is_loopback(self._url),  # no proxy leads to this machine, nor should it see our keys
        )

    async def close(self) -> None:
        self._users = max(0, self._users - 1)
        if not self._users and self._client is not None:
            client, self._client = self._client, None
            await client.aclose()

    async def get(self, path: str, kind: type[T]) -> T:
        """What is at `path`. Raises `EngineError`, and `InputError` where the address or the key is wrong."""
        return self._decoded(msgspec.json.Decoder(kind), path, await self._text("GET", path, None))

    async def post(self, path: str, body: Mapping[str, object], kind: type[T]) -> T:
        """What answers `body`; raises as `get` does."""
        return self._decoded(msgspec.json.Decoder(kind), path, await self._text("POST", path, body))

    async def text(self, path: str) -> str:
        """What is at `path`, as it is; raises as `get` does."""
        return await self._text("GET", path, None)

    async def send(self, path: str, body: Mapping[str, object]) -> None:
        """Post `body`, whatever the text of the answer is; raises as `get` does."""
        await self._text("POST", path, body)

    async def events(
        self, path: str, body: Mapping[str, object], kind: type[T], size: Callable[[], int]
    ) -> AsyncGenerator[T, None]:
        """What a stream of server-sent events says, one by one; raises as `get` does.

        `size` tells how much has come of what is waited for: pieces that add nothing to it are silence.
        """
        decoder = msgspec.json.Decoder(kind)
        pieces: AsyncGenerator[str, None] = self._data(path, body)
        if self._paces:
            pieces = paced(pieces, size, self._deadlines, self._name)
        async with aclosing(pieces) as stream:
            async for data in stream:
                if data == _DONE:
                    return
                yield self._decoded(decoder, path, self._without_key(data) if _ERROR in data else data)

    async def _data(self, path: str, body: Mapping[str, object]) -> AsyncGenerator[str, None]:
        """The data of each event."""
        async with self._answer("POST", path, body) as response:
            if not response.headers.get("Content-Type", "").lower().startswith("text/event-stream"):
                text = await self._read(response)
                raise Misbehaving(self._name, _expected("a stream of events", text), self._without_key(text))
            response.encoding = "utf-8-sig"  # streams of events have no other encoding, and may have a mark of it
            async for event in httpx2.EventSource(response, _BODY_BYTES_MAX):
                if event.data:  # without, it says nothing: a pulse, a time to try again
                    yield _as_error(event.data) if event.event == "error" else event.data

    async def _text(self, method: str, path: str, body: Mapping[str, object] | None) -> str:
        async with (
            within("first_token", self._deadlines.first_token, asyncio.get_running_loop().time(), self._name),
            self._answer(method, path, body) as response,
        ):
            return await self._read(response)

    async def _read(self, response: httpx2.Response) -> str:
        found = bytearray()
        async for part in response.aiter_bytes():
            found += part
            if len(found) > _BODY_BYTES_MAX:
                raise Misbehaving(self._name, f"an answer of at most {_BODY_BYTES_MAX} bytes", bytes(found[:100]))
        return found.decode(errors="replace")

    @asynccontextmanager
    async def _answer(
        self, method: str, path: str, body: Mapping[str, object] | None
    ) -> AsyncIterator[httpx2.Response]:
        """The server's answer, of status 200, before its text."""
        if self._client is None:
            raise Unreachable(self._name, "it is not open")
        try:
            async with self._client.stream(method, path, json=body) as response:
                if response.status_code != httpx2.codes.OK:
                    raise self._refusal(path, response, await self._read(response))
                self._answered.add(path)
                yield response
        except httpx2.ConnectTimeout as error:
            raise TimedOut(self._name, "connect", self._deadlines.connect) from error
        except httpx2.SSEError as error:
            raise Misbehaving(self._name, "a stream of events of a bearable size", str(error)) from error
        except httpx2.HTTPError as error:
            raise connection_fault(error, self._name, self._url) from error

    def _refusal(self, path: str, response: httpx2.Response, text: str) -> SpexError:
        headers = {name.title(): self._without_key(value) for name, value in response.headers.items()}
        refused = Refused(path, response.status_code, self._without_key(text), headers, self._advice)
        return refusal(self._name, self._url, refused, was_there=path in self._answered)

    def _decoded(self, decoder: msgspec.json.Decoder[T], path: str, text: str) -> T:
        try:
            return decoder.decode(text)
        except msgspec.ValidationError as error:
            raise Misbehaving(self._name, f"what answers {path} ({error})", self._without_key(text)) from error
        except (ValueError, RecursionError) as error:
            raise Misbehaving(self._name, _expected("JSON", text), self._without_key(text)) from error

    def _without_key(self, text: str) -> str:
        """What a server says of a failure, for a message: it may repeat what it was sent."""
        if not self._key:
            return text
        quoted = json.dumps(self._key)[1:-1]
        for form in (self._key, quoted, quoted.replace("/", "\\/")):
            text = text.replace(form, "(the key)")
        return text


def _as_error(data: str) -> str:
    """The data of an event that is called an error, as one that tells an error."""
    try:
        told = json.loads(data)
    except (ValueError, RecursionError):
        told = {"message": data}
    return data if isinstance(told, dict) and "error" in told else json.dumps({"error": told})


def _expected(form: str, text: str) -> str:
    """What should have come instead of `text`."""
    is_page = text.lstrip()[:1] == "<"
    return f"{form} and no web page (is something else at this address, or a proxy before it?)" if is_page else form


def checked_url(url: str) -> str:
    """The address of a server, without a slash at its end. Raises `InputError`."""
    shown = None if isinstance(url, str) and "@" in url else url  # what may be a password is not repeated
    try:
        parsed = httpx2.URL(url)
    except (httpx2.InvalidURL, TypeError) as error:
        raise InputError("url", shown, _ADDRESS) from error
    if parsed.userinfo:
        raise InputError("url", None, f"the address of {parsed.host} must hold no name and no password; give a key")
    if parsed.scheme not in ("http", "https") or not parsed.host or not (parsed.port or 1) < 1 << 16:
        raise InputError("url", shown, _ADDRESS)
    if parsed.query or parsed.fragment:
        raise InputError("url", None, f"the address of {parsed.host} must hold no ? and no #")
    return url.rstrip("/")


def checked_key(key: str | None) -> str | None:
    """A key as a header can hold it. Raises `InputError`, which does not repeat it."""
    if key is not None and not (key.isascii() and key.isprintable()):
        raise InputError("key", None, "it must be of printable ASCII characters, without the end of a line")
    if key is not None and key != key.strip():  # httpx takes such a header for a broken connection
        raise InputError("key", None, "it must have no blank before or behind it")
    return key


def is_loopback(url: str) -> bool:
    """Whether the address is of this machine."""
    host = httpx2.URL(url).host
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
