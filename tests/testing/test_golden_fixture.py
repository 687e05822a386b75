"""The `golden` fixture compares a tree with a file beside the test, and writes only when told to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spex.ids import ROOT, Expand, Score, child
from spex.testing.golden import check_golden, tree_document
from spex.tree import Step, Tree

pytest_plugins = ["pytester"]

FIRST = Expand(ROOT, "step", 0)
NODE = child(FIRST)

USES_GOLDEN = """
from spex.ids import ROOT, Expand
from spex.tree import Step, Tree

def test_tree(golden):
    tree = Tree()
    tree.expand(Expand(ROOT, "step", 0), [Step("so x = 2")])
    golden(tree, "small")
"""


def small_tree(text: str = "x = 2", reward: float = 0.75) -> Tree:
    tree = Tree()
    tree.expand(FIRST, [Step(text, (5, 6), (-0.5, -0.25), "eos", terminal=True, answer="2", state=(1, 2))])
    tree.scores[Score((NODE,))] = (reward,)
    return tree


def test_a_written_tree_is_equal_to_itself(tmp_path: Path) -> None:
    path = tmp_path / "golden" / "small.json"
    check_golden(small_tree(), path, write=True)
    check_golden(small_tree(), path)
    assert json.loads(path.read_text()) == tree_document(small_tree())


def test_a_document_has_all_of_a_step(tmp_path: Path) -> None:
    document = tree_document(small_tree())
    assert document["steps"]["step.0"] == {
        "text": "x = 2",
        "token_ids": [5, 6],
        "logprobs": [-0.5, -0.25],
        "end": "eos",
        "terminal": True,
        "answer": "2",
        "state": "(1, 2)",
    }
    assert document["children"] == {"expand:root>step.0": ["step.0"]}
    assert document["scores"] == {"score:reward.0:step.0": [0.75]}


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        (small_tree(text="x = 3"), "steps step.0: .*x = 2.* in the file, .*x = 3.* here"),
        (small_tree(reward=0.5), r"scores score:reward.0:step.0: \[0.75\] in the file, \[0.5\] here"),
        (Tree(), "children expand:root>step.0: missing"),
    ],
)
def test_a_differing_tree_is_told_where(tmp_path: Path, other: Tree, difference: str) -> None:
    path = tmp_path / "small.json"
    check_golden(small_tree(), path, write=True)
    with pytest.raises(AssertionError, match=difference):
        check_golden(other, path)


def test_of_many_differences_the_first_are_shown(tmp_path: Path) -> None:
    path = tmp_path / "empty.json"
    check_golden(Tree(), path, write=True)
    wide = Tree()
    for index in range(30):
        wide.expand(Expand(ROOT, "step", index), [Step("")])
    with pytest.raises(AssertionError, match=r"steps step\.0: not in the file(.|\n)*and 40 more"):
        check_golden(wide, path)


def test_a_missing_file_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "golden" / "none.json"
    with pytest.raises(AssertionError, match="--golden-write"):
        check_golden(small_tree(), path)
    assert not path.parent.exists()


def test_the_fixture_writes_only_when_told_to(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(USES_GOLDEN)
    file = pytester.path / "golden" / "small.json"
    run_inside(pytester).assert_outcomes(failed=1)
    assert not file.exists()
    run_inside(pytester, "--golden-write").assert_outcomes(passed=1)
    run_inside(pytester).assert_outcomes(passed=1)
    file.write_text(file.read_text().replace("x = 2", "x = 3"))
    run_inside(pytester).assert_outcomes(failed=1)


def run_inside(pytester: pytest.Pytester, *options: str) -> pytest.RunResult:
    return pytester.runpytest_inprocess("-p", "spex.testing.plugin", *options)
