"""What is in `game24.toml`, and which puzzles are whose."""

from __future__ import annotations

import random
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spex.tasks.game24_puzzles import game24_puzzles

COURSES = ("policy", "prm", "own")
"""In their order: each begins with what the one before it has learned."""

FILE = Path(__file__).parent / "game24.toml"


@dataclass(frozen=True, slots=True)
class Shape:
    """A Llama: `heads` of width / heads; sizes in numbers."""

    vocabulary: int
    width: int
    layers: int
    heads: int
    feed_forward: int
    context: int


@dataclass(frozen=True, slots=True)
class Course:
    """A training: sequences a batch, steps of the optimiser, the highest learning rate, looks at what is learned."""

    batch: int
    steps: int
    learning_rate: float
    looks: int


@dataclass(frozen=True, slots=True)
class Config:
    """`test`, `validation`: puzzles that no training sees, each as four ascending numbers."""

    seed: int
    test: tuple[tuple[int, ...], ...]
    validation: tuple[tuple[int, ...], ...]
    train: tuple[tuple[int, ...], ...]
    high: int
    plays: dict[str, int]
    shape: Shape
    courses: dict[str, Course]

    @property
    def kept_out(self) -> frozenset[tuple[int, ...]]:
        return frozenset((*self.test, *self.validation))


def read_config(file: Path = FILE) -> Config:
    """The configuration; `train` has the puzzles of 1 to 13 that are left to train on."""
    table: dict[str, Any] = tomllib.loads(file.read_text())
    test = tuple(numbers(puzzle) for puzzle in table["split"]["test"])
    rest = [puzzle for puzzle in map(numbers, (problem.text for problem in game24_puzzles())) if puzzle not in test]
    random.Random(table["seed"]).shuffle(rest)
    count = round(table["split"]["validation_part"] * len(rest))
    return Config(
        seed=table["seed"],
        test=test,
        validation=tuple(sorted(rest[:count])),
        train=tuple(sorted(rest[count:])),
        high=table["plays"]["high"],
        plays={name: table["plays"][name] for name in ("policy", "prm", "own")},
        shape=Shape(**table["model"]),
        courses={name: Course(**table[name]) for name in COURSES},
    )


def numbers(puzzle: str) -> tuple[int, ...]:
    """A puzzle's numbers, ascending."""
    return tuple(sorted(map(int, puzzle.split())))
