"""What answers at an address is found by what it says of itself; who it is, and what it counts, is told."""

from __future__ import annotations

import asyncio
import re
from typing import Protocol

import pytest

from spex.engine.abilities import Identity, identity_of, load_of
from spex.engine.catalog import find_engine
from spex.engine.probe_kind import spec_of
from spex.engine.retrying import Retrying
from spex.errors import InputError, Unreachable
from tests.engine import openai_server, test_sglang, test_vllm
from tests.engine.listening import Serve, listening


class Serving(Protocol):
    @property
    def serve(self) -> Serve: ...


def sglang() -> Serving:
    info = {**test_sglang.INFO, "model_path": "/models/one"}
    return test_sglang.Server(info)


def vllm() -> Serving:
    server = test_vllm.Server()
    server.models = [{"id": "policy", "root": "/models/two", "max_model_len": 100}]
    return server


KINDS = {
    "sglang": (sglang, Identity("SGLang 0.5.23", "/models/one"), 5),
    "vllm": (vllm, Identity("vLLM 0.32.0", "/models/two"), 0),
    "openai": (lambda: openai_server.Server(*openai_server.ALL), Identity("", "policy"), None),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_is_found_by_its_address_alone_and_says_who_it_is_and_what_it_counts(kind: str) -> None:
    make, identity, load = KINDS[kind]

    async def main() -> None:
        async with listening(make().serve) as url:
            spec = await spec_of(url)
            assert spec == f"{kind}:{url}"
            engine = Retrying(find_engine(spec))
            await engine.open()
            assert identity_of(engine) == identity
            assert await load_of(engine) == load
            await engine.close()

    asyncio.run(main())


def test_a_model_is_named_behind_the_address_of_a_server_of_several() -> None:
    async def main() -> None:
        server = openai_server.Server(*openai_server.ALL)
        server.models = [{"id": "one"}, {"id": "two"}]
        async with listening(server.serve) as url:
            assert await spec_of(f"{url}#two") == f"openai:{url}#two"

    asyncio.run(main())


def test_a_server_of_no_kind_is_refused_with_what_each_kind_says() -> None:
    async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    async def main() -> None:
        async with listening(web) as url:
            with pytest.raises(InputError, match=r"sglang: it has no .*; vllm: it has no .*; openai: it has no "):
                await spec_of(url)

    asyncio.run(main())


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_gateway_that_fails_where_it_knows_no_path_is_asked_as_the_next_kind(status: int) -> None:
    server = openai_server.Server(*openai_server.ALL)

    async def gateway(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        again = asyncio.StreamReader()
        again.feed_data(head + await _body(reader, head))
        if b" /v1/models " in head or b" /v1/completions " in head:
            await server.serve(again, writer)
            return
        writer.write(b"HTTP/1.1 %d No\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno" % status)

    async def main() -> None:
        async with listening(gateway) as url:
            assert await spec_of(url) == f"openai:{url}"

    asyncio.run(main())


async def _body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    return await reader.readexactly(int(length[1])) if length else b""


def test_where_every_kind_is_failed_the_server_is_at_fault_and_one_line_says_how() -> None:
    async def failing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        said = b"\n\x1b[31m" + b"x" * 5000
        writer.write(b"HTTP/1.1 500 No\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(said), said))

    async def main() -> None:
        async with listening(failing) as url:
            with pytest.raises(Unreachable, match=r"sglang: it failed .*; vllm: it failed .*; openai: it ") as caught:
                await spec_of(url)
            told = str(caught.value)
            assert told.isprintable()
            assert len(told) < 1000

    asyncio.run(main())


def test_where_nothing_answers_no_kind_is_tried_after_the_first() -> None:
    with pytest.raises(Unreachable, match="nothing answers"):
        asyncio.run(spec_of("http://127.0.0.1:9"))
