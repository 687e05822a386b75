"""Engines by name: `llamacpp`, or with what it should load or ask: `llamacpp:/path/model.gguf`, `sglang:URL`.

Behind the address of a server that has several models, `#` and the name of one: `vllm:URL#name`. Several servers of one
model are one engine: `sglang:URL,URL`.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import TYPE_CHECKING, Any

from spex.catalog import Catalog
from spex.engine.base import Engine
from spex.engine.spread import Spread
from spex.errors import InputError

if TYPE_CHECKING:
    from spex.engine.http import Deadlines

ENGINES: Catalog[Engine] = Catalog(
    "policy",
    "spex.engines",
    {
        "llamacpp": "spex.engine.llamacpp:LlamaCpp",
        "llamacpp-server": "spex.engine.llamacpp_server:LlamaCppServer",
        "openai": "spex.engine.openai:OpenAI",
        "openai-chat": "spex.engine.openai:OPENAI_CHAT",
        "sglang": "spex.engine.sglang:Sglang",
        "sglang-local": "spex.engine.sglang_local:SglangLocal",
        "vllm": "spex.engine.vllm:Vllm",
    },
)


def find_engine(spec: str, deadlines: Deadlines | None = None) -> Engine:
    """The engine that `spec` (NAME or NAME:MODEL) names, not yet open. Raises `InputError`.

    deadlines: for an engine that has some, if not its usual ones.
    """
    if is_address(spec):
        told = "put the kind before the address, as sglang:http://127.0.0.1:30000; `spex probe URL` says which it is"
        raise InputError("policy", None if "@" in spec else spec, told)
    name, _, model = spec.partition(":")
    factory = ENGINES.load(name)
    more = _told(factory, deadlines)
    several = [one.partition(":")[2] for one in addresses(spec)]
    try:
        if len(several) > 1:
            return Spread(spec, [factory(address, **more) for address in several])
        return factory(model, **more) if model else factory(**more)
    except InputError as error:
        if error.field != "url":
            raise
        # What may be a password in an address is not repeated.
        raise InputError("policy", None if error.value is None else spec, error.allowed) from error


def _told(factory: Callable[..., Engine], deadlines: Deadlines | None) -> dict[str, Any]:
    """What the engine is told beside its model: a plug-in's, and one in this process, may have no deadlines."""
    return {} if deadlines is None or "deadlines" not in signature(factory).parameters else {"deadlines": deadlines}


def is_address(spec: str) -> bool:
    """Whether `spec` is the address of a server, and names no engine."""
    return spec.startswith(("http://", "https://"))


def addresses(spec: str) -> list[str]:
    """The servers that `spec` names, each as NAME:URL; where what it names is no address it is one, as it stands."""
    name, _, model = spec.partition(":")
    several = model.split(",")
    return [f"{name}:{address}" for address in several] if "://" in several[0] else [spec]
