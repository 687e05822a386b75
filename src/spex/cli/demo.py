"""`spex demo`: a search to watch, plain and then speculative, with no model and no download."""

from __future__ import annotations

import asyncio
import os
from contextlib import nullcontext
from pathlib import Path

from spex.cli import options
from spex.cli.choice import chosen
from spex.cli.results import live_view
from spex.cli.settings import SharedSettings, SimulateSettings, load, unknown_variables
from spex.cli.streams import put, say
from spex.control.run import Run
from spex.control.setup import Speculation
from spex.errors import InvariantError
from spex.profile import Affine
from spex.render import tree_text
from spex.sim.simulate import Simulation, same_trees
from spex.sim.workload import Workload

# The reference workload, eight times as fast: long enough to watch, short enough to wait for.
_WORKLOAD = Workload("demo", curve=Affine(0.010 / 8, 0.00008 / 8), reward_seconds=0.040 / 8)


def demo(
    search: options.Search = None,
    set: options.Set = None,  # noqa: A002  # the flag's name
    seed: options.Seed = None,
    config: options.Config = None,
) -> None:
    """Watch one query on a simulated engine, plain and then speculative: the same tree, sooner.

    spex demo --search mcts --set iterations=16
    """
    flags = {key: value for key, value in locals().items() if value not in (None, []) and key != "config"}
    for warning in unknown_variables(os.environ):
        say(warning)
    settings = load(SimulateSettings, flags, None if config is None else Path(config))
    plain, speculative = _watched(settings, None), _watched(settings, Speculation())
    if not same_trees(plain, speculative):
        raise InvariantError(f"seed {settings.seed}: the trees differ")
    put(tree_text(speculative.solutions[0].tree, "the tree of both runs", nodes_max=20))
    put(f"plain {plain.seconds:.2f} s, speculative {speculative.seconds:.2f} s: the same tree, node for node")


def _watched(settings: SharedSettings, speculation: Speculation | None) -> Run:
    """One query in real time, on the screen where there is one."""
    search, rule = chosen(settings)
    simulation = Simulation(search, _WORKLOAD, queries=1, concurrency=1, seed=settings.seed, answer_rule=rule)
    live = live_view(1, quiet=False)
    with live or nullcontext():
        return asyncio.run(simulation.carry_out(speculation, live))
