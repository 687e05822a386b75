"""A tree as text and as HTML. Model text is hostile: control characters are shown, HTML is escaped.

Nodes in NodeId order are the tree in preorder, so both drawings are one pass over a sorted list:
no recursion, whatever the depth, and a node whose parent is missing is drawn all the same.

A terminal's mark says what is known of its answer: ✓ checked and right, ✗ checked and wrong, ■ nobody checked it.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from operator import itemgetter
from typing import NamedTuple, TypeAlias

from spex.ids import NodeId
from spex.tree import Step, Tree
from spex.visible import cells_of, one_line, visible

_NODES_MAX = 500
_WORDS_CELLS_MIN = 8
_HTML_TEXT_MAX = 20_000
_RIGHT, _WRONG, _UNCHECKED = "✓", "✗", "■"

Judge: TypeAlias = Callable[[str], bool | None]
"""Whether an answer is right; None where nobody can tell. It may be a user's code: what it raises counts as None."""


class Row(NamedTuple):
    """One drawn node. `guides`: for each ancestor below the root, whether siblings of it follow.

    `mark` is that of a terminal, else empty.
    """

    node: NodeId
    step: Step
    reward: float | None
    guides: tuple[bool, ...]
    is_last: bool
    is_leaf: bool
    mark: str


def nobody_can_tell(answer: str) -> bool | None:
    """The judge where there is no reference answer."""
    del answer
    return None


def tree_text(
    tree: Tree,
    title: str = "root",
    width: int = 100,
    nodes_max: int = _NODES_MAX,
    judge: Judge = nobody_can_tell,
) -> str:
    """The tree, one line a node: reward, action unless it is `step`, first words, mark and answer where it ends.

    `width` is in cells (≥ 40 is readable); of more than `nodes_max` nodes the first are shown.
    """
    rows = _rows(tree, nodes_max, judge)
    lines = [one_line(title, width), *(_line(row, width) for row in rows)]
    return "\n".join([*lines, *_rest(tree, rows)])


def tree_html(tree: Tree, title: str = "root", nodes_max: int = _NODES_MAX, judge: Judge = nobody_can_tell) -> str:
    """The tree as nested `<details>`: self-contained, no script, no style, everything escaped."""
    parts = [f'<div class="spex-tree"><p>{_html(one_line(title, 400))}</p><ul>']
    rows = _rows(tree, nodes_max, judge)
    open_depths: list[int] = []
    for row in rows:
        while open_depths and open_depths[-1] >= len(row.node):
            open_depths.pop()
            parts.append("</ul></details></li>")
        parts.append(f"<li><details open><summary>{_summary(row)}</summary>{_body(row)}")
        if row.is_leaf:
            parts.append("</details></li>")
        else:
            open_depths.append(len(row.node))
            parts.append("<ul>")
    parts.append("</ul></details></li>" * len(open_depths) + "</ul>")
    parts.extend(f"<p>{line}</p>" for line in _rest(tree, rows))
    return "".join([*parts, "</div>"])


def _rows(tree: Tree, nodes_max: int, judge: Judge) -> list[Row]:
    """The first `nodes_max` nodes in preorder, built from the last node to the first.

    Seen backwards, a node is the last child of its parent when nothing of its depth came since
    something less deep did.
    """
    ordered = sorted(tree.steps.items(), key=itemgetter(0))
    joint = _joint_rewards(tree)
    marks: dict[str, str] = {}
    follows: list[bool] = []
    rows: list[Row] = []
    depth_after = 0
    for position in range(len(ordered) - 1, -1, -1):
        node, step = ordered[position]
        depth = len(node)
        follows += [False] * (depth - len(follows))
        if position < nodes_max:
            own = tree.reward(node)
            reward = joint.get(node) if own is None else own
            guides = tuple(follows[: depth - 1])
            mark = _mark(step, judge, marks)
            rows.append(Row(node, step, reward, guides, not follows[depth - 1], depth_after <= depth, mark))
        follows[depth - 1 :] = [True]
        depth_after = depth
    rows.reverse()
    return rows


def _mark(step: Step, judge: Judge, known: dict[str, str]) -> str:
    """The mark of a step; an answer is judged once, and `known` keeps its mark."""
    if not step.terminal:
        return ""
    if step.answer is None:
        return _UNCHECKED
    if step.answer not in known:
        known[step.answer] = _judged(step.answer, judge)
    return known[step.answer]


def _judged(answer: str, judge: Judge) -> str:
    try:
        verdict = judge(answer)
    except Exception:  # noqa: BLE001  # a tree is drawn whatever a task's check does
        return _UNCHECKED
    return _RIGHT if verdict is True else _WRONG if verdict is False else _UNCHECKED


def _joint_rewards(tree: Tree) -> dict[NodeId, float]:
    """The mean of every node's scores by any model: what a vote or a sampled value gave it."""
    values: dict[NodeId, list[float]] = {}
    for call, scores in tree.scores.items():
        for node, score in zip(call.nodes, scores, strict=False):
            values.setdefault(node, []).append(score)
    return {node: sum(scores) / len(scores) for node, scores in values.items()}


def _line(row: Row, width: int) -> str:
    indent = _indent(row.guides, width // 2) + ("└─ " if row.is_last else "├─ ")
    lead = f"{indent}{_reward(row)} {_action(row)}"
    ending = _ending(row, width // 4)
    room = max(_WORDS_CELLS_MIN, width - cells_of(lead) - cells_of(ending))
    return f"{lead}{one_line(row.step.text, room)}{ending}".rstrip()


def _indent(guides: tuple[bool, ...], cells: int) -> str:
    levels = max(1, cells // 3)
    bars = "".join("│  " if follows else "   " for follows in guides[-levels:])
    hidden = len(guides) - levels
    return f"⋯{hidden} {bars}" if hidden > 0 else bars


def _reward(row: Row) -> str:
    return "  – " if row.reward is None else f"{row.reward:.2f}"


def _action(row: Row) -> str:
    action = row.node[-1].action
    return "" if action == "step" else f"[{one_line(action, 20)}] "


def _ending(row: Row, cells: int = 60) -> str:
    if not row.step.terminal:
        return ""
    answer = "no answer" if row.step.answer is None else one_line(row.step.answer, cells)
    return f"  {row.mark} {answer}"


def _rest(tree: Tree, rows: list[Row]) -> list[str]:
    hidden = len(tree.steps) - len(rows)
    return [f"… {hidden:,} more"] if hidden else []


def _summary(row: Row) -> str:
    return f"<b>{_reward(row).strip()}</b> {_html(_action(row) + one_line(row.step.text, 80) + _ending(row))}"


def _body(row: Row) -> str:
    text = row.step.text
    cut = "…" if len(text) > _HTML_TEXT_MAX else ""
    shown = visible(text[:_HTML_TEXT_MAX], keep="\n")
    return f"<pre>{_html(shown)}{cut}</pre>"


def _html(text: str) -> str:
    return escape(text, quote=True)
