"""A run on the real clock that kills itself at its n-th call: `python -m tests.control.killed_program FOLDER NAME N`.

NAME.asked gets the seed of every call to the model (which is also its text), NAME.finished the name of
every call whose result was taken, NAME.trees the trees of a run that came to its end.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from spex.api import run
from spex.control.setup import Speculation
from spex.engine.function import FunctionPolicy
from spex.events import Event
from spex.ids import call_key
from spex.problem import Problem
from spex.record import CallLog
from spex.reward.function import FunctionReward
from spex.search.rebase import Rebase
from spex.seeds import draw
from spex.speculate.runahead import Effort
from spex.tree import Tree


class Model:
    """Writes its seeds, ends one path in three, and takes some milliseconds for it."""

    def __init__(self, asked: Path, calls_max: int) -> None:
        self._asked = asked
        self._left = calls_max

    async def write(self, prompt: str, seed: int) -> str:
        note(self._asked, str(seed))
        self._left -= 1
        if not self._left:
            os.kill(os.getpid(), signal.SIGKILL)
        await asyncio.sleep(0.001 + seed % 5 / 1000)
        ends = seed % 3 == 0 and prompt.count("thought") > 1
        return f"thought {seed}\nAnswer: {seed % 4}" if ends else f"thought {seed}\n\n"


async def judge(text: str) -> float:
    await asyncio.sleep(0.003)
    return draw(len(text), sum(text.encode()), 0)


def note(file: Path, line: str) -> None:
    """Hand a line to the system at once."""
    with file.open("a") as notes:
        notes.write(line + "\n")


async def go(folder: Path, name: str, calls_max: int, log: CallLog | Path) -> None:
    """Search three problems, and write down all that happens."""
    finished = folder / f"{name}.finished"

    def listen(event: Event) -> None:
        if event.event == "finished":
            note(finished, f"{event.query}|{event.call}")

    result = await run(
        [Problem(f"what is {number}?", f"p{number}") for number in range(3)],
        policy=FunctionPolicy(Model(folder / f"{name}.asked", calls_max).write),
        reward=FunctionReward(judge),
        search=Rebase(width=5, depth_max=4),
        speculation=Speculation(Effort(2, 8)),
        concurrency=2,
        on_event=listen,
        log=log,
    )
    trees = {solution.problem.id: [solution.answer, told(solution.tree)] for solution in result.solutions}
    (folder / f"{name}.trees").write_text(json.dumps(trees, sort_keys=True))


def told(tree: Tree) -> dict[str, object]:
    """A tree as JSON can say it."""
    texts = {call_key(call): [tree.steps[node].text for node in nodes] for call, nodes in tree.expansions.items()}
    return {**texts, **{call_key(call): list(values) for call, values in tree.scores.items()}}


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    asyncio.run(go(folder, sys.argv[2], int(sys.argv[3]), folder / "log"))
