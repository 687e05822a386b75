"""What the models can do: `python -m training.evaluate FOLDER` writes FOLDER/figures.json.

On the puzzles that are kept out: the success of single plays in the course of the training and at its end, and how well
the PRM tells what can still make 24, by the moves that are left, and apart for what was left by no play in training and
for what the policy itself plays.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from tokenizers import Tokenizer

from training.config import COURSES, Config, read_config
from training.judged import auc, judged, judgements, plays_of
from training.model import saved_model
from training.own_plays import own_plays
from training.plays import Play
from training.sampled import SAMPLES, policy_figures
from training.tokenizer import read_plays

_LEFT = re.compile(r"\(left: ([^)]*)\)")
_BINS = 10


class Judged(msgspec.Struct, frozen=True):
    """How states were judged.

    calibration: (mean score, part alive, states) for each tenth of the range of scores that has any.
    """

    states: int
    alive: float
    auc: float
    calibration_error: float
    calibration: list[tuple[float, float, int]]


def main(folder: Path) -> None:
    config = read_config()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    policy = saved_model(folder / "policy")
    kept_out = {"validation": config.validation, "test": config.test}
    figures = {
        "policy": {name: policy_figures(policy, tokenizer, puzzles, config.seed) for name, puzzles in kept_out.items()},
        "courses": {name: _logged(folder, name) for name in COURSES},
        "prm": {name: figures_of(entry) for name, entry in judged_test(config, tokenizer, folder).items()},
    }
    (folder / "figures.json").write_text(json.dumps(msgspec.to_builtins(figures), indent=1) + "\n")


def _logged(folder: Path, course: str) -> list[object]:
    """What was measured in the course of a training."""
    return [json.loads(line) for line in (folder / f"{course}.log.jsonl").read_text().splitlines()]


def judged_test(config: Config, tokenizer: Tokenizer, folder: Path) -> dict[str, list[tuple[float, bool]]]:
    """Judgements of plays of the test puzzles, by moves left, all and those of states that no training play left."""
    prm, policy = saved_model(folder / "own"), saved_model(folder / "policy")
    plays = plays_of(config.test, f"{config.seed} test")
    asked = [" ".join(map(str, puzzle)) for puzzle in config.test for _ in range(SAMPLES)]
    own = own_plays(policy, tokenizer, asked, config.seed)
    chances, own_chances = judged(prm, tokenizer, plays), judged(prm, tokenizer, own)
    seen = states_in(play for name in ("policy", "prm", "own") for play in read_plays(folder / f"{name}.jsonl"))
    found = {}
    for left in (2, 1, 0):
        told = judgements(plays, chances, left)
        found[f"{left} left"] = [pair for pair, _ in told]
        found[f"{left} left, unseen"] = [pair for pair, move in told if state_in(move) not in seen]
        found[f"{left} left, the policy's own"] = [pair for pair, _ in judgements(own, own_chances, left)]
    return found


def states_in(plays: Iterable[Play]) -> set[str]:
    """What was left after any line of any play, as it is written."""
    return {state_in(move) for play in plays for move in play.moves}


def state_in(move: str) -> str:
    """What a line says is left."""
    match = _LEFT.search(move)
    return match[1] if match else ""


def figures_of(pairs: Sequence[tuple[float, bool]]) -> Judged:
    """How (score, whether it is alive) agree; the calibration's error is the mean distance, weighted by states."""
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(_BINS)]
    for chance, label in pairs:
        bins[min(_BINS - 1, int(chance * _BINS))].append((chance, label))
    rows = [(_mean(c for c, _ in told), _mean(label for _, label in told), len(told)) for told in bins if told]
    error = sum(abs(score - part) * count for score, part, count in rows) / max(1, len(pairs))
    return Judged(len(pairs), _mean(label for _, label in pairs), auc(pairs), error, rows)


def _mean(values: Iterable[float]) -> float:
    known = list(values)
    return sum(known) / len(known) if known else float("nan")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
