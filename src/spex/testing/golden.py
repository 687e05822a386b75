"""Trees as JSON documents that are kept beside a test and compared node by node."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from spex.ids import call_key, node_key
from spex.tree import Step, Tree

_SHOWN_MAX = 20


def tree_document(tree: Tree) -> dict[str, dict[str, Any]]:
    """`tree` as a document of JSON values: steps by node, children and scores by call, in NodeId order."""
    return {
        "steps": {node_key(node): _step_document(tree.steps[node]) for node in sorted(tree.steps)},
        "children": {
            call_key(call): [node_key(node) for node in tree.expansions[call]] for call in sorted(tree.expansions)
        },
        "scores": {call_key(call): list(tree.scores[call]) for call in sorted(tree.scores)},
    }


def check_golden(tree: Tree, path: Path, *, write: bool = False) -> None:
    """Compare `tree` with the file at `path`, or write that file.

    Raises AssertionError, with at most 20 differences, where they are not equal or there is no file.
    """
    found = tree_document(tree)
    if write:
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        return
    if not path.exists():
        raise AssertionError(f"{path} is missing; pytest --golden-write makes it from this tree")
    differences = list(_differences(json.loads(path.read_text(encoding="utf-8")), found))
    if differences:
        more = f"\n… and {len(differences) - _SHOWN_MAX} more" if len(differences) > _SHOWN_MAX else ""
        raise AssertionError(f"the tree differs from {path}:\n" + "\n".join(differences[:_SHOWN_MAX]) + more)


def _step_document(step: Step) -> dict[str, Any]:
    return {
        "text": step.text,
        "token_ids": list(step.token_ids),
        "logprobs": None if step.logprobs is None else list(step.logprobs),
        "end": step.end,
        "terminal": step.terminal,
        "answer": step.answer,
        "state": None if step.state is None else repr(step.state),
    }


def _differences(golden: Mapping[str, Mapping[str, Any]], found: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for part, entries in found.items():
        known = golden.get(part, {})
        for name in dict.fromkeys([*known, *entries]):
            if name not in entries:
                yield f"{part} {name}: missing"
            elif name not in known:
                yield f"{part} {name}: not in the file"
            elif known[name] != entries[name]:
                yield f"{part} {name}: {known[name]} in the file, {entries[name]} here"
