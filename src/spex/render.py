"""A tree as text and as HTML. Model text is hostile: control characters shown, HTML escaped."""

from __future__ import annotations

from spex.tree import Tree


def tree_text(tree: Tree, title: str = "root", width: int = 100) -> str:
    raise NotImplementedError


def tree_html(tree: Tree, title: str = "root") -> str:
    raise NotImplementedError
