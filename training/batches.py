"""Plays as tensors: tokens, and what is to be learned at each of them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor

from training.model import BEGIN_ID, END_ID, PAD_ID
from training.plays import Play
from training.tokenizer import BAD, GOOD, text_of

NOT_LEARNED = -100
_GROUP = 16  # batches whose plays are sorted by length among themselves
_SHUFFLED = 0.2  # of the puzzles are asked in another order than the ascending one


@dataclass(frozen=True, slots=True)
class Example:
    """`targets[i]`: what should follow after the first i + 1 tokens, or `NOT_LEARNED`."""

    token_ids: list[int]
    targets: list[int]


def policy_examples(tokenizer: Tokenizer, plays: Sequence[Play], seed: int) -> list[Example]:
    """Each token of the moves, and the end, are to be learned; the puzzle is given."""
    line = only_id(tokenizer, "\n")
    examples = []
    for token_ids in _encoded(tokenizer, plays, seed):
        given = token_ids.index(line)
        targets = [*token_ids[1:], END_ID]
        examples.append(Example(token_ids, [NOT_LEARNED] * given + targets[given:]))
    return examples


def prm_examples(tokenizer: Tokenizer, plays: Sequence[Play], seed: int) -> list[Example]:
    """At the end of each line, the puzzle's included, a label is to be learned."""
    line, good, bad = (only_id(tokenizer, text) for text in ("\n", GOOD, BAD))
    examples = []
    for play, token_ids in zip(plays, _encoded(tokenizer, plays, seed), strict=True):
        labels = iter(play.alive)
        targets = [(good if next(labels) else bad) if token == line else NOT_LEARNED for token in token_ids]
        examples.append(Example(token_ids, targets))
    return examples


def batches(examples: Sequence[Example], size: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Without end: (tokens, targets), each of shape (size, longest); an epoch leaves out what fills no group."""
    chance = random.Random(seed)
    order = list(range(len(examples)))
    while True:
        chance.shuffle(order)
        for start in range(0, len(order) - _GROUP * size + 1, _GROUP * size):
            group = sorted(order[start : start + _GROUP * size], key=lambda number: len(examples[number].token_ids))
            parts = [group[place : place + size] for place in range(0, len(group), size)]
            chance.shuffle(parts)
            for part in parts:
                yield padded([examples[number] for number in part])


def padded(examples: Sequence[Example]) -> tuple[Tensor, Tensor]:
    """As tensors of the longest's length, padded on the right."""
    longest = max(len(example.token_ids) for example in examples)
    tokens = torch.full((len(examples), longest), PAD_ID)
    targets = torch.full((len(examples), longest), NOT_LEARNED)
    for row, example in enumerate(examples):
        tokens[row, : len(example.token_ids)] = torch.tensor(example.token_ids)
        targets[row, : len(example.targets)] = torch.tensor(example.targets)
    return tokens, targets


def only_id(tokenizer: Tokenizer, text: str) -> int:
    """The one token that `text` is."""
    (token_id,) = tokenizer.encode(text).ids
    return int(token_id)


def _encoded(tokenizer: Tokenizer, plays: Sequence[Play], seed: int) -> Iterator[list[int]]:
    chance = random.Random(seed)
    texts = [text_of(_asked(play, chance)) for play in plays]
    for encoding in tokenizer.encode_batch(texts):
        yield [BEGIN_ID, *encoding.ids]


def _asked(play: Play, chance: random.Random) -> Play:
    """The play, its puzzle now and then in another order."""
    if chance.random() >= _SHUFFLED:
        return play
    words = play.puzzle.split()
    chance.shuffle(words)
    return Play(" ".join(words), play.moves, play.alive)
