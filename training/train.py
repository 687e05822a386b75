"""Trains a model: `python -m training.train COURSE FOLDER`, with each of policy, prm and own in turn.

Reads the folder's tokenizer and plays, and what the course before it has made; writes FOLDER/COURSE, and beside it a
line of figures now and then in FOLDER/COURSE.log.jsonl. What is kept is the state that does best on validation puzzles.
The PRM starts from what the policy has learned, and is at its end where it has seen the policy's own plays.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from math import cos, pi
from pathlib import Path
from typing import TypeAlias

import torch
from tokenizers import Tokenizer
from torch import Tensor
from transformers import LlamaForCausalLM

from training.batches import NOT_LEARNED, batches, policy_examples, prm_examples
from training.config import COURSES, Config, Course, read_config
from training.judged import prm_figures, validation_plays
from training.model import new_model, saved_model
from training.muon import Muon
from training.own_plays import own_plays
from training.plays import Play
from training.sampled import SAMPLES, policy_figures
from training.tokenizer import read_plays

_WARM_STEPS = 50
_WEIGHT_DECAY = 0.05
_NORM_MAX = 1.0

Figures: TypeAlias = Mapping[str, float]
Look: TypeAlias = Callable[[], tuple[float, Figures]]
"""How good a model is, the higher the better, and figures of it."""


def main(name: str, folder: Path) -> None:
    config = read_config()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    course = config.courses[name]
    plays = list(read_plays(folder / f"{name}.jsonl"))
    if name == "own":
        plays += islice(read_plays(folder / "prm.jsonl"), len(plays))
    if name == "policy":
        model = new_model(config.shape, config.seed)
        examples, look = policy_examples(tokenizer, plays, config.seed), _policy_look(model, tokenizer, config)
    else:
        model = saved_model(folder / COURSES[COURSES.index(name) - 1])
        judged = validation_plays(config)
        if name == "own":
            judged += own_plays(saved_model(folder / "policy"), tokenizer, _validation(config), config.seed)
        examples, look = prm_examples(tokenizer, plays, config.seed), _prm_look(model, tokenizer, judged)
    train(model, batches(examples, course.batch, config.seed), course, look, folder / name)


def _policy_look(model: LlamaForCausalLM, tokenizer: Tokenizer, config: Config) -> Look:
    def look() -> tuple[float, Figures]:
        figures = policy_figures(model, tokenizer, config.validation, config.seed)
        return figures["success"], figures

    return look


def _validation(config: Config) -> list[str]:
    return [" ".join(map(str, puzzle)) for puzzle in config.validation for _ in range(SAMPLES)]


def _prm_look(model: LlamaForCausalLM, tokenizer: Tokenizer, plays: Sequence[Play]) -> Look:
    def look() -> tuple[float, Figures]:
        figures = prm_figures(model, tokenizer, plays)
        return -figures["loss"], figures

    return look


def train(
    model: LlamaForCausalLM,
    drawn: Iterator[tuple[Tensor, Tensor]],
    course: Course,
    look: Look,
    folder: Path,
) -> None:
    """The course; the best state by the first number of `look` is in `folder` at the end."""
    optimisers, trunk = optimisers_of(model, course), torch.compile(model.model, dynamic=True)
    best, losses, started = float("-inf"), [], time.monotonic()
    with (folder.parent / f"{folder.name}.log.jsonl").open("w") as log:
        for step, (tokens, targets) in enumerate(islice(drawn, course.steps), start=1):
            for group in (group for optimiser in optimisers for group in optimiser.param_groups):
                group["lr"] = course.learning_rate * paced(step, course.steps)
            model.train()
            hidden = trunk(input_ids=tokens, use_cache=False).last_hidden_state
            losses.append(learn(model, hidden, targets, optimisers))
            if step % (course.steps // course.looks) and step != course.steps:
                continue
            rank, figures = look()
            line = {"step": step, "seconds": round(time.monotonic() - started), "loss_train": sum(losses) / len(losses)}
            losses = []
            log.write(json.dumps({**line, **figures}) + "\n")
            log.flush()
            if rank > best:
                best = rank
                model.save_pretrained(folder)


def optimisers_of(model: LlamaForCausalLM, course: Course) -> tuple[torch.optim.Optimizer, ...]:
    """Muon for the matrices within, AdamW for the embedding and the norms."""
    within = {name: value for name, value in model.named_parameters() if value.ndim == 2 and "embed" not in name}
    others = [value for name, value in model.named_parameters() if name not in within]
    return (
        Muon(within.values(), course.learning_rate, weight_decay=_WEIGHT_DECAY),
        torch.optim.AdamW(others, course.learning_rate, (0.9, 0.98), weight_decay=0.0),
    )


def learn(
    model: LlamaForCausalLM, hidden: Tensor, targets: Tensor, optimisers: Iterable[torch.optim.Optimizer]
) -> float:
    """One step; the loss is that of the tokens that are to be learned, nats each."""
    learned = targets != NOT_LEARNED
    loss = torch.nn.functional.cross_entropy(model.lm_head(hidden[learned]), targets[learned])
    model.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), _NORM_MAX)
    for optimiser in optimisers:
        optimiser.step()
    return float(loss.detach())


def paced(step: int, steps: int) -> float:
    """The part of the highest learning rate: up in a line, down to a twentieth by half a cosine."""
    if step < _WARM_STEPS:
        return step / _WARM_STEPS
    done = (step - _WARM_STEPS) / max(1, steps - _WARM_STEPS)
    return 0.05 + 0.95 * (1 + cos(pi * done)) / 2


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
