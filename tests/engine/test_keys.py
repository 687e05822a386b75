"""Keys come from the environment, go where nobody can read them on the way, and are said nowhere."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from spex.api import solve
from spex.engine.catalog import find_engine
from spex.engine.keys import key_for
from spex.engine.openai import OpenAI
from spex.engine.sglang import Sglang
from spex.engine.vllm import Vllm
from spex.errors import InputError, SpexError
from spex.reward.named import find_reward
from spex.search.rebase import Rebase
from tests.engine.listening import listening

CANARY = "sk-never-to-be-seen"
HERE = "http://127.0.0.1:8000"
ELSEWHERE = "http://example.org:8000"
KINDS = ("openai", "sglang", "vllm")


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in KINDS:
        monkeypatch.delenv(f"{kind.upper()}_API_KEY", raising=False)


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_is_in_the_variable_of_its_engine_and_not_sent_in_the_clear(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert key_for(kind, HERE, None).value is None
    monkeypatch.setenv(f"{kind.upper()}_API_KEY", CANARY)
    for address in (HERE, "http://localhost:1", "https://example.org", "HTTPS://example.org"):
        assert key_for(kind, address, None).value == CANARY
    assert key_for(kind, ELSEWHERE, None).value is None
    assert key_for(kind, HERE, "given").value == "given"


@pytest.mark.parametrize("address", [ELSEWHERE, "HTTP://example.org", "http://192.168.0.1:8000"])
@pytest.mark.parametrize("engine", [OpenAI, Sglang, Vllm])
def test_a_key_that_is_given_for_another_machine_in_the_clear_is_refused_and_not_shown(
    engine: Callable[..., object], address: str
) -> None:
    with pytest.raises(InputError, match="use https") as caught:
        engine(address, key=CANARY)
    assert (caught.value.field, caught.value.value) == ("key", None)
    assert CANARY not in str(caught.value)
    for allowed in (HERE, "https://example.org"):
        engine(allowed, key=CANARY)
    engine(address, key="")  # which is none


@pytest.mark.parametrize("key", ["schlüssel", f"{CANARY}\n", f"{CANARY}\r\nEvil: 1"])
def test_a_variable_that_holds_no_key_is_named_and_not_shown(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_API_KEY", key)
    with pytest.raises(InputError, match="VLLM_API_KEY: it must be of printable ASCII") as caught:
        find_engine(f"vllm:{HERE}")
    assert key not in str(caught.value)


@pytest.mark.parametrize("key", [f" {CANARY}", f"{CANARY} ", " "])
def test_a_key_with_a_blank_around_it_is_refused_and_is_no_dead_server(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VLLM_API_KEY", key)
    with pytest.raises(InputError, match=r"VLLM_API_KEY: it must have no blank") as caught:
        find_engine(f"vllm:{HERE}")
    assert CANARY not in str(caught.value)
    with pytest.raises(InputError, match=r"^key: it must have no blank"):
        key_for("vllm", HERE, key)


class Refusing:
    """Answers everything with a status, and says again what it was sent."""

    def __init__(self, status: str) -> None:
        self.status = status
        self.heard: set[str] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heard |= {line for line in head.splitlines() if line.lower().startswith("authorization")}
        text = json.dumps({"error": f"you sent {head}"})
        more = f"Location: https://elsewhere/?{CANARY}\r\n" if self.status.startswith("3") else ""
        writer.write(f"HTTP/1.1 {self.status}\r\n{more}Content-Length: {len(text)}\r\n\r\n{text}".encode())
        await writer.drain()


STATUSES = ("200 OK", "301 Moved Permanently", "400 Bad Request", "401 Unauthorized", "500 Internal Server Error")


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_key_is_in_no_message_though_a_server_says_it_again(
    kind: str, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{kind.upper()}_API_KEY", CANARY)

    async def main() -> None:
        server = Refusing(status)
        async with listening(server.serve) as url:
            engine = find_engine(f"{kind}:{url}")
            with pytest.raises(SpexError) as caught:
                await engine.open()
        assert server.heard == {f"Authorization: Bearer {CANARY}"}
        seen: BaseException | None = caught.value
        while seen is not None:
            assert CANARY not in str(seen) + repr(getattr(seen, "got", ""))
            seen = seen.__cause__ if isinstance(seen.__cause__, SpexError) else None

    asyncio.run(main())


@pytest.mark.parametrize(
    ("found", "told"), [("", "; set VLLM_API_KEY"), (CANARY, "; that of VLLM_API_KEY is none of its own")]
)
@pytest.mark.parametrize("reward", [False, True])
def test_a_server_that_wants_a_key_is_told_with_the_variable(
    found: str, told: str, reward: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VLLM_API_KEY", found)

    async def main() -> None:
        async with listening(Refusing("401 Unauthorized").serve) as url:
            policy = find_engine(f"vllm:{url}")
            asked = find_reward(f"prm:qwen2.5-math-prm-7b@vllm:{url}", policy) if reward else policy
            with pytest.raises(InputError) as caught:
                await asked.open()
        assert str(caught.value).startswith(f"key: {url} wants a key, or another one (status 401){told}: '")
        assert CANARY not in str(caught.value)

    asyncio.run(main())


def test_a_key_that_is_not_sent_in_the_clear_is_told_where_the_server_wants_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VLLM_API_KEY", CANARY)
    assert key_for("vllm", ELSEWHERE, None).advice == (
        "; that of VLLM_API_KEY is not sent in the clear to another machine: use https"
    )


def test_a_key_is_in_no_log_and_no_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.engine.test_vllm import Server  # noqa: PLC0415  # a whole server, for this test alone

    monkeypatch.setenv("VLLM_API_KEY", CANARY)

    async def main() -> list[object]:
        server, told = Server(), list[object]()
        server.models = [{"id": "policy", "max_model_len": 4000}]
        async with listening(server.serve) as url:
            solution = await solve(
                "1 + 1?",
                policy=f"vllm:{url}",
                search=Rebase(width=2, depth_max=2),
                step_tokens_max=3,
                log=tmp_path / "log",
                on_event=told.append,
            )
        return [*told, solution]

    assert CANARY not in repr(asyncio.run(main()))
    assert CANARY not in (tmp_path / "log").read_text()
