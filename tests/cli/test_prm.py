"""`spex prm`: what is listed, and the commands that serve it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from spex.engine.function import FunctionPolicy
from spex.reward.named import find_reward
from spex.reward.prm_catalog import prm_models
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
