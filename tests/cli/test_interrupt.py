"""The second Ctrl-C: it ends the process, whatever an engine does about the first."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

STUBBORN = """
import asyncio, os, signal, sys
from spex.cli.running import Interrupt, carry_out
from spex import FunctionPolicy, Problem

async def stubborn(prompt, seed):
    os.kill(os.getpid(), signal.SIGINT)
    try:
        await asyncio.sleep(600)
    except asyncio.CancelledError:
        pause, times = float(sys.argv[1]), int(sys.argv[2])
        for _ in range(times):
            await asyncio.sleep(pause)
            os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(0.5 if times < 2 else 600)
        raise

interrupt = Interrupt()
carry_out([Problem("a question")], {"policy": FunctionPolicy(stubborn, slots=1)}, interrupt)
sys.exit(interrupt.exit_code)
"""


def ended(folder: Path, pause_seconds: float, times: int) -> tuple[int, str]:
    command = [sys.executable, "-c", STUBBORN, str(pause_seconds), str(times)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False, timeout=60)
    return done.returncode, done.stderr.replace("\x1b[?25h", "")


def test_a_second_one_ends_the_process_while_an_engine_still_stops(tmp_path: Path) -> None:
    code, said = ended(tmp_path, 0.4, 2)
    assert code == 130
    assert said.splitlines() == [
        "spex: stopping what is in flight; once more to end at once",
        "spex: ended before what was in flight had stopped",
    ]


def test_two_of_one_instant_are_one(tmp_path: Path) -> None:
    code, said = ended(tmp_path, 0.0, 1)
    assert code == 130
    assert said.splitlines() == ["spex: stopping what is in flight; once more to end at once"]
