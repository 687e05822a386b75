"""A server that was started anew with another model: what it says is of no use to a run that began with the old one."""

from __future__ import annotations

from spex.engine.base import SeedKind
from spex.errors import InputError

_SHOWN = 200


def refuse_other_model(found: str, known: str, name: str) -> None:
    """Raises `InputError` of the engine `name` where it now serves `found`, and not `known`; empty: it does not say."""
    if found and known and found != known:
        told = f"it serves {found[:_SHOWN]!r} now and served {known[:_SHOWN]!r} when the run began"
        raise InputError("policy", name, f"{told}: start it with that, or run anew")


def refuse_other_seeds(found: SeedKind, known: SeedKind, name: str) -> None:
    """Raises `InputError` of the engine `name` where its seeds are now of another kind than they were: another mode."""
    if found != known:
        told = f"its seeds are {found!r} now and were {known!r} when the run began"
        raise InputError("policy", name, f"{told}: start it with the same flags, or run anew")
