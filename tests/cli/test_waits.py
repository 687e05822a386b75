"""How long a server is waited for is a setting of the command, and what ran out names it."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.cli.terminal import Command


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of what takes connections and never says anything."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(64)
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("kind", ["sglang", "vllm", "openai"])
def test_a_silent_policy_ends_the_command_by_the_flag_that_would_allow_more(
    spex: Command, silent: str, kind: str
) -> None:
    ended = spex("solve", "q", "--policy", f"{kind}:{silent}", "--first-token-seconds", "0.1")
    assert ended.code == 3
    assert "deadline first_token of 0.1 s ran out" in ended.line
    assert "--first-token-seconds, in Python first_token_seconds=" in ended.line


@pytest.mark.parametrize("reward", ["judge@sglang", "prm:qwen2.5-math-prm-7b@vllm"])
def test_a_silent_reward_does_too(spex: Command, silent: str, reward: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEX_FIRST_TOKEN_SECONDS", "0.1")
    monkeypatch.setenv("SPEX_PATIENCE_SECONDS", "0")
    ended = spex("solve", "q", "--policy", "toy", "--reward", f"{reward}:{silent}")
    assert ended.code == 3
    assert "deadline first_token of 0.1 s ran out" in ended.err


def test_a_probe_has_them_too(spex: Command, silent: str) -> None:
    ended = spex("probe", f"vllm:{silent}", "--first-token-seconds", "0.1")
    assert ended.code == 3
    assert "--first-token-seconds" in ended.line
    ended = spex("probe", f"vllm:{silent}", "--first-token-seconds", "0")
    assert ended.code == 2
    assert ended.line.startswith("spex: --first-token-seconds: '0' is not valid; it must be a number of seconds")
