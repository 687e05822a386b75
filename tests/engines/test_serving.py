"""The commands that serve: what each wish becomes, and what is refused."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from engines.serving import Asked, launch_of, parsed
from tests.engines.pretended import pretended

ROOT = Path(__file__).resolve().parents[2]
CORE = min(os.sched_getaffinity(0))


def value_of(flag: str, command: tuple[str, ...]) -> str:
    return command[command.index(flag) + 1]


def test_sglang_draws_by_seeds_only_where_it_is_asked_to() -> None:
    plain = launch_of(Asked("sglang", Path("/e"), 1))
    seeded = launch_of(Asked("sglang", Path("/e"), 1, deterministic=True))
    assert {*seeded.command} - {*plain.command} == {"--enable-deterministic-inference"}
    assert "OMP_NUM_THREADS" not in plain.environment
    assert seeded.environment["OMP_NUM_THREADS"] == "1"
    assert value_of("--dtype", seeded.command) == "bfloat16"


def test_sglang_starts_by_what_makes_it_run_on_a_cpu_where_that_is_installed(tmp_path: Path) -> None:
    assert launch_of(Asked("sglang", tmp_path, 1)).command[2] == "sglang.launch_server"
    (tmp_path / "venv/lib/python3.11/site-packages/spex_sglang_cpu").mkdir(parents=True)
    assert launch_of(Asked("sglang", tmp_path, 1)).command[2] == "spex_sglang_cpu.launch"


def test_what_only_sglang_may_find_is_found_by_it_alone(tmp_path: Path) -> None:
    (tmp_path / "venv" / "sglang-only").mkdir(parents=True)
    assert launch_of(Asked("sglang", tmp_path, 1)).environment["PYTHONPATH"] == str(tmp_path / "venv" / "sglang-only")
    assert "PYTHONPATH" not in launch_of(Asked("vllm", tmp_path, 1)).environment


def test_vllm_serves_in_float32_on_its_core_under_the_name_of_its_role() -> None:
    launch = launch_of(Asked("vllm", Path("/e"), 1, core=3, role="reward"))
    assert value_of("--dtype", launch.command) == "float32"
    assert value_of("--served-model-name", launch.command) == "reward"
    assert launch.environment["VLLM_CPU_OMP_THREADS_BIND"] == "3"


def test_vllm_finds_no_prefix_again_and_keeps_to_one_kernel_where_equal_requests_are_to_have_equal_answers() -> None:
    plain, deterministic = (launch_of(Asked("vllm", Path("/e"), 1, deterministic=asked)) for asked in (False, True))
    assert {*deterministic.command} - {*plain.command} == {"--no-enable-prefix-caching"}
    assert "ONEDNN_MAX_CPU_ISA" not in plain.environment
    assert deterministic.environment["ONEDNN_MAX_CPU_ISA"] == "AVX2"


def test_what_is_not_known_goes_to_the_engine(tmp_path: Path) -> None:
    asked, _ = parsed(["vllm", str(pretended(tmp_path)), "8000", "--dtype", "bfloat16", "--max-num-seqs", "8"])
    command = launch_of(asked).command
    assert command[-2:] == ("--max-num-seqs", "8")
    assert value_of("--dtype", command) == "bfloat16"
    assert value_of("--model", command) == str(tmp_path / "models/smollm2-135m")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["triton", "{folder}", "8000"], "invalid choice: 'triton'"),
        (["vllm", "{folder}", "0"], "it must be a number from 1 to 65535"),
        (["vllm", "{folder}", "http"], "it must be a number from 1 to 65535"),
        (["vllm", "{folder}/else", "8000"], "run engines/setup"),
        (["vllm", "{folder}", "8000", "--core", "4096"], "--core 4096: it must be one of"),
        (["vllm", "{folder}", "8000", "--role", "judge"], "invalid choice: 'judge'"),
    ],
)
def test_what_cannot_be_served_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    folder = pretended(tmp_path)
    with pytest.raises(SystemExit) as ended:
        parsed([argument.format(folder=folder) for argument in arguments])
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


def test_the_script_becomes_the_server_on_its_core(tmp_path: Path) -> None:
    python = pretended(tmp_path) / "venv" / "bin" / "python"
    python.write_text('#!/bin/sh\ngrep Cpus_allowed_list /proc/self/status\necho "$OMP_NUM_THREADS $*"\n')
    command = [
        str(ROOT / "engines" / "serve"),
        "sglang",
        str(tmp_path),
        "30000",
        "--core",
        str(CORE),
        "--deterministic",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    cores, started = done.stdout.splitlines()
    assert cores.split() == ["Cpus_allowed_list:", str(CORE)]
    assert started.startswith("1 -m sglang.launch_server --model-path")


def test_the_help_names_all_there_is() -> None:
    done = subprocess.run([str(ROOT / "engines" / "serve"), "--help"], capture_output=True, text=True, check=True)
    for word in ("sglang", "vllm", "--core", "--deterministic", "--dtype", "--role", "--model", "--with-parent"):
        assert word in done.stdout


def test_an_environment_of_another_make_is_left_as_it_is(tmp_path: Path) -> None:
    python = pretended(tmp_path) / "venv" / "bin" / "python"
    (tmp_path / "models/smollm2-135m").mkdir(parents=True)
    (tmp_path / "models/smollm2-135m/model.safetensors").touch()
    before = python.read_text()
    done = subprocess.run([str(ROOT / "engines" / "setup"), str(tmp_path)], capture_output=True, text=True, check=True)
    assert "was not made by this script" in done.stdout
    assert python.read_text() == before


def test_vllm_empties_its_cache_by_request_only_where_it_is_asked_to() -> None:
    assert "VLLM_SERVER_DEV_MODE" not in launch_of(Asked("vllm", Path("/e"), 1)).environment
    assert launch_of(Asked("vllm", Path("/e"), 1, developer=True)).environment["VLLM_SERVER_DEV_MODE"] == "1"
