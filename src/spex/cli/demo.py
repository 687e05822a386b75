"""`spex demo`: real problems, real models in this process, several searches, plain and speculative in turn."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from spex.cli import options as flag
from spex.cli.failures import interruptible
from spex.cli.settings import SolveSettings, load, told_as_typed, unknown_variables
from spex.cli.streams import say

_FLAGS_APART = ("programme", "config")


def demo(
    programme: Annotated[str, typer.Argument(metavar="[game24|words]", help="What to show.")] = "game24",
    model: flag.Model = None,
    limit: flag.Limit = None,
    seed: flag.Seed = None,
    config: flag.Config = None,
    json: flag.Json = None,
    quiet: flag.Quiet = None,
) -> int:
    """Play a dozen Games of 24 with small models trained on it, or solve word problems, plain and speculative.

    spex demo --limit 4

    spex demo words
    """
    flags = {key: value for key, value in locals().items() if value not in (None, []) and key not in _FLAGS_APART}
    for warning in unknown_variables(os.environ):
        say(warning)
    settings = load(SolveSettings, flags, None if config is None else Path(config))
    from spex.cli.demonstrating import show  # noqa: PLC0415  # the engine: when the input is right

    with interruptible(), told_as_typed(settings):
        return show(programme, settings)
