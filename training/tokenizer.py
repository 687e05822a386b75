"""Trains the tokenizer, a byte-level BPE: `python -m training.tokenizer FOLDER` reads its plays, writes tokenizer.json.

It is of GPT-2's kind, which every engine has: any text can be read, and no text becomes a control token.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from training.config import read_config
from training.plays import Play

BEGIN, END, PAD = "<s>", "</s>", "<pad>"
GOOD, BAD = "+", "-"
_PLAYS = 50_000


def main(folder: Path) -> None:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=read_config().shape.vocabulary,
        special_tokens=[BEGIN, END, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(folder), trainer)
    tokenizer.save(str(folder / "tokenizer.json"))


def text_of(play: Play) -> str:
    """A play as the models see it, without control tokens: the puzzle and the moves, a line each."""
    return "".join(f"{line}\n" for line in (play.puzzle, *play.moves))


def read_plays(file: Path) -> Iterator[Play]:
    decoder = msgspec.json.Decoder(Play)
    with file.open("rb") as lines:
        yield from map(decoder.decode, lines)


def _texts(folder: Path) -> Iterator[str]:
    for number, play in enumerate(read_plays(folder / "policy.jsonl")):
        if number == _PLAYS:
            break
        yield text_of(play)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
