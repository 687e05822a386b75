"""A server that is another kind of server than it was named as: told by what it says of who owns its models."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from types import MappingProxyType

import msgspec

from spex.engine.http import Http
from spex.errors import EngineError, InputError, Misbehaving

_KINDS: Mapping[str, str] = MappingProxyType({"sglang": "SGLang", "vllm": "vLLM", "llamacpp-server": "llama.cpp"})
_OWNERS: Mapping[str, str] = MappingProxyType({"sglang": "sglang", "vllm": "vllm", "llamacpp": "llamacpp-server"})


class _Model(msgspec.Struct, frozen=True):
    owned_by: str = ""


class _Models(msgspec.Struct, frozen=True):
    data: list[_Model]


@asynccontextmanager
async def told_of_another_kind(http: Http, kind: str, name: str, field: str = "policy") -> AsyncIterator[None]:
    """What fails inside with a server that is not of `kind`, but of another one that is known, is told as that.

    Raises `InputError` of `field`, whose value is `name`, in the place of an `InputError` of it and of `Misbehaving`.
    """
    try:
        yield
    except (InputError, Misbehaving) as error:
        if isinstance(error, InputError) and error.field != field:
            raise
        other = await _kind_at(http)
        if other is None or other == kind:
            raise
        told = f"it is a server of {_KINDS[other]}, and none of {_KINDS[kind]}: name it as {other}:{http.url}"
        raise InputError(field, name, told) from error


async def _kind_at(http: Http) -> str | None:
    """What engines for the server are called; None where it does not say."""
    with suppress(EngineError, InputError):
        for model in (await http.get("/v1/models", _Models)).data:
            if model.owned_by in _OWNERS:
                return _OWNERS[model.owned_by]
    return None
