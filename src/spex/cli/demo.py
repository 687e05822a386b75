"""`spex demo`: real problems, a real model in this process, two searches, plain and speculative in turn."""

from __future__ import annotations

import os
from pathlib import Path

from spex.cli import options as flag
from spex.cli.failures import interruptible
from spex.cli.settings import SolveSettings, load, told_as_typed, unknown_variables
from spex.cli.streams import say


def demo(
    model: flag.Model = None,
    limit: flag.Limit = None,
    seed: flag.Seed = None,
    config: flag.Config = None,
    json: flag.Json = None,
    quiet: flag.Quiet = None,
) -> int:
    """Solve a dozen small word problems with a small model by MCTS and by REBASE, plain and speculative.

    spex demo --limit 4
    """
    flags = {key: value for key, value in locals().items() if value not in (None, []) and key != "config"}
    for warning in unknown_variables(os.environ):
        say(warning)
    settings = load(SolveSettings, flags, None if config is None else Path(config))
    from spex.cli.demonstrating import show  # noqa: PLC0415  # the engine: when the input is right

    with interruptible(), told_as_typed(settings):
        return show(settings)
