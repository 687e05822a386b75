"""`python -m tests.swarm --seeds N --first F`: as many seeds as there is time for."""

from __future__ import annotations

import argparse
import sys

from tests.swarm.judge import judge
from tests.swarm.scenario import draw


def main() -> int:
    """Try every seed; print one line for each that fails, which repeats it."""
    parser = argparse.ArgumentParser(prog="python -m tests.swarm")
    parser.add_argument("--seeds", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0)
    chosen = parser.parse_args()
    failed = sum(not passes(seed) for seed in range(chosen.first, chosen.first + chosen.seeds))
    print(f"{chosen.seeds - failed} passed, {failed} failed")
    return 1 if failed else 0


def passes(seed: int) -> bool:
    """Try one seed; say how to repeat it where it fails."""
    wrong = judge(draw(seed))
    if wrong:
        print(repeat_line(seed, wrong), flush=True)
    return not wrong


def repeat_line(seed: int, wrong: list[str]) -> str:
    """One line that repeats a failure."""
    return f"python -m tests.swarm --first {seed} --seeds 1  # {wrong[0]} ({len(wrong)} faults)"


if __name__ == "__main__":
    sys.exit(main())
