"""The same run in two processes is the same run to the moment, however Python seeds its hashes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SEEDS = [str(seed) for seed in (0, 1, 2, 4, 5, 7, 9, 10, 11, 12, 13, 14)]


def digests(hash_seed: int) -> list[str]:
    """What a process with that hash seed prints for some situations of the swarm."""
    command = [sys.executable, "-m", "tests.guarantees.printed_digests", *SEEDS]
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_a_speculating_run_is_the_same_to_the_moment_under_any_hash_seed() -> None:
    first = digests(0)
    assert len(set(first)) == len(SEEDS)
    assert digests(1) == first
