"""A server that was named as another kind, or spoken to in the clear or in TLS, is told as what it is."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping
from pathlib import Path

import pytest

from spex.engine.catalog import find_engine
from spex.engine.http import Http
from spex.errors import InputError, Unreachable
from spex.reward.named import find_reward
from tests.engine.listening import Serve, listening
from tests.engine.test_sglang import INFO

UNTRUSTED = Path(__file__).parent / "untrusted.pem"
"""A key and a certificate for it that nobody but itself has signed, made for these tests."""


def answering(answers: Mapping[str, object]) -> Serve:
    """A server that has these paths; a text is a stream of that one event."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        found = answers.get(head.split()[1])
        kind = "text/event-stream" if isinstance(found, str) else "application/json"
        text = f"data: {found}\n\n" if isinstance(found, str) else json.dumps(found or {"detail": "Not Found"})
        status = "404 Not Found" if found is None else "200 OK"
        writer.write(
            f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(text)}\r\n"
            f"Connection: close\r\n\r\n{text}".encode()
        )
        await writer.drain()

    return serve


def models(owner: str) -> dict[str, object]:
    return {"data": [{"id": "policy", "owned_by": owner, "max_model_len": 100}]}


VLLM = {"/v1/models": models("vllm"), "/version": {"version": "0.32.0"}, "/tokenize": {"tokens": [1]}}
VLLM_THAT_TELLS = {**VLLM, "/server_info": {"vllm_config": {}}}
SGLANG = {
    "/server_info": INFO,
    "/v1/models": models("sglang"),
    "/tokenize": {"tokens": [1]},
    "/v1/tokenize": {"tokens": [1]},
    "/v1/completions": '{"choices": [{"text": "a", "finish_reason": "length"}]}',
}


@pytest.mark.parametrize(
    ("kind", "answers", "other"),
    [("sglang", VLLM, "vllm"), ("sglang", VLLM_THAT_TELLS, "vllm"), ("vllm", SGLANG, "sglang")],
)
@pytest.mark.parametrize("reward", ["", "judge", "prm:qwen2.5-math-prm-7b", "prm:math-shepherd-7b"])
def test_a_server_of_another_kind_is_named(
    kind: str, answers: Mapping[str, object], other: str, reward: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VLLM_API_KEY", raising=False)

    async def main() -> None:
        async with listening(answering(answers)) as url:
            policy = find_engine(f"{kind}:{url}")
            opened = find_reward(f"{reward}@{kind}:{url}", policy) if reward else policy
            with pytest.raises(InputError) as caught:
                await opened.open()
            assert caught.value.allowed.endswith(f"name it as {other}:{url}")
            assert caught.value.field in ("policy", "reward")

    asyncio.run(main())


def test_who_does_not_say_what_it_is_is_no_other_kind() -> None:
    async def main() -> None:
        async with listening(answering({})) as url:
            with pytest.raises(InputError, match="it has no /server_info: it is another kind of server"):
                await find_engine(f"sglang:{url}").open()

    asyncio.run(main())


async def asked(url: str) -> None:
    http = Http("engine", url)
    http.open()
    try:
        await http.get("/", object)
    finally:
        await http.close()


def saying(answer: bytes) -> Serve:
    """A server that says this, whatever it hears."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(answer)
        await writer.drain()

    return serve


def secured() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(UNTRUSTED)
    return context


def test_a_server_without_tls_is_told() -> None:
    async def main() -> None:
        async with listening(saying(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as url:
            secure = url.replace("http:", "https:")
            with pytest.raises(InputError, match=f"it does not speak TLS there: name it as {url}"):
                await asked(secure)

    asyncio.run(main())


def test_a_certificate_that_nobody_signed_is_told_and_trusted_where_it_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def main() -> None:
        async with listening(answering({"/": 1}), secured()) as url:
            with pytest.raises(InputError, match=r"not trusted \(self-signed certificate\): .* SSL_CERT_FILE"):
                await asked(url)
            monkeypatch.setenv("SSL_CERT_FILE", str(UNTRUSTED))
            await asked(url)
            with pytest.raises(
                InputError, match=r"not trusted \(.*localhost.*\): name the server as its certificate does"
            ):
                await asked(url.replace("127.0.0.1", "localhost"))

    asyncio.run(main())


def test_a_server_with_tls_that_is_spoken_to_in_the_clear_may_be_one() -> None:
    async def main() -> None:
        async with listening(answering({}), secured()) as url:
            with pytest.raises(Unreachable, match=rf"broke off before it answered \(if it speaks TLS: {url}\)"):
                await asked(url.replace("https:", "http:"))
        async with listening(saying(b"\x15\x03\x01\x00\x02\x02\x46")) as url:  # an alert of TLS
            with pytest.raises(Unreachable, match="if it speaks TLS: https:"):
                await asked(url)

    asyncio.run(main())


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n<h1>The plain HTTP request was sent to HTTPS port</h1>",
    ],
)
def test_a_server_that_says_itself_that_it_wants_tls_is_believed(answer: bytes) -> None:
    async def main() -> None:
        async with listening(saying(answer)) as url:
            with pytest.raises(InputError, match=url.replace("http:", "name it as https:")):
                await asked(url)

    asyncio.run(main())
