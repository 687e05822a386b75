"""Engines by name: `llamacpp`, or with what it should load or ask: `llamacpp:/path/model.gguf`, `sglang:URL`.

Behind the address of a server that has several models, `#` and the name of one: `vllm:URL#name`. Several servers of one
model are one engine: `sglang:URL,URL`.
"""

from __future__ import annotations

from spex.catalog import Catalog
from spex.engine.base import Engine
from spex.engine.spread import Spread

ENGINES: Catalog[Engine] = Catalog(
    "policy",
    "spex.engines",
    {
        "llamacpp": "spex.engine.llamacpp:LlamaCpp",
        "openai": "spex.engine.openai:OpenAI",
        "sglang": "spex.engine.sglang:Sglang",
        "vllm": "spex.engine.vllm:Vllm",
    },
)


def find_engine(spec: str) -> Engine:
    """The engine that `spec` (NAME or NAME:MODEL) names, not yet open. Raises `InputError`."""
    name, _, model = spec.partition(":")
    factory = ENGINES.load(name)
    addresses = model.split(",")
    if len(addresses) > 1 and "://" in addresses[0]:
        return Spread(spec, [factory(address) for address in addresses])
    return factory(model) if model else factory()
