"""The control tokens that a form names: the one way in which a text becomes one, and never for what a model wrote."""

from __future__ import annotations

from collections.abc import Sequence

from spex.engine.abilities import namer_of
from spex.engine.base import Engine
from spex.errors import InputError


async def control_token(engine: Engine, field: str, name: str) -> int:
    """The control token called `name`. Raises `InputError`, naming `field` of the form, and `EngineError`.

    An id that a form gave itself would end a server whose vocabulary is smaller; a name is no token of another model.
    """
    reader = namer_of(engine)
    if reader is None:
        raise InputError(f"form.{field}", name, f"{engine.name} does not say what its control tokens are")
    return only_token(await reader.tokens(name), field, name, engine.name)


def only_token(token_ids: Sequence[int], field: str, text: str, engine_name: str) -> int:
    """The one token that `text` is. Raises `InputError`, naming `field` of the form."""
    if len(token_ids) != 1:
        told = f"it must be one token of the model of {engine_name}, and it is {len(token_ids)}"
        raise InputError(f"form.{field}", text, told)
    return token_ids[0]
