"""`spex version`."""

from __future__ import annotations

from typing import Annotated

import typer

from spex import __version__
from spex.cli.streams import put, put_json


def version(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """Print the version."""
    if as_json:
        put_json({"spex": 1, "version": __version__})
    else:
        put(f"spex {__version__}")
