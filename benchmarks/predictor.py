"""What predicting rewards wins over guessing them, and whether what is called 70 % likely happens in 70 %.

    python benchmarks/predictor.py [--queries N] [--concurrency C] [--seeds S] [--plot FILE.svg] [--out tables]

Each reward is predicted before it is known: as the mean of all rewards so far, as the parent's, and by the
learned predictor; the errors are means of squares over a whole speculating run, one run a seed. The second
table compares the probability of each speculated expansion at its start with the share that was demanded.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from spex.control.setup import Speculation
from spex.events import Event
from spex.search.rebase import Rebase
from spex.sim.simulate import Simulation
from spex.sim.workload import WORKLOADS
from spex.speculate.predictor import Errors, Predictor
from spex.speculate.rule import Foresight
from spex.speculate.runahead import RunAhead
from spex.tree import Tree

COMPARED = ("reference", "readable")


class Watching:
    """Our rule, which lets the run's predictor be seen."""

    def __init__(self) -> None:
        self.predictor: Predictor = Predictor()

    def begin(self, problem_id: str, tree: Tree, predictor: Predictor, seed: int) -> Foresight:  # noqa: ARG002
        self.predictor = predictor
        return RunAhead(tree, predictor, seed)


class Started:
    """Every expansion that was speculated, with its probability at its first start, and whether it was demanded."""

    def __init__(self) -> None:
        self._probabilities: dict[tuple[str, str], float] = {}
        self._demanded: set[tuple[str, str]] = set()

    def __call__(self, event: Event) -> None:
        if event.call is None or event.kind != "expand":
            return
        key = (event.query, event.call)
        if event.event == "started" and event.probability is not None:
            self._probabilities.setdefault(key, event.probability)
        elif event.event == "demanded":
            self._demanded.add(key)

    def outcomes(self) -> Iterable[tuple[float, bool]]:
        return ((probability, key in self._demanded) for key, probability in self._probabilities.items())


class Measured(NamedTuple):
    """One run: mean squared errors, and what became of its speculations."""

    constant: float
    parent: float
    learned: float
    outcomes: tuple[tuple[float, bool], ...]


def measure(workload: str, queries: int, concurrency: int, seed: int) -> Measured:
    """One speculating run of REBASE 16."""
    watching, started = Watching(), Started()
    simulation = Simulation(Rebase(width=16), WORKLOADS[workload], queries, concurrency, seed)
    simulation.run(Speculation(rule=watching), started)
    errors: Errors = watching.predictor.errors
    return Measured(
        errors.constant / errors.count,
        errors.parent / errors.count,
        errors.learned / errors.count,
        tuple(started.outcomes()),
    )


def calibration(outcomes: Iterable[tuple[float, bool]]) -> dict[float, tuple[int, float]]:
    """For each probability: how many were started with it, and the share of them that was demanded."""
    found: defaultdict[float, list[bool]] = defaultdict(list)
    for probability, demanded in outcomes:
        found[round(probability, 3)].append(demanded)
    return {probability: (len(found[probability]), fmean(found[probability])) for probability in sorted(found)}


def draw(path: Path, curves: Mapping[str, Mapping[float, tuple[int, float]]]) -> None:
    """Demanded share over probability, a line for each workload."""
    from matplotlib import rc_context  # noqa: PLC0415  # for those who plot
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(5.0, 5.0), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    for name, curve in curves.items():
        axes.plot(list(curve), [share for _, share in curve.values()], marker="o", label=name)
    axes.set(xlabel="probability at the start", ylabel="share that was demanded", xlim=(0, 1), ylim=(0, 1))
    axes.legend()
    with rc_context({"svg.hashsalt": "spex"}):  # the same figures give the same file
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else {})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=16)
    parser.add_argument("--concurrency", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--out", type=Path, help="a folder for predictor.md")
    options = parser.parse_args()
    curves: dict[str, dict[float, tuple[int, float]]] = {}
    lines = [
        "| workload | constant | parent's | learned | learned / best other (least–most over seeds) |",
        "|---|---|---|---|---|",
    ]
    for workload in COMPARED:
        runs = [measure(workload, options.queries, options.concurrency, 200 + seed) for seed in range(options.seeds)]
        lines.append(errors_line(workload, runs))
        curves[workload] = calibration(outcome for run in runs for outcome in run.outcomes)
    lines += ["", "| workload | probability | started | demanded |", "|---|---|---|---|"]
    for workload, curve in curves.items():
        lines += [f"| {workload} | {chance:.3f} | {count} | {share:.3f} |" for chance, (count, share) in curve.items()]
    if options.plot is not None:
        draw(options.plot, curves)
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        command = f"`python benchmarks/predictor.py {shlex.join(sys.argv[1:])}`"
        (options.out / "predictor.md").write_text("\n".join([command, "", *lines, ""]))
    print("\n".join(lines))


def errors_line(workload: str, runs: Sequence[Measured]) -> str:
    """Mean squared errors over the runs, and how ours stand to the better of the others."""
    constant, parent = fmean(run.constant for run in runs), fmean(run.parent for run in runs)
    learned = fmean(run.learned for run in runs)
    ratios = [run.learned / min(run.constant, run.parent) for run in runs]
    spread = f"{fmean(ratios):.3f} ({min(ratios):.3f}–{max(ratios):.3f})"
    return f"| {workload} | {constant:.5f} | {parent:.5f} | {learned:.5f} | {spread} |"


if __name__ == "__main__":
    main()
