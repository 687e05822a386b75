"""`spex version`."""

from __future__ import annotations

from spex import __version__
from spex.cli.streams import put


def version() -> None:
    """Print the version."""
    put(f"spex {__version__}")
