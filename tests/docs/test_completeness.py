"""The documents leave nothing out that they are the place for."""

from __future__ import annotations

import re
import tomllib
from itertools import chain

import spex
from tests.docs.documents import ROOT

ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def section(title: str) -> str:
    """The text under a heading of ARCHITECTURE.md, up to the next one of its level."""
    return ARCHITECTURE.partition(f"\n## {title}")[2].partition("\n## ")[0]


def test_every_layer_has_its_line() -> None:
    package = ROOT / "src" / "spex"
    modules = {path.name for path in package.glob("*.py") if not path.name.startswith("__")}
    folders = {f"{path.parent.name}/" for path in package.glob("*/__init__.py")}
    table = [line.split("|")[1] for line in section("The layers").splitlines() if line.startswith("| `")]
    assert set(re.findall(r"`([^`]+)`", "".join(table))) == modules | folders


def test_every_dependency_has_its_line() -> None:
    requirements = [*PROJECT["dependencies"], *chain.from_iterable(PROJECT["optional-dependencies"].values())]
    names = {re.match(r"[\w-]+", requirement)[0] for requirement in requirements}  # type: ignore[index]
    table = [line for line in section("Dependencies").splitlines() if line.startswith("| ")][1:]
    told = {name for line in table for name in re.findall(r"[\w-]+", line.split("|")[1].partition("(")[0])}
    assert told == names


def test_the_changelog_tells_of_this_version() -> None:
    assert f"\n## {spex.__version__}" in (ROOT / "CHANGELOG.md").read_text()
