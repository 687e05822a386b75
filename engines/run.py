"""Runs the tests marked `live` against real servers, which it starts and ends.

    python -m engines.run --folder .engines sglang vllm        (make test-engines)
    python -m engines.run --folder .engines --short            (make test-engines-short)

For each engine: a server for the policy and one for the reward, each on a core of its own; when both answer, pytest,
which finds them in SPEX_SGLANG_URL and SPEX_SGLANG_REWARD_URL (SPEX_VLLM_...); then, with those ended, the tests marked
`faults`, which start and kill servers themselves (SPEX_SGLANG_FOLDER); of SGLang then those of its `Engine` in a
process of its own, by the engines' Python (`engines.beside`). Whatever happens, Ctrl-C too, nothing of it is left
running. --short: of those that start servers the ones of small models alone (the packaged ones, score heads). Ends with
pytest's status, 1 where tests failed, 5 where there were none (in any part, but where `--pytest` chooses among them: in
all parts), 3 where a server failed, 130 when it is interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import get_args

from engines.server import Server, ServerFailed, descendants_of, free_port
from engines.serving import MODEL, Asked, Kind, Role, launch_of

_ROOT = Path(__file__).resolve().parents[1]
_SERVE = _ROOT / "engines" / "serve"
_UP_SECONDS = 300.0
_TESTS_END_SECONDS = 60.0
_NONE_FOUND = 5
_OF_SERVERS: Mapping[Kind, Sequence[str]] = {
    "sglang": (
        "tests/live",
        "tests/engine/test_probe_live.py::test_an_sglang_server_that_is_deterministic",
        "tests/reward/test_prm_live.py",
    ),
    "vllm": (
        "tests/live",
        "tests/engine/test_vllm_live.py",
        "tests/engine/test_probe_live.py::test_a_vllm_server_in_float32",
        "tests/reward/test_prm_live.py",
    ),
}
_IN_PROCESS = "tests/live/test_sglang_local.py"


def main(arguments: Sequence[str]) -> int:
    """Test against each engine that is named."""
    parser = argparse.ArgumentParser(prog="python -m engines.run", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("kinds", nargs="*", metavar="sglang|vllm", help="both, if none is named")
    parser.add_argument("--folder", type=Path, required=True, metavar="DIR", help="what engines/setup has built")
    parser.add_argument("--pytest", default="", metavar="ARGS", help="more arguments for pytest, with blanks between")
    parser.add_argument("--short", action="store_true", help="small models alone, a few minutes")
    asked = parser.parse_args(arguments)
    kinds: list[Kind] = asked.kinds or list(get_args(Kind))
    if unknown := set(kinds) - set(get_args(Kind)):
        parser.error(f"no engine is called {', '.join(sorted(unknown))}")
    with nothing_left():
        try:
            carry_out = tested_short if asked.short else tested
            statuses = [carry_out(kind, asked.folder, asked.pytest.split()) for kind in kinds]
        except ServerFailed as error:
            say(str(error))
            return 3
        except KeyboardInterrupt:
            say("interrupted")
            return 130
    return max(statuses)


def tested(kind: Kind, folder: Path, more: Sequence[str]) -> int:
    """The status of pytest with `kind`: the greatest of that of its parts."""
    name = kind.upper()
    with contextlib.ExitStack() as servers:
        policy, reward = pair(kind, folder)
        started = time.monotonic()
        for server in (policy, reward):
            servers.enter_context(server)
        for server in (policy, reward):
            server.wait(_UP_SECONDS)
        say(f"{kind}: {policy.url} and {reward.url}, up after {time.monotonic() - started:.0f} s")
        found = {f"SPEX_{name}_URL": policy.url, f"SPEX_{name}_REWARD_URL": reward.url}
        statuses = [pytest_status(kind, "not faults", found, more)]
        if statuses[0] not in (0, _NONE_FOUND):
            for server in (policy, reward):
                server.check()
    # Two at a time: a third one would have no core.
    say(f"{kind}: both ended; now the tests that start, and kill, theirs")
    statuses.append(pytest_status(kind, "faults", _of_folder(kind, folder), more))
    if kind == "sglang":
        statuses.append(in_process_status(folder, more))
    return of_parts(statuses, chosen=bool(more))


def of_parts(statuses: Sequence[int], *, chosen: bool) -> int:
    """The status of all parts. Who has `chosen` tests may have chosen none of a part, but not none of any."""
    found = [status for status in statuses if status != _NONE_FOUND] if chosen else statuses
    return max(found, default=_NONE_FOUND)


def tested_short(kind: Kind, folder: Path, more: Sequence[str]) -> int:
    """The status of pytest with small models on `kind`; 5 where it finds none of these tests."""
    return pytest_status(kind, "faults", _of_folder(kind, folder), ["-k", "test_packaged or test_score_head", *more])


def _of_folder(kind: Kind, folder: Path) -> dict[str, str]:
    """What tells tests where servers can be started from."""
    return {f"SPEX_{kind.upper()}_FOLDER": str(folder.absolute())}


def pair(kind: Kind, folder: Path, flags: Sequence[str] = ("--deterministic",)) -> tuple[Server, Server]:
    """A server for the policy and one for the reward, not yet started; `flags` are those of `engines/serve`."""
    cores = sorted(os.sched_getaffinity(0))
    return served(kind, folder, "policy", cores[0], flags), served(kind, folder, "reward", cores[-1], flags)


def served(kind: Kind, folder: Path, role: Role, core: int, flags: Sequence[str] = ("--deterministic",)) -> Server:
    """A server on `core`, not yet started; it ends with the process that starts it.

    What it says is in `folder`/logs, until one of the same kind and role is made there.
    """
    port, log = free_port(), folder / "logs" / f"{kind}-{role}.log"
    log.parent.mkdir(exist_ok=True)
    log.unlink(missing_ok=True)
    flags = ("--core", str(core), "--role", role, "--with-parent", *flags)
    command = (str(_SERVE), kind, str(folder), str(port), *flags)
    return Server(f"{kind} for the {role}", command, port, log, {"PYTHON": sys.executable})


def pytest_status(kind: Kind, marked: str, variables: Mapping[str, str], more: Sequence[str]) -> int:
    """The status of pytest with the tests of servers that are so `marked`."""
    apart = [f"--ignore={_IN_PROCESS}", "-m", f"(live or engine) and {marked}", "-v", "-rs"]
    return _ended([sys.executable, "-m", "pytest", *apart, *_OF_SERVERS[kind], *more], variables)


def in_process_status(folder: Path, more: Sequence[str]) -> int:
    """The status of pytest with the tests of SGLang's `Engine`, by the Python of `folder` with SPEX's packages behind.

    The model is loaded in pytest's own process, which takes the place of a server.
    """
    launch = launch_of(Asked("sglang", folder.absolute(), 1, deterministic=True))
    variables = {**launch.environment, "SPEX_SGLANG_MODEL": str(folder.absolute() / MODEL)}
    say("sglang: now its Engine in a process of its own")
    own = [launch.command[0], "-m", "engines.beside", sysconfig.get_path("purelib")]
    return _ended([*own, "-v", "-rs", _IN_PROCESS, *more], variables)


def _ended(command: Sequence[str], variables: Mapping[str, str]) -> int:
    """The status of a run of tests, which has time to end what it has started where this process is interrupted."""
    with subprocess.Popen(command, cwd=_ROOT, env={**os.environ, **variables}) as process:
        try:
            return process.wait()
        except BaseException:
            # At a terminal Ctrl-C has reached it too; it needs time to end what it has started.
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_TESTS_END_SECONDS)
            process.kill()
            raise


@contextlib.contextmanager
def nothing_left() -> Iterator[None]:
    """Whatever the block started has ended when it is over, and SIGTERM and SIGHUP end it as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        raise KeyboardInterrupt

    adopt_orphans()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        # From here on it takes no time, and must not be cut short.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        while left := list(descendants_of(os.getpid())):
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(-1, os.WNOHANG)
            time.sleep(0.01)


def adopt_orphans() -> None:
    """Become the parent of all that loses its own below this process, so that it can be found; on Linux."""
    set_child_subreaper = 36
    ctypes.CDLL(None).prctl(set_child_subreaper, 1)


def say(text: str) -> None:
    print(f"engines: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
