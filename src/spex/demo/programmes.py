"""The demo's own problems, and how they are asked: chosen by measurement (`scripts/measure_demo_problems.py`)."""

from __future__ import annotations

from importlib.resources import files

import msgspec

from spex.problem import Problem
from spex.search.mcts import Mcts
from spex.search.rebase import Rebase
from spex.tasks.gsm8k import Gsm8k

TEMPERATURE = 0.7
SAMPLES = 4  # of each problem without a search: one for each slot, so that what follows finds warm caches
REWARD = "arithmetic"
SEARCHES: dict[str, Rebase | Mcts] = {
    "rebase": Rebase(width=4, depth_max=4),
    "mcts": Mcts(iterations=4, children=3, depth_max=4),
}

_INSTRUCTIONS = "Write the calculation, then the answer."
_EXAMPLES = (
    ("Amy has 6 cups. She buys 2 more. How many cups does she have?", "6 + 2 = 8\nAnswer: 8"),
    ("A box holds 5 pens. How many pens are in 3 boxes?", "5 * 3 = 15\nAnswer: 15"),
    ("Jack has 9 nuts. He eats 3 nuts. How many nuts are left?", "9 - 3 = 6\nAnswer: 6"),
    (
        "Zoe has 4 hats. She buys 3 and loses 2. How many hats does she have?",
        "4 + 3 = 7\n7 - 2 = 5\nAnswer: 5",
    ),
)


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    question: str
    answer: str


def demo_problems() -> tuple[Problem, ...]:
    """The dozen problems, in the order of the file."""
    lines = files("spex.demo").joinpath("demo.jsonl").read_bytes().splitlines()
    found = (msgspec.json.decode(line, type=_Line) for line in lines)
    return tuple(Problem(line.question, line.id, line.answer) for line in found)


def demo_task() -> Gsm8k:
    """Word problems asked as briefly as a model of 135 million parameters needs it."""
    return Gsm8k(examples=_EXAMPLES, step_tokens_max=16, solution_tokens_max=32, instructions=_INSTRUCTIONS)
