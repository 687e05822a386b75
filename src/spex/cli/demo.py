"""`spex demo`: a search to watch, plain and then speculative, with no model and no download."""

from __future__ import annotations

import os
from pathlib import Path

from spex.cli import options as flag
from spex.cli.failures import interruptible
from spex.cli.settings import SimulateSettings, load, unknown_variables
from spex.cli.streams import say


def demo(
    search: flag.Search = None,
    set: flag.Set = None,  # noqa: A002  # the flag's name
    seed: flag.Seed = None,
    config: flag.Config = None,
) -> None:
    """Watch one query on a simulated engine, plain and then speculative: the same tree, sooner.

    spex demo --search mcts --set iterations=16
    """
    flags = {key: value for key, value in locals().items() if value not in (None, []) and key != "config"}
    for warning in unknown_variables(os.environ):
        say(warning)
    settings = load(SimulateSettings, flags, None if config is None else Path(config))
    from spex.cli.comparing import watch  # noqa: PLC0415  # the simulator: when the input is right

    with interruptible():
        watch(settings)
