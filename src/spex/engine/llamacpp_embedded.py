"""llama.cpp's server in this process: how it is started, and let go of."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from spex.engine.base import Capabilities
from spex.engine.llamacpp_drafts import LocalDraft
from spex.engine.llamacpp_library import xllamacpp
from spex.errors import InputError

_BATCH_TOKENS = 32


def program() -> str:
    """What runs the model, with its version; empty where it is not installed."""
    try:
        return f"xllamacpp {version('xllamacpp')}"
    except PackageNotFoundError:
        return ""


def started(model: Path, key: str, capabilities: Capabilities, threads: int, draft: LocalDraft | None = None) -> Any:
    """A server of `model` on loopback that wants `key`.

    Raises `InputError` for a file that it cannot load, and where the package is not installed.
    """
    library = xllamacpp()
    parameters = library.CommonParams()
    parameters.model.path = str(model)
    parameters.n_parallel = capabilities.slots
    parameters.n_ctx = (capabilities.context_tokens or 0) * capabilities.slots
    # Small batches: an abort takes effect between two of them, and who is first need not wait for the last.
    parameters.n_batch = parameters.n_ubatch = max(_BATCH_TOKENS, capabilities.slots)
    parameters.api_keys = [key]
    parameters.endpoint_slots = True
    parameters.verbosity = -1
    parameters.cache_ram_mib = 0
    parameters.warmup = False
    parameters.cpuparams.n_threads = threads
    parameters.cpuparams_batch.n_threads = threads
    if draft is not None:
        draft.put_into(parameters, threads)
    try:
        return library.Server(parameters)
    except RuntimeError as error:
        beside = "" if draft is None else f" with the draft {draft.source}"
        raise InputError("model", str(model), f"llama.cpp cannot load it{beside}: {error}") from error


def ended(servers: list[Any]) -> None:
    """Let go of the server: its destructor stops it, and takes its time."""
    servers.clear()
