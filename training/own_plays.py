"""Has the policy play: `python -m training.own_plays FOLDER` writes FOLDER/own.jsonl, its plays with exact labels.

The policy has seen only plays that win, and rather writes a false line than lose: one that leaves what 24 can be made
of. A PRM that knows made-up errors alone judges what is left, and believes it; so it is shown the policy's own.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
from tokenizers import Tokenizer
from transformers import LlamaForCausalLM

from spex.tasks.expression import number
from spex.tasks.game24_moves import board_of, moved
from training.config import Config, numbers, read_config
from training.model import saved_model
from training.moves import alive, state_of
from training.plays import Play, drawn
from training.sampled import sampled

_AT_ONCE = 1024


def main(folder: Path) -> None:
    config = read_config()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    with (folder / "own.jsonl").open("wb") as file:
        for play in own_plays(saved_model(folder / "policy"), tokenizer, asked(config), config.seed):
            file.write(msgspec.json.encode(play) + b"\n")


def asked(config: Config) -> list[str]:
    """Puzzles to play: those of training."""
    chance = random.Random(f"{config.seed} own")
    return [" ".join(map(str, drawn(config, chance))) for _ in range(config.plays["own"])]


def own_plays(model: LlamaForCausalLM, tokenizer: Tokenizer, puzzles: Sequence[str], seed: int) -> list[Play]:
    """A play of each puzzle, up to its first line that is no legal move, which is bad."""
    plays = []
    for start in range(0, len(puzzles), _AT_ONCE):
        part = puzzles[start : start + _AT_ONCE]
        texts = sampled(model, tokenizer, part, seed + start)
        plays += [labelled(puzzle, text) for puzzle, text in zip(part, texts, strict=True)]
    return plays


def labelled(puzzle: str, text: str) -> Play:
    """The lines of a play with what is so after each."""
    board = board_of(map(number, numbers(puzzle)))
    lines: list[str] = []
    living = [alive(state_of(numbers(puzzle)))]
    for line in text.split("\n")[:3]:
        after = moved(board, line)
        lines.append(line)
        if after is None:
            living.append(False)
            break
        living.append(alive(state_of(one.value for one in after)))
        board = after
    return Play(puzzle, tuple(lines), tuple(living))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
