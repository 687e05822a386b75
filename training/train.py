"""Trains a model: `python -m training.train policy FOLDER`, then `python -m training.train prm FOLDER`.

Reads the folder's tokenizer and plays; writes FOLDER/policy or FOLDER/prm, and beside it a line of figures now and then
in FOLDER/policy.log.jsonl. The PRM starts from what the policy has learned. What is kept is the state that does best on
validation puzzles.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from math import cos, pi
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor
from transformers import LlamaForCausalLM

from training.batches import NOT_LEARNED, batches, policy_examples, prm_examples
from training.config import Course, read_config
from training.judged import prm_figures, validation_plays
from training.model import new_model, saved_model
from training.muon import Muon
from training.sampled import policy_figures
from training.tokenizer import read_plays

_WARM_STEPS = 50
_LOOKS = 20  # at the validation puzzles, in the course of a training
_WEIGHT_DECAY = 0.05
_NORM_MAX = 1.0

Figures = Mapping[str, float]


def main(name: str, folder: Path) -> None:
    config = read_config()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    plays = list(read_plays(folder / f"{name}.jsonl"))
    if name == "policy":
        model = new_model(config.shape, config.seed)
        examples = policy_examples(tokenizer, plays, config.seed)

        def look() -> tuple[float, Figures]:
            figures = policy_figures(model, tokenizer, config.validation, config.seed)
            return figures["success"], figures
    else:
        model = saved_model(folder / "policy")
        examples = prm_examples(tokenizer, plays, config.seed)
        judged = validation_plays(config)

        def look() -> tuple[float, Figures]:
            figures = prm_figures(model, tokenizer, judged)
            return -figures["loss"], figures

    del plays
    train(model, batches(examples, config.courses[name].batch, config.seed), config.courses[name], look, folder / name)


def train(
    model: LlamaForCausalLM,
    drawn: Iterator[tuple[Tensor, Tensor]],
    course: Course,
    look: Callable[[], tuple[float, Figures]],
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
            if step % (course.steps // _LOOKS) and step != course.steps:
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
