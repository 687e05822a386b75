"""The pytest plug-in. Importing it must stay cheap: every pytest run of the environment does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from spex.tree import Tree


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("spex").addoption(
        "--golden-write", action="store_true", help="Write the golden trees instead of comparing with them."
    )


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[Tree, str], None]:
    """`golden(tree, name)` compares `tree` with `golden/name.json` beside the calling test.

    Raises AssertionError listing what differs. Writes the file only under `--golden-write`.
    """
    folder = request.path.parent / "golden"
    write = bool(request.config.getoption("--golden-write"))

    def check(tree: Tree, name: str) -> None:
        from spex.testing.golden import check_golden  # noqa: PLC0415  # only those who use it pay for it

        check_golden(tree, folder / f"{name}.json", write=write)

    return check
