"""Makes the plays to train on: `python -m training.plays FOLDER` writes FOLDER/policy.jsonl and FOLDER/prm.jsonl.

The policy sees only moves after which 24 can still be made, drawn evenly among them: what a player who never errs
might do. The PRM sees all kinds of play, and after each move whether 24 can still be made: half of the moves are such
a player's, the others any; one play in ten ends in a line that is no move, which is bad whatever it leaves.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import msgspec

from training.config import Config, read_config
from training.moves import Move, State, alive, moves, state_of, winning

_ERRS = 0.1


class Play(msgspec.Struct, frozen=True):
    """A puzzle and moves; `alive[i]`: whether 24 can be made after i moves."""

    puzzle: str
    moves: tuple[str, ...]
    alive: tuple[bool, ...]


def main(folder: Path) -> None:
    config = read_config()
    folder.mkdir(parents=True, exist_ok=True)
    for name, makes in (("policy", policy_plays), ("prm", prm_plays)):
        with (folder / f"{name}.jsonl").open("wb") as file:
            for play in makes(config):
                file.write(msgspec.json.encode(play) + b"\n")


def policy_plays(config: Config) -> Iterator[Play]:
    """Plays that make 24."""
    chance = random.Random(f"{config.seed} policy")
    made = 0
    while made < config.plays["policy"]:
        puzzle = drawn(config, chance)
        state = state_of(puzzle)
        if alive(state):
            yield _play(puzzle, _won(state, chance))
            made += 1


def prm_plays(config: Config) -> Iterator[Play]:
    """Plays of all kinds."""
    chance = random.Random(f"{config.seed} prm")
    for _ in range(config.plays["prm"]):
        puzzle = drawn(config, chance)
        yield mixed_play(puzzle, chance)


def mixed_play(puzzle: tuple[int, ...], chance: random.Random) -> Play:
    """A play of any kind."""
    state = state_of(puzzle)
    errs_at = chance.randrange(3) if chance.random() < _ERRS else None
    lines: list[str] = []
    living = [alive(state)]
    for number in range(3):
        good = winning(state)
        move = chance.choice(good if good and chance.random() < 0.5 else moves(state))
        if number == errs_at:
            return _finished(puzzle, [*lines, wrong(move, state, chance)], [*living, False])
        state = move.after
        lines.append(move.text)
        living.append(alive(state))
    return _finished(puzzle, lines, living)


def wrong(move: Move, state: State, chance: random.Random) -> str:
    """The line of a move with another result, another list, or numbers that are not there."""
    left, sign, right = move.text.split()[:3]
    off = move.result + chance.choice((-10, -2, -1, 1, 2, 10))
    after = list(move.after)
    kind = chance.randrange(3)
    if kind == 0:  # a wrong result, which goes into the list as it is
        after[after.index(move.result)] = off
        return f"{left} {sign} {right} = {off} (left: {_listed(after)})"
    if kind == 1:  # a list that says something else
        if len(after) > 1 and chance.random() < 0.5:
            del after[chance.randrange(len(after))]
        else:
            after[chance.randrange(len(after))] += chance.choice((-2, -1, 1, 2))
        return f"{left} {sign} {right} = {move.result} (left: {_listed(after)})"
    number = chance.choice([n for n in range(1, 14) if n not in state])
    return f"{number} {sign} {right} = {move.result} (left: {_listed(after)})"


def drawn(config: Config, chance: random.Random) -> tuple[int, ...]:
    """A puzzle to train on: of 1 to 13 those that can be solved, of 1 to `high` any; none that is kept out."""
    if chance.random() < 0.5:
        return chance.choice(config.train)
    while True:
        puzzle = tuple(sorted(chance.randint(1, config.high) for _ in range(4)))
        if puzzle not in config.kept_out:
            return puzzle


def _won(state: State, chance: random.Random) -> list[Move]:
    played = []
    while len(state) > 1:
        played.append(chance.choice(winning(state)))
        state = played[-1].after
    return played


def _play(puzzle: tuple[int, ...], played: list[Move]) -> Play:
    return Play(" ".join(map(str, puzzle)), tuple(move.text for move in played), (True,) * (len(played) + 1))


def _finished(puzzle: tuple[int, ...], lines: list[str], living: list[bool]) -> Play:
    return Play(" ".join(map(str, puzzle)), tuple(lines), tuple(living))


def _listed(after: list[Fraction]) -> str:
    return " ".join(map(str, sorted(after)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
