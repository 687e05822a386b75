"""The library of the embedded llama.cpp, which is an extra of this package."""

from __future__ import annotations

from typing import Any

from spex.errors import InputError


def xllamacpp() -> Any:
    """The module. Raises `InputError`, with what to install, where it is not here or cannot be loaded."""
    try:
        import xllamacpp as library  # noqa: PLC0415  # a hundred megabytes: when the engine is needed
    except ModuleNotFoundError:
        told = "it needs the package xllamacpp: pip install 'spex-search[embedded]'"
        raise InputError("policy", "llamacpp", told) from None
    except ImportError as error:
        raise InputError("policy", "llamacpp", f"the package xllamacpp cannot be loaded here: {error}") from error
    return library
