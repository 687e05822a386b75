"""Recording, resuming and replaying a policy's engine: wrappers around any of them."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

from spex.engine.base import Capabilities, Completion, Counters, Engine, Generation, Labelling, Message, Progress
from spex.engine.known_model import check_model
from spex.errors import LogMismatch, NotLossless
from spex.record import CallLog, EncodingEntry, TextEntry
from spex.usage import Tokens


class Recorded:
    """An engine whose finished calls are read from the log, or made and then kept in it."""

    def __init__(self, engine: Engine, log: CallLog) -> None:
        self.inner = engine
        self._log = log

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def capabilities(self) -> Capabilities:
        return self.inner.capabilities

    def counters(self) -> Counters:
        return self.inner.counters()

    async def open(self) -> None:
        """Raises `LogMismatch` where what was recorded is another model's; then the engine is closed again."""
        await self.inner.open()
        try:
            check_model(self._log, self.inner)
        except BaseException:
            await self.inner.close()
            raise

    async def close(self) -> None:
        await self.inner.close()

    async def encode(self, text: str) -> tuple[int, ...]:
        key = encoding_key("text", text)
        found = find_encoding(self._log, key)
        if found is None:
            found = await self.inner.encode(text)
            self._log.append(EncodingEntry(key, found))
        return found

    async def encode_chat(self, messages: Sequence[Message]) -> tuple[int, ...]:
        key = encoding_key("chat", repr(tuple(messages)))
        found = find_encoding(self._log, key)
        if found is None:
            found = await self.inner.encode_chat(messages)
            self._log.append(EncodingEntry(key, found))
        return found

    async def generate(self, request: Generation, progress: Progress) -> Completion:
        found = find_text(self._log, request, progress)
        if found is not None:
            return found
        completion = await self.inner.generate(request, progress)
        self._log.append(
            TextEntry(
                request.key,
                request.digest,
                completion.text,
                completion.token_ids,
                completion.end,
                completion.logprobs,
                progress.cost,
            )
        )
        return completion

    async def label(self, request: Labelling, progress: Progress) -> tuple[float, ...]:
        return await self.inner.label(request, progress)


class Replayed:
    """An engine that only knows a log: what is not in it is `NotLossless`.

    For a speculative call that error is forgotten like any failure, so an unrecorded call that
    nobody demands simply never finishes.
    """

    def __init__(self, log: CallLog, capabilities: Capabilities | None = None, name: str = "replay") -> None:
        self._log = log
        self._capabilities = capabilities or Capabilities(seed="whole")
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    def counters(self) -> Counters:
        return Counters(0, Tokens())

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def encode(self, text: str) -> tuple[int, ...]:
        return self._encoding(encoding_key("text", text))

    async def encode_chat(self, messages: Sequence[Message]) -> tuple[int, ...]:
        return self._encoding(encoding_key("chat", repr(tuple(messages))))

    def _encoding(self, key: str) -> tuple[int, ...]:
        found = find_encoding(self._log, key)
        if found is None:
            raise NotLossless(key)
        return found

    async def generate(self, request: Generation, progress: Progress) -> Completion:
        found = find_text(self._log, request, progress)
        if found is None:
            raise NotLossless(request.key)
        return found

    async def label(self, request: Labelling, progress: Progress) -> tuple[float, ...]:  # noqa: ARG002
        raise NotLossless(request.key)


def encoding_key(kind: str, text: str) -> str:
    """What an encoding is kept under: by content, for it is no call of a problem."""
    return f"{kind}:{blake2b(text.encode('utf-8', 'surrogatepass'), digest_size=16).hexdigest()}"


def find_encoding(log: CallLog, key: str) -> tuple[int, ...] | None:
    entry = log.find(key)
    return entry.token_ids if isinstance(entry, EncodingEntry) else None


def find_text(log: CallLog, request: Generation, progress: Progress) -> Completion | None:
    """The recorded completion of `request`. Raises `LogMismatch` when the record is of another request."""
    entry = log.find(request.key)
    if not isinstance(entry, TextEntry):
        return None
    if entry.digest != request.digest:
        raise LogMismatch(f"call log: {request.key} was recorded for another request (prompt, seed or sampling)")
    progress.replay(entry.cost)
    return Completion(entry.text, entry.token_ids, entry.logprobs, entry.end)
