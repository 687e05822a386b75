"""`spex probe`: what an engine really does, measured and kept, so that runs start from it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spex.cli.failures import DONE, interruptible
from spex.errors import InputError


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
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> int:
    """Measure an engine: its speed, and what of its seeds, aborts, cache and labels is as it says.

    spex probe vllm:http://127.0.0.1:8000

    The engine should have nothing else to do. What was measured is kept under the engine's name (in XDG_CACHE_HOME/spex
    or ~/.cache/spex), and `spex solve` starts from it as long as version and model are the same.
    """
    limit_seconds = _seconds(seconds)
    from spex.cli.probing import measure  # noqa: PLC0415  # engines: when the input is right

    with interruptible():
        measure(engine, None if out is None else Path(out), limit_seconds, as_json=as_json)
    return DONE


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 5.0 <= value <= 3600.0:
        raise InputError("--seconds", text, "it must be a number from 5 to 3600")
    return value
