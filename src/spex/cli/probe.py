"""`spex probe`: what an engine really does, measured and kept, so that runs start from it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spex.cli import options as flag
from spex.cli.failures import DONE, interruptible
from spex.cli.settings import SolveSettings, load, told_as_typed
from spex.errors import InputError

_WAITS = ("connect_seconds", "first_token_seconds", "token_gap_seconds")


def probe(
    engine: Annotated[
        str, typer.Argument(metavar="ENGINE", help="An engine as --policy takes it, or the address of a server.")
    ],
    out: Annotated[
        str | None, typer.Option("--out", metavar="FILE", help="Where to write the profile, if not under its name.")
    ] = None,
    seconds: Annotated[
        str, typer.Option("--seconds", metavar="N", help="Most seconds, from the first text on: 5 to 3600.")
    ] = "60",
    connect_seconds: flag.ConnectSeconds = None,
    first_token_seconds: flag.FirstTokenSeconds = None,
    token_gap_seconds: flag.TokenGapSeconds = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> int:
    """Measure an engine: its speed, and what of its seeds, aborts, cache and labels is as it says.

    spex probe vllm:http://127.0.0.1:8000

    The engine should have nothing else to do. What was measured is kept under the engine's name (in XDG_CACHE_HOME/spex
    or ~/.cache/spex), and `spex solve` starts from it as long as version and model are the same.
    """
    given = locals()
    settings = load(SolveSettings, {key: given[key] for key in _WAITS if given[key] is not None})
    limit_seconds = _seconds(seconds)
    from spex.cli.probing import measure  # noqa: PLC0415  # engines: when the input is right

    with interruptible(), told_as_typed(settings):
        measure(engine, None if out is None else Path(out), limit_seconds, as_json=as_json, waits=settings.waits)
    return DONE


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 5.0 <= value <= 3600.0:
        raise InputError("--seconds", text, "it must be a number from 5 to 3600")
    return value
