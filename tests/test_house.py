"""What holds for every file of the project: it says what it is, and calls nothing that runs what it was given."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path
from typing import Any

import pytest

import spex

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = (ROOT / "pyproject.toml").read_text()
SETTINGS: dict[str, Any] = tomllib.loads(PYPROJECT)
SOURCES = sorted((ROOT / "src").rglob("*.py"))
FOLDERS = ("src", "scripts", "benchmarks", "examples", "engines", "training", "tests")
ALL_FILES = [file for folder in FOLDERS for file in sorted((ROOT / folder).rglob("*.py"))]

FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__"}
FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "yaml", "torch"}


def named(file: Path) -> str:
    return str(file.relative_to(ROOT))


def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text(), str(file))


def imported(tree: ast.Module) -> set[str]:
    """The top-level names of what a module imports, anywhere in it."""
    plain = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    origins = [str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level == 0]
    return {name.partition(".")[0] for name in [*plain, *origins]}


def called(tree: ast.Module) -> set[str]:
    """The names that a module calls as they are: `eval(…)`, not `thing.eval(…)`."""
    functions = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {function.id for function in functions if isinstance(function, ast.Name)}


def origins_of(tree: ast.Module) -> set[str]:
    """The modules that names are taken from."""
    return {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


def requirement_lines() -> list[str]:
    """The lines of pyproject.toml that each require one distribution."""
    project, groups = SETTINGS["project"], SETTINGS["dependency-groups"]
    wanted = [*project["dependencies"], *groups["dev"], *project["optional-dependencies"]["embedded"]]
    return [line for line in PYPROJECT.splitlines() if any(f'"{requirement}"' in line for requirement in wanted)]


@pytest.mark.parametrize("file", ALL_FILES, ids=named)
def test_every_module_says_what_it_is(file: Path) -> None:
    tree = parsed(file)
    assert ast.get_docstring(tree) or not tree.body


@pytest.mark.parametrize("file", SOURCES, ids=named)
def test_nothing_of_ours_runs_code_that_it_was_given(file: Path) -> None:
    tree = parsed(file)
    assert not called(tree) & FORBIDDEN_CALLS
    assert not imported(tree) & FORBIDDEN_MODULES


def test_the_search_for_forbidden_code_finds_it() -> None:
    tree = ast.parse("import pickle.x\ndef f():\n    from marshal import loads\n    return eval('1')")
    assert imported(tree) == {"pickle", "marshal"}
    assert called(tree) & FORBIDDEN_CALLS == {"eval"}


@pytest.mark.parametrize("name", [name for name in spex.__all__ if callable(getattr(spex, name))])
def test_every_public_class_and_function_is_explained_by_its_own_words(name: str) -> None:
    value = getattr(spex, name)
    if getattr(value, "__module__", "").startswith("spex."):
        assert "__doc__" in vars(value) if isinstance(value, type) else value.__doc__
        assert not value.__doc__.startswith(f"{name}("), "this is the docstring that dataclasses make"


def test_every_dependency_says_what_it_is_for() -> None:
    lines = requirement_lines()
    assert len(lines) >= len(SETTINGS["project"]["dependencies"]) + len(SETTINGS["dependency-groups"]["dev"])
    assert [line for line in lines if "#" not in line] == []


def test_every_dependency_is_used() -> None:
    used = set().union(*(imported(parsed(file)) for file in SOURCES))
    needed = {requirement.partition(">=")[0].replace("-", "_") for requirement in SETTINGS["project"]["dependencies"]}
    assert needed - used == set()


def test_every_exception_to_a_lint_rule_has_its_reason() -> None:
    lines = PYPROJECT[PYPROJECT.index("[tool.ruff.lint]") : PYPROJECT.index("[tool.mypy]")].splitlines()
    exceptions = [line for line in lines if line.strip().endswith(",") or line.startswith('"')]
    rules = [line for line in exceptions if not line.strip().startswith('"spex.')]
    assert [line for line in rules if "#" not in line and not line.endswith("= [")] == []


@pytest.mark.parametrize(("folder", "other"), [("speculate", "search"), ("tasks", "engine")])
def test_of_another_layers_modules_only_the_base_is_known(folder: str, other: str) -> None:
    files = sorted((ROOT / "src" / "spex" / folder).glob("*.py"))
    origins = set().union(*(origins_of(parsed(file)) for file in files))
    assert {origin for origin in origins if origin.startswith(f"spex.{other}")} == {f"spex.{other}.base"}
