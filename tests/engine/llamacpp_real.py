"""A real server of llama.cpp on loopback, which wants a key, for as long as a test's block lasts."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from spex.engine.base import Capabilities
from spex.engine.llamacpp_drafts import LocalDraft
from spex.engine.llamacpp_embedded import ended, started
from spex.engine.local_model import default_model


@asynccontextmanager
async def real_server(
    slots: int = 2, context_tokens: int = 512, draft: LocalDraft | None = None
) -> AsyncIterator[tuple[str, str]]:
    """Its address and its key; skips the test where there is none."""
    pytest.importorskip("xllamacpp")
    key, can = secrets.token_hex(8), Capabilities(slots=slots, context_tokens=context_tokens)
    server = await asyncio.to_thread(started, default_model(), key, can, 1, draft)
    try:
        yield server.listening_address, key
    finally:
        left = [server]
        del server
        await asyncio.to_thread(ended, left)
