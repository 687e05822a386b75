"""The embedded engine where its library is not installed: bad input that says what to install, and no defect."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from spex.engine.gguf import check_gguf
from spex.engine.llamacpp import LlamaCpp
from spex.engine.llamacpp_drafts import LocalDraft
from spex.errors import InputError
from tests.cli.terminal import Command

_INSTALL = r"policy: 'llamacpp' is not valid; it needs the package xllamacpp: pip install 'spex-search\[embedded\]'"


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that looks like a model, and no library that could load it."""
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF" + (3).to_bytes(4, "little") + (1).to_bytes(8, "little") * 2 + bytes(8192))
    check_gguf(path)
    return path


def test_an_engine_without_its_library_says_what_to_install(model: Path) -> None:
    with pytest.raises(InputError, match=_INSTALL):
        asyncio.run(LlamaCpp(model).open())


def test_so_does_a_draft(model: Path) -> None:
    with pytest.raises(InputError, match=_INSTALL):
        LocalDraft("ngram", 4).put_into(object(), 1)


@pytest.mark.parametrize("command", [("solve", "q", "--model"), ("demo", "--model"), ("probe",)])
def test_so_does_each_command_that_loads_a_model(spex: Command, model: Path, command: tuple[str, ...]) -> None:
    named = f"llamacpp:{model}" if command == ("probe",) else str(model)
    ended = spex(*command, named)
    assert ended.code == 2
    assert "pip install 'spex-search[embedded]'" in ended.err
