"""What `import spex` offers, and what it does not load."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import spex

_NAMES = """
    AbMcts AnswerRule Arithmetic Beam Best BestFirst BestOfN Call Capabilities Clusters Combined Confidence Demand
    Dvts Edge Embedding Engine EngineError Ets Event Expand FunctionPolicy FunctionReward Game24 Gsm8k HeadForm
    InputError InvariantError Judge LlamaCpp LogMismatch LogUnwritable Majority Mcts Merging Misbehaving NodeId
    NotLossless Outlook Overloaded Parallel Policy Prm PrmForm Problem ROOT RStar Rebase RecordError RestMcts Reward
    Rubric Run Sampling Score ScoreHead Search SearchError SelfConsistency SglangLocal Solution Speculation SpexError
    Step Stop Task Text Thinking TimedOut Tokens TotBfs TotDfs Tree TreeView Unknown Unreachable Usage Value Verifier
    VirtualLoss Vote Weighted WuUct __version__ child draw run run_sync solve solve_sync
"""
NAMES = tuple(_NAMES.split())
SOURCE = Path(str(spex.__file__))


def imported_for_checkers() -> dict[str, str]:
    """The names that a type checker sees, each with its module."""
    nodes = ast.walk(ast.parse(SOURCE.read_text()))
    imports = [node for node in nodes if isinstance(node, ast.ImportFrom) and str(node.module).startswith("spex")]
    return {alias.name: str(node.module) for node in imports for alias in node.names}


def loaded_by(code: str) -> set[str]:
    """The modules that a new interpreter has loaded after `code`, beyond those it starts with."""
    report = "import json; print(json.dumps(list(set(sys.modules) - before)))"
    program = f"import sys; before = set(sys.modules)\n{code}\n{report}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_public_names_are_these() -> None:
    assert sorted(spex.__all__) == sorted(NAMES)
    assert dir(spex) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_is_there_and_explained(name: str) -> None:
    value = getattr(spex, name)
    if isinstance(value, type):
        assert value.__doc__


def test_what_checkers_see_is_what_is_loaded() -> None:
    assert imported_for_checkers() == spex._PLACES
    assert {*spex._PLACES, "__version__"} == set(spex.__all__)


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Reebase"):
        getattr(spex, "Reebase")  # noqa: B009  # a checker would refuse the attribute


def test_the_version_is_that_of_the_distribution() -> None:
    project = tomllib.loads((SOURCE.parents[2] / "pyproject.toml").read_text())["project"]
    assert spex.__version__ == project["version"]


def test_importing_spex_loads_nothing_but_the_standard_library() -> None:
    modules = loaded_by("import spex")
    assert {name for name in modules if name.partition(".")[0] not in sys.stdlib_module_names} == {"spex"}


def test_a_small_command_loads_no_engine_and_no_number_crunching() -> None:
    loaded = {module.partition(".")[0] for module in loaded_by("from spex.cli.main import main; main(['searches'])")}
    assert not loaded & {"numpy", "looptime", "xllamacpp", "httpx2"}


@pytest.mark.parametrize("name", ["Problem", "Rebase", "InputError", "FunctionPolicy", "Solution"])
def test_a_name_loads_no_engine_no_network_and_no_terminal(name: str) -> None:
    loaded = {module.partition(".")[0] for module in loaded_by(f"import spex; spex.{name}")}
    assert not loaded & {"xllamacpp", "httpx2", "rich", "typer", "pydantic", "pydantic_settings", "matplotlib"}
