"""What can be shown: problems, how they are asked and judged, and the searches.

`game24`: the Game of 24 by the small models that come with this package, on puzzles that they never saw: every eighth
of the hundred that are kept for tests (`training/game24.toml`). `words`: word problems by SmolLM2-135M-Instruct, chosen
by measurement (`scripts/measure_demo_problems.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType

import msgspec

from spex.engine.llamacpp import LlamaCpp
from spex.problem import Problem
from spex.reward.arithmetic import Arithmetic
from spex.reward.base import Reward
from spex.reward.prm import Prm
from spex.search.base import AnySearch
from spex.search.mcts import Mcts
from spex.search.rebase import Rebase
from spex.search.tot_bfs import TotBfs
from spex.tasks.base import Task
from spex.tasks.game24 import bare
from spex.tasks.gsm8k import Gsm8k

_PUZZLES = (
    "4 5 6 10",
    "1 3 5 9",
    "2 4 8 9",
    "6 7 8 11",
    "6 6 7 12",
    "3 4 9 13",
    "1 2 3 13",
    "3 4 6 8",
    "1 7 10 13",
    "1 5 12 12",
    "3 4 6 6",
    "5 5 8 13",
)
_GAME_SLOTS = 16
_GAME_CONTEXT_TOKENS = 256
_WORDS_CONTEXT_TOKENS = 512

_COMPUTE_BOUND = "llama.cpp on a CPU is compute-bound at once with this model: the gain is small."

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


@dataclass(frozen=True, slots=True)
class Programme:
    """One demonstration. samples: of each problem without a search, one for each slot, which fill the prompt caches.

    policy: the engine for a GGUF file, or for the usual model. remark: what is to be known of it, a line each.
    """

    name: str
    problems: Sequence[Problem]
    task: Task
    policy: Callable[[str | Path | None], LlamaCpp]
    reward: Callable[[], Reward]
    searches: Mapping[str, AnySearch]
    samples: int
    temperature: float
    remark: tuple[str, ...] = ()


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    question: str
    answer: str


def programmes() -> Mapping[str, Programme]:
    """All of them by name, the usual one first."""
    return MappingProxyType({"game24": game24(), "words": words()})


def game24() -> Programme:
    """Twelve puzzles, with a PRM that was trained on the game."""
    return Programme(
        name="game24",
        problems=tuple(Problem(puzzle, f"game24-{puzzle.replace(' ', '-')}") for puzzle in _PUZZLES),
        task=bare(),
        policy=lambda model: LlamaCpp(model or "game24-policy", slots=_GAME_SLOTS, context_tokens=_GAME_CONTEXT_TOKENS),
        reward=lambda: Prm(LlamaCpp("game24-prm", slots=_GAME_SLOTS, context_tokens=_GAME_CONTEXT_TOKENS), "game24"),
        searches={
            "rebase": Rebase(width=16, depth_max=3),
            "tot-bfs": TotBfs(children=8, keep=5, depth_max=3),
            "mcts": Mcts(iterations=32, children=8, depth_max=3),
        },
        samples=_GAME_SLOTS,
        temperature=1.0,
    )


def words() -> Programme:
    """A dozen word problems, asked as briefly as a model of 135 million parameters needs it."""
    return Programme(
        name="words",
        problems=_word_problems(),
        task=Gsm8k(examples=_EXAMPLES, step_tokens_max=16, solution_tokens_max=32, instructions=_INSTRUCTIONS),
        policy=lambda model: LlamaCpp(model, slots=4, context_tokens=_WORDS_CONTEXT_TOKENS),
        reward=Arithmetic,
        searches={
            "rebase": Rebase(width=4, depth_max=4),
            "mcts": Mcts(iterations=4, children=3, depth_max=4),
        },
        samples=4,
        temperature=0.7,
        remark=(_COMPUTE_BOUND,),
    )


def _word_problems() -> tuple[Problem, ...]:
    """In the order of the file."""
    lines = files("spex.demo").joinpath("demo.jsonl").read_bytes().splitlines()
    found = (msgspec.json.decode(line, type=_Line) for line in lines)
    return tuple(Problem(line.question, line.id, line.answer) for line in found)
