"""A terminal for tests: the command in this process, with engines from a plug-in that needs no model."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from spex.cli.main import main
from tests.cli.terminal import Command, Ended

PLUGIN = '''
import os, pathlib
from dataclasses import replace
from spex import FunctionPolicy

def write(prompt, seed):
    question = prompt.rpartition("User: ")[2]
    if "fail" in question:
        raise RuntimeError("asked to fail")
    if "first" not in prompt.rpartition("Assistant: ")[2]:
        return f"first {seed % 1000}\\n\\n"
    return f"Answer: {40 + seed % 3}"

class Toy:
    """A FunctionPolicy that leaves a mark when it is opened."""
    def __init__(self, model=None, latency_seconds=0.0):
        self._inner = FunctionPolicy(write, latency_seconds=latency_seconds, name="toy")
    def __getattr__(self, name):
        return getattr(self._inner, name)
    async def open(self):
        pathlib.Path(os.environ["TOY_MARK"]).touch()

def slow(model=None):
    return Toy(latency_seconds=0.2)

class Poor(Toy):
    """A toy that promises nothing."""
    @property
    def capabilities(self):
        return replace(self._inner.capabilities, seed="none", log_probabilities=False, abort_confirmed=False)

class Short(Toy):
    """A toy with a context of a thousand tokens."""
    @property
    def capabilities(self):
        return replace(self._inner.capabilities, context_tokens=1000)
'''
METADATA = "Metadata-Version: 2.1\nName: toy-engines\nVersion: 1.0\n"
ENTRY_POINTS = """\
[spex.engines]
toy = toy_engines:Toy
toy-slow = toy_engines:slow
toy-poor = toy_engines:Poor
toy-short = toy_engines:Short
"""


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """A folder to import from, in which a distribution with toy engines is installed."""
    folder = tmp_path / "plugin"
    info = folder / "toy_engines-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "toy_engines.py").write_text(PLUGIN)
    (info / "METADATA").write_text(METADATA)
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    return folder


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """A file that exists as soon as a toy engine has been opened."""
    return tmp_path / "opened"


@pytest.fixture
def folder(tmp_path: Path, plugin: Path, mark: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, with the plug-in and no terminal."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.syspath_prepend(str(plugin))
    monkeypatch.setenv("TOY_MARK", str(mark))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))  # no profiles of this machine's engines
    monkeypatch.delitem(sys.modules, "toy_engines", raising=False)
    return work


@pytest.fixture
def spex(folder: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command, run in this process."""

    def run(*arguments: str) -> Ended:
        capsys.readouterr()
        code = main(arguments)
        return Ended(code, *capsys.readouterr())

    return run


@pytest.fixture
def environment(folder: Path, plugin: Path, mark: Path) -> Mapping[str, str]:
    """Variables for a command in a process of its own."""
    return {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(plugin), "TOY_MARK": str(mark), "HOME": str(folder)}


@pytest.fixture
def spex_process(folder: Path, environment: Mapping[str, str]) -> Command:
    """The command, run in a process of its own: for exit codes and streams as a shell sees them."""

    def run(*arguments: str, stdin: bytes = b"", **more: str) -> Ended:
        done = subprocess.run(
            [sys.executable, "-m", "spex", *arguments],
            input=stdin,
            capture_output=True,
            cwd=folder,
            env={**environment, **more},
            check=False,
        )
        return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run
