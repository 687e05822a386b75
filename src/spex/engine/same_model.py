"""A server that was started anew with another model: what it says is of no use to a run that began with the old one."""

from __future__ import annotations

from spex.errors import InputError

_SHOWN = 200


def refuse_other_model(found: str, known: str, name: str) -> None:
    """Raises `InputError` of the engine `name` where it now serves `found`, and not `known`; empty: it does not say."""
    if found and known and found != known:
        told = f"it serves {found[:_SHOWN]!r} now and served {known[:_SHOWN]!r} when the run began"
        raise InputError("policy", name, f"{told}: start it with that, or run anew")
