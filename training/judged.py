"""How well a PRM tells what can still make 24 from what cannot."""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch
from tokenizers import Tokenizer
from transformers import LlamaForCausalLM

from training.batches import NOT_LEARNED, only_id, padded, prm_examples
from training.config import Config
from training.plays import Play, mixed_play
from training.tokenizer import BAD, GOOD

_PLAYS_EACH = 32
_BATCH = 1024


def validation_plays(config: Config) -> list[Play]:
    """Plays of all kinds of each validation puzzle."""
    return plays_of(config.validation, f"{config.seed} validation")


def plays_of(puzzles: Sequence[tuple[int, ...]], seed: str) -> list[Play]:
    chance = random.Random(seed)
    return [mixed_play(puzzle, chance) for puzzle in puzzles for _ in range(_PLAYS_EACH)]


def prm_figures(model: LlamaForCausalLM, tokenizer: Tokenizer, plays: Sequence[Play]) -> dict[str, float]:
    """`loss` in nats a label, and the AUC by the moves that are left to make."""
    chances = judged(model, tokenizer, plays)
    told = [pair for play, row in zip(plays, chances, strict=True) for pair in zip(row, play.alive, strict=True)]
    figures = {"loss": _loss(told)}
    for left in (2, 1, 0):
        figures[f"auc_{left}_left"] = auc([pair for pair, _ in judgements(plays, chances, left)])
    return figures


def judgements(
    plays: Sequence[Play], chances: Sequence[Sequence[float]], left: int
) -> list[tuple[tuple[float, bool], str]]:
    """What was judged and what is so, with the line that was judged, where `left` moves are still to be made."""
    made = 3 - left
    return [
        ((row[made], play.alive[made]), play.moves[made - 1])
        for play, row in zip(plays, chances, strict=True)
        if len(play.moves) >= made
    ]


@torch.inference_mode()  # type: ignore[untyped-decorator]
def judged(model: LlamaForCausalLM, tokenizer: Tokenizer, plays: Sequence[Play]) -> list[list[float]]:
    """For each play, P(good) / (P(good) + P(bad)) after the puzzle and after each move."""
    model.eval()
    good, bad = only_id(tokenizer, GOOD), only_id(tokenizer, BAD)
    examples = prm_examples(tokenizer, plays, seed=0)
    found: list[list[float]] = []
    for start in range(0, len(examples), _BATCH):
        tokens, targets = padded(examples[start : start + _BATCH])
        two = model(input_ids=tokens, use_cache=False).logits[..., [good, bad]].softmax(-1)[..., 0]
        for row, target in zip(two, targets, strict=True):
            found.append(row[target != NOT_LEARNED].tolist())
    return found


def auc(pairs: Sequence[tuple[float, bool]]) -> float:
    """The chance that a good one is above a bad one, ties half; NaN where there is only one kind."""
    ranked = sorted(pairs)
    goods = sum(label for _, label in ranked)
    bads = len(ranked) - goods
    if not goods or not bads:
        return float("nan")
    above, place = 0.0, 0
    while place < len(ranked):
        end = place
        while end < len(ranked) and ranked[end][0] == ranked[place][0]:
            end += 1
        above += sum(label for _, label in ranked[place:end]) * (place + end + 1) / 2
        place = end
    return (above - goods * (goods + 1) / 2) / (goods * bads)


def _loss(pairs: Sequence[tuple[float, bool]]) -> float:
    told = torch.tensor([chance if label else 1.0 - chance for chance, label in pairs])
    return float(-told.clamp_min(1e-9).log().mean())
