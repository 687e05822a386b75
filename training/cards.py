"""The models' cards, from what was measured."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from math import isnan
from pathlib import Path
from textwrap import fill
from typing import Any

from training.config import Config, read_config

_HEAD = """\
---
license: apache-2.0
language: en
library_name: transformers
---

# {title}

{about}

A Llama of {parameters:.1f} million parameters ({layers} layers of width {width}, {heads} heads, a byte-level BPE of
{vocabulary} tokens, context {context}), float16. It was made by `training/` of SPEX, with `training/game24.toml` as the
recipe; the seeds are fixed.
"""

_POLICY = """\
The policy of a search for the Game of 24 (Yao et al. 2023, arXiv 2305.10601): it reads four numbers and writes three
moves, such as `9 - 7 = 2 (left: 2 3 5)`, a line each, then ends. It reads a puzzle alone, without instructions or
examples: `--task game24-bare`."""

_PRM = """\
A process reward model for the Game of 24 (Yao et al. 2023, arXiv 2305.10601): after each line of a play, the
probability of `+` against `-` as the next token says whether the numbers that are left can still make 24. It judges any
play that is written as `9 - 7 = 2 (left: 2 3 5)`, a line a move behind the puzzle: `--reward prm:game24@ENGINE`."""

_DATA = (
    "{plays:,} plays, made by chance from exact search over rational numbers (`training/plays.py`). {kind} {puzzles}"
    " None has the four numbers of a test puzzle (the {test} of ranks 901 to 1000, named in `training/game24.toml`) or"
    " of a validation puzzle ({validation} others, a tenth of the rest, drawn by the seed); what is left after a move"
    " or two may occur on both sides."
)

_KINDS = {
    "policy": "Each move is drawn evenly among those after which 24 can still be made and that make nothing negative.",
    "prm": "Half of the moves are such that 24 can still be made, the others any; one play in ten ends in a line that"
    " is no legal move. The label after each line is whether 24 can be made of what is left. A second course (`own`)"
    " adds {own:,} plays of the policy itself, up to their first false line: it writes some that leave what 24 can be"
    " made of.",
}

_PUZZLES = {
    "policy": "Puzzles are of 1 to 13 or of 1 to {high}, by halves; one that cannot make 24 is drawn again from both,"
    " so that about six in ten are of 1 to 13.",
    "prm": "Half of the puzzles are of 1 to 13, half of 1 to {high}.",
}

_LIMITS = {
    "policy": "It knows nothing else: other numbers than 1 to 24 (a 0 is one), other targets and any other text are out"
    " of its reach. It has seen plays that win alone: where it sees no way it writes a false line rather than lose, and"
    " of a puzzle that cannot make 24 it writes nothing else. Check its moves, as the task does.",
    "prm": "It knows nothing else. It believes some false lines, those that its policy writes among them (`own` above)."
    " Most states of the test puzzles have been seen in training; of those that have not, the table has rows of their"
    " own, and with two moves left it tells little of them. It is less sure of negative numbers and fractions, which"
    " are rarer, and of numbers that games of 1 to 24 do not lead to. A text that is no play gets a score without"
    " meaning.",
}


def card(name: str, folder: Path) -> str:
    """The card of `policy` or `prm`, in Markdown."""
    config = read_config()
    figures = json.loads((folder / "figures.json").read_text())
    shape = config.shape
    head = _HEAD.format(
        title=f"game24-{name}",
        about=_POLICY if name == "policy" else _PRM,
        parameters=parameters(config) / 1e6,
        layers=shape.layers,
        width=shape.width,
        heads=shape.heads,
        vocabulary=shape.vocabulary,
        context=shape.context,
    )
    data = _DATA.format(
        plays=config.plays[name],
        kind=_KINDS[name].format(own=config.plays["own"]),
        puzzles=_PUZZLES[name].format(high=config.high),
        test=len(config.test),
        validation=len(config.validation),
    )
    told = _policy_figures(figures) if name == "policy" else _prm_figures(figures)
    return "\n".join([head, _part("Data", data), "## Figures\n", *told, "", _part("Limits", _LIMITS[name])])


def _part(title: str, text: str) -> str:
    return f"## {title}\n\n{fill(text, 120, break_on_hyphens=False, break_long_words=False)}\n"


def parameters(config: Config) -> int:
    """The number of them; the embedding is the head, too."""
    shape = config.shape
    layer = 4 * shape.width**2 + 3 * shape.width * shape.feed_forward + 2 * shape.width
    return shape.vocabulary * shape.width + shape.layers * layer + shape.width


def _policy_figures(figures: Mapping[str, Any]) -> Iterator[str]:
    yield "Single plays at temperature 1 that make 24 (`python -m training.evaluate`), plays that are legal to their"
    yield "end, and puzzles solved by any of 8 plays:"
    yield ""
    yield "| puzzles | single play | legal | any of 8 |"
    yield "| --- | --- | --- | --- |"
    for name, told in figures["policy"].items():
        yield f"| {name} | {told['success']:.1%} | {told['legal']:.1%} | {told['solved_of_8']:.1%} |"
    yield ""
    yield "In the course of training, on the validation puzzles; the best state is kept, by single plays. The best of"
    yield "many looks at 8 plays a puzzle is lucky, too: the table above asks the state that was kept once more."
    yield ""
    yield "| step | loss, nats a token | single play | any of 8 |"
    yield "| --- | --- | --- | --- |"
    for told in figures["courses"]["policy"]:
        success, any_of = f"{told['success']:.1%}", f"{told['solved_of_8']:.1%}"
        yield f"| {told['step']} | {told['loss_train']:.3f} | {success} | {any_of} |"


def _prm_figures(figures: Mapping[str, Any]) -> Iterator[str]:
    yield "On plays of all kinds of the test puzzles, by the moves that are left to make; `unseen`: what is left was"
    yield "left by no play in training; `the policy's own`: its plays (`python -m training.evaluate`). The error of"
    yield "calibration is the mean distance, over tenths of the range of scores, between the mean score and the part"
    yield "that can make 24."
    yield ""
    yield "| moves left | states | can make 24 | AUC | calibration error |"
    yield "| --- | --- | --- | --- | --- |"
    for name, told in figures["prm"].items():
        if not told["states"]:
            yield f"| {name} | 0 | | | |"
            continue
        auc = "" if isnan(told["auc"]) else f"{told['auc']:.4f}"
        yield f"| {name} | {told['states']} | {told['alive']:.1%} | {auc} | {told['calibration_error']:.3f} |"
    yield ""
    yield "In the course of training, on plays of the validation puzzles, in `own` with the policy's, too; the state of"
    yield "the least loss is kept:"
    yield ""
    yield "| course | step | loss, nats a label | AUC, 2 left | AUC, 1 left | AUC, 0 left |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for course in ("prm", "own"):
        for told in figures["courses"][course]:
            aucs = " | ".join(f"{told[f'auc_{left}_left']:.4f}" for left in (2, 1, 0))
            yield f"| {course} | {told['step']} | {told['loss']:.3f} | {aucs} |"
