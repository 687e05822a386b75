"""Names of nodes and calls: what the tree, the trace, the log and the seeds agree on."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple, TypeAlias

_NAMES_KEPT = 1 << 14


class Edge(NamedTuple):
    """One step down: the action, which sample of it, and which child of a call with several."""

    action: str
    index: int  # type: ignore[assignment]  # hides tuple.index, which no name of a node needs
    part: int = 0


NodeId: TypeAlias = tuple[Edge, ...]
"""The path from the root. Tuple order is the tie-break order everywhere."""

ROOT: NodeId = ()


class Expand(NamedTuple):
    """One policy call under `parent`; it yields zero or more children."""

    parent: NodeId
    action: str = "step"
    index: int = 0  # type: ignore[assignment]


REWARD = "reward"
"""The model whose scores are nodes' rewards. What another one's numbers mean is between it and the search."""


class Score(NamedTuple):
    """One reward call over `nodes`; it yields one number in [0, 1] for each of them."""

    nodes: tuple[NodeId, ...]
    model: str = REWARD
    index: int = 0  # type: ignore[assignment]


Call: TypeAlias = Expand | Score


def child(call: Expand, part: int = 0) -> NodeId:
    """The node that `call` makes as its child number `part`."""
    return (*call.parent, Edge(call.action, call.index, part))


def maker(node: NodeId) -> Expand:
    """The call that makes `node` (not the root)."""
    last = node[-1]
    return Expand(node[:-1], last.action, last.index)


@lru_cache(_NAMES_KEPT)  # asked for several times a call, and the queries of a run have mostly the same nodes
def node_key(node: NodeId) -> str:
    """A stable, readable name: `root`, `step.0/step.3`, `propose.0.2`."""
    return "/".join(_edge_key(edge) for edge in node) or "root"


def call_key(call: Call) -> str:
    """A stable, readable name, unique within a query: `expand:root>step.0`, `score:reward.0:step.0`."""
    match call:
        case Expand(parent, action, index):
            return f"expand:{node_key(parent)}>{action}.{int(index)}"
        case Score(nodes, model, index):
            return f"score:{model}.{int(index)}:{','.join(map(node_key, nodes))}"


def _edge_key(edge: Edge) -> str:
    suffix = f".{int(edge.part)}" if edge.part else ""
    # int: 1, 1.0 and True are equal, and equal calls have one name.
    return f"{edge.action}.{int(edge.index)}{suffix}"
