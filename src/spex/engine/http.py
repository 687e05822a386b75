"""HTTP to an engine's server: kept connections, deadlines with names, and every failure by its remedy.

Deadlines are the loop's: `connect` to the server, `first_token` from the request to the first piece of its answer,
`token_gap` between two pieces. A server that sends a byte now and then, and no piece, is as silent as any.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from spex.errors import InputError, Misbehaving, Overloaded, TimedOut, Unreachable

_DONE = "[DONE]"
_REFUSED = frozenset({401, 403})
_BUSY = frozenset({429, 503})


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

    def __init__(self, name: str, url: str, key: str | None = None, deadlines: Deadlines | None = None) -> None:
        self._name = name
        self._url = checked_url(url)
        self._key = key
        self._deadlines = deadlines or Deadlines()
        self._users = 0
        self._client: httpx2.AsyncClient | None = None

    def open(self) -> None:
        self._users += 1
        if self._client is None:
            self._client = httpx2.AsyncClient(
                base_url=self._url,
                headers={"Authorization": f"Bearer {self._key}"} if self._key else {},
                timeout=httpx2.Timeout(None, connect=self._deadlines.connect),
                limits=httpx2.Limits(max_connections=None, max_keepalive_connections=64),
            )

    async def close(self) -> None:
        self._users = max(0, self._users - 1)
        if not self._users and self._client is not None:
            client, self._client = self._client, None
            await client.aclose()

    async def get(self, path: str) -> Any:
        """The JSON at `path`. Raises `EngineError`, and `InputError` where the address or the key is wrong."""
        return await self._json("GET", path, None)

    async def post(self, path: str, body: Mapping[str, object]) -> Any:
        """The JSON that answers `body`; raises as `get` does."""
        return await self._json("POST", path, body)

    async def send(self, path: str, body: Mapping[str, object]) -> None:
        """Post `body`, whatever the text of the answer is; raises as `get` does."""
        await self._text("POST", path, body)

    async def events(self, path: str, body: Mapping[str, object]) -> AsyncGenerator[Any, None]:
        """What a stream of server-sent events says, a JSON value for each; raises as `get` does."""
        deadline, seconds = "first_token", self._deadlines.first_token
        async with aclosing(self._lines(path, body)) as lines:
            while True:
                async with self._within(deadline, seconds):
                    data = await anext(lines, None)
                if data is None or data == _DONE:
                    return
                yield self._parsed(data)
                deadline, seconds = "token_gap", self._deadlines.token_gap

    async def _lines(self, path: str, body: Mapping[str, object]) -> AsyncGenerator[str, None]:
        """The data of each event."""
        async with self._answer("POST", path, body) as response:
            if not response.headers.get("Content-Type", "").startswith("text/event-stream"):
                said = (await response.aread()).decode(errors="replace")
                raise Misbehaving(self._name, "a stream of events", said)
            async for line in response.aiter_lines():
                if line.startswith("data:"):
                    yield line[5:].strip()

    async def _json(self, method: str, path: str, body: Mapping[str, object] | None) -> Any:
        return self._parsed(await self._text(method, path, body))

    async def _text(self, method: str, path: str, body: Mapping[str, object] | None) -> str:
        async with (
            self._within("first_token", self._deadlines.first_token),
            self._answer(method, path, body) as response,
        ):
            return (await response.aread()).decode(errors="replace")

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
                    self._refuse(path, response, (await response.aread()).decode(errors="replace"))
                yield response
        except httpx2.ConnectTimeout as error:
            raise TimedOut(self._name, "connect", self._deadlines.connect) from error
        except httpx2.ConnectError as error:
            message = f"nothing answers at {self._url}: start it, or correct the address"
            raise Unreachable(self._name, message) from error
        except httpx2.HTTPError as error:
            raise Unreachable(self._name, f"the connection broke off: {type(error).__name__}") from error

    @asynccontextmanager
    async def _within(self, deadline: str, seconds: float) -> AsyncIterator[None]:
        timer = asyncio.timeout(seconds)
        try:
            async with timer:
                yield
        except TimeoutError as error:
            if timer.expired():
                raise TimedOut(self._name, deadline, seconds) from error
            raise

    def _refuse(self, path: str, response: httpx2.Response, text: str) -> None:
        status = response.status_code
        if status in _REFUSED:
            raise InputError("key", None, f"{self._url} wants a key, or another one (status {status})")
        if status == httpx2.codes.NOT_FOUND:
            raise InputError("policy", self._url, f"it has no {path}: it is another kind of server, or another model")
        if status in _BUSY:
            after = _seconds(response.headers.get("Retry-After"))
            raise Overloaded(self._name, f"it takes no more requests now (status {status})", after)
        if status >= httpx2.codes.INTERNAL_SERVER_ERROR:
            raise Unreachable(self._name, f"it failed with status {status}: {text[:200]}")
        raise Misbehaving(self._name, "status 200", f"{status}: {text}")

    def _parsed(self, text: str) -> Any:
        try:
            return json.loads(text)
        except ValueError as error:
            raise Misbehaving(self._name, "JSON", text) from error


def checked_url(url: str) -> str:
    """The address of a server, without a slash at its end. Raises `InputError`."""
    try:
        parsed = httpx2.URL(url)
    except (httpx2.InvalidURL, TypeError) as error:
        raise InputError("url", url, "it must be an address such as http://127.0.0.1:30000") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise InputError("url", url, "it must be an address such as http://127.0.0.1:30000")
    return url.rstrip("/")


def _seconds(header: str | None) -> float | None:
    """A `Retry-After` in seconds; dates, and what is no number at all, are not followed."""
    try:
        return min(600.0, max(0.0, float(header))) if header else None
    except ValueError:
        return None
