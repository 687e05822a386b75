"""How often the small model solves each of the demo's problems in one sample, without a search.

    .venv/bin/python scripts/measure_demo_problems.py --samples 40

The dozen that ships was chosen by this: 20 to 70 % of the samples right.
"""

from __future__ import annotations

import argparse
import asyncio

import spex
from spex.demo.programmes import words


def main() -> None:
    """Print a line a problem."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--samples", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    asyncio.run(measure(chosen.samples, chosen.seed))


async def measure(samples: int, seed: int) -> None:
    """Sample whole solutions of every problem, and count the right ones."""
    shown = words()
    task = shown.task
    run = await spex.run(
        shown.problems,
        policy=spex.LlamaCpp(context_tokens=512),
        task=task,
        reward=shown.reward(),
        search=spex.SelfConsistency(width=samples),
        temperature=shown.temperature,
        speculation=None,
        seed=seed,
    )
    for solution in run.solutions:
        answers = [solution.tree.steps[node].answer for node in solution.terminals]
        right = sum(answer is not None and task.check(solution.problem, answer) is True for answer in answers)
        print(f"{right / samples:5.0%}  {answers.count(None):3} without an answer  {solution.problem.text}")


if __name__ == "__main__":
    main()
