"""Successive halving, which is none of the searches that come with SPEX: a rule says what it wants, and that is all.

    python examples/custom_search.py

Conformance suite, speculation, call log and replay know nothing of the rule, and work. What it prints: the time that
each run took, what its model wrote, and whether its tree is the plain run's. The last run has the log alone to read.
"""

from dataclasses import dataclass
from functools import partial
from tempfile import TemporaryDirectory
from typing import NamedTuple

import spex
from spex import ROOT, Demand, Expand, NodeId, Outlook, Score, Stop, TreeView, child
from spex.testing import check_search


class State(NamedTuple):
    """`calls` make the nodes that are compared next; `ended` are the terminals among the best so far."""

    calls: tuple[Expand, ...]
    ended: tuple[NodeId, ...] = ()


@dataclass(frozen=True)
class Halving:
    """Of `width` first steps the better half goes on, of these the better half, ...; the last path is written out."""

    width: int = 16

    def start(self, seed: int) -> State:
        return State(tuple(Expand(ROOT, "step", index) for index in range(self.width)))

    def advance(self, state: State, tree: TreeView) -> tuple[State, Demand | Stop]:
        # To read is to demand: while something is missing it ends here, and is called again when that is there.
        tree.need(wanted for call in state.calls for wanted in (call, Score((child(call),))))
        nodes = [*state.ended, *(node for call in state.calls for node in tree.children(call))]
        best = sorted(nodes, key=lambda node: tree.score(Score((node,))), reverse=True)[: (len(nodes) + 1) // 2]
        ended = tuple(node for node in best if tree.step(node).terminal)
        if len(ended) == len(best) or best[0][-1].action == "solution":
            return State((), ended), Stop(ended)
        action = "step" if len(best) > 1 else "solution"
        return State(tuple(Expand(node, action) for node in best if node not in ended), ended), Demand(())

    def outlook(self, state: State, tree: TreeView) -> Outlook:
        return Outlook(answers=len(state.calls))


def write(prompt: str, seed: int) -> str:
    """Stands for a model: counts in sevens, and slips at times. A step is the first line of what it writes."""
    total = int((prompt.rpartition("Assistant: ")[2].split() or ["0"])[-1])
    return "".join(f"{n} + 7 = {n + 7 - (seed % 4 == 0)}\n\n" for n in range(total, 42, 7)) + "Answer: 42"


if __name__ == "__main__":
    check_search(Halving())
    policy = spex.FunctionPolicy(write, latency_seconds=0.1)
    reward = spex.FunctionReward(lambda text: 1 / (1 + int(text.split()[-1]) % 7), latency_seconds=0.1)
    solve = partial(spex.solve_sync, "What is 6 times 7?", policy=policy, reward=reward, search=Halving())
    with TemporaryDirectory() as folder:
        runs = solve(speculation=None), solve(log=f"{folder}/log"), solve(log=f"{folder}/log", speculation=None)
    for name, run in zip(("plain", "speculative", "replayed"), runs, strict=True):
        figures = f"{run.timings.latency_seconds:.2f} s, {run.usage.paid.generated} tokens written"
        print(f"{name}: {figures}, answer {run.answer}, same tree: {run.tree == runs[0].tree}")
