"""Searches without sense: pure rules whose every choice is a hash of what they have read.

Whatever reaches such a rule that should not (a result that nobody demanded, an order, an absence) changes all of
its further choices. They demand what builds on unfinished and on never made nodes, read what they never demanded,
score several nodes at once, and stop at a whim.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from spex.ids import ROOT, Call, Expand, NodeId, Score, call_key, child
from spex.search.base import Demand, Outlook, Stop
from spex.seeds import draw, seed_of
from spex.tree import TreeView

_ACTIONS = ("step",) * 8 + ("propose", "solution")
_PARTS = {"propose": 3}
_OUTLOOK = Outlook(1_000_000)


class State(NamedTuple):
    """`nodes`: their makers have been asked for; `unread`: calls asked for; `ends`: terminals that were read."""

    seen: int
    turn: int = 0
    nodes: tuple[NodeId, ...] = (ROOT,)
    unread: tuple[Call, ...] = ()
    ends: tuple[NodeId, ...] = ()


@dataclass(frozen=True)
class Senseless:
    """Takes `turns` decisions, of at most `breadth` calls each.

    levels: how finely it tells rewards apart (one: not at all); where it is coarse, imagination is often right.
    reads_text: it reads token ids too, so that no imagination gets past a step. reads_all: nothing that it has
    demanded is unread when it stops.
    """

    turns: int = 3
    breadth: int = 3
    levels: int = 2
    reads_text: bool = False
    reads_all: bool = True

    def start(self, seed: int) -> State:
        return State(seed)

    def advance(self, state: State, tree: TreeView) -> tuple[State, Demand | Stop]:
        if state.turn >= self.turns:
            last = self._read(state, state.unread, tree) if self.reads_all else state
            return last, Stop(last.ends)
        chosen = self._chosen(state)
        if _chance(state, 0) < 1 / 2:
            tree.need(chosen)
        read = self._read(state, chosen, tree)
        calls = self._wanted(read)
        asked = dict.fromkeys((*read.unread, *calls))
        after = read._replace(turn=state.turn + 1, unread=tuple(asked), nodes=_with_children(read.nodes, calls))
        return after, Demand(calls)

    def outlook(self, state: State, tree: TreeView) -> Outlook:
        return _OUTLOOK

    def _chosen(self, state: State) -> tuple[Call, ...]:
        """What it reads now: some of what it has demanded, and at times a call out of nowhere."""
        chosen = tuple(call for k, call in enumerate(state.unread) if _chance(state, 1, k) < 2 / 3)
        if _chance(state, 2) < 1 / 4:
            return (*chosen, Expand(_one_of(state.nodes, _chance(state, 3)), "step", 3))
        return chosen

    def _read(self, state: State, calls: tuple[Call, ...], tree: TreeView) -> State:
        for call in calls:
            state = self._scores(state, call, tree) if isinstance(call, Score) else self._children(state, call, tree)
        return state._replace(unread=tuple(call for call in state.unread if call not in calls))

    def _scores(self, state: State, call: Score, tree: TreeView) -> State:
        heard = [int(value * self.levels) for value in tree.score(call)]
        return state._replace(seen=_heard(state, call, heard))

    def _children(self, state: State, call: Expand, tree: TreeView) -> State:
        kids = tree.children(call)
        ends = tuple(kid for kid in kids if tree.step(kid).terminal)
        texts = [tree.step(kid).token_ids for kid in kids] if self.reads_text else []
        all_ends = (*state.ends, *(end for end in ends if end not in state.ends))
        return state._replace(
            seen=_heard(state, call, (len(kids), len(ends), texts)),
            nodes=_with_children(state.nodes, (call,)),
            ends=all_ends,
        )

    def _wanted(self, state: State) -> tuple[Call, ...]:
        count = 1 + int(_chance(state, 4) * self.breadth)
        nodes = state.nodes
        calls: list[Call] = []
        for k in range(count):
            call = _call(state, nodes, k)
            calls.append(call)
            nodes = _with_children(nodes, (call,))
            if isinstance(call, Expand) and _chance(state, 5, k) < 2 / 3:
                calls.append(Score((child(call),)))
        return tuple(calls)


@dataclass(frozen=True)
class SenselessStrands:
    """Several of them over one tree: near the root they demand the same calls."""

    strand: Senseless = Senseless()
    count: int = 2

    def strands(self) -> tuple[Senseless, ...]:
        return (self.strand,) * self.count


def _call(state: State, nodes: tuple[NodeId, ...], k: int) -> Call:
    node = _one_of(nodes, _chance(state, 6, k))
    if _chance(state, 7, k) < 2 / 3:
        action = _ACTIONS[int(_chance(state, 8, k) * len(_ACTIONS))]
        return Expand(node, action, int(_chance(state, 9, k) * 3))
    together = (node, _one_of(nodes, _chance(state, 10, k)))
    return Score(together[: 1 + (together[1] != node)], index=int(_chance(state, 11, k) * 2))


def _with_children(nodes: tuple[NodeId, ...], calls: tuple[Call, ...]) -> tuple[NodeId, ...]:
    """`nodes`, and all that these calls may make, whether they do or not."""
    made = [child(call, part) for call in calls if isinstance(call, Expand) for part in range(_parts(call))]
    return (*nodes, *(node for node in dict.fromkeys(made) if node not in nodes))


def _parts(call: Expand) -> int:
    return _PARTS.get(call.action, 1)


def _one_of(nodes: tuple[NodeId, ...], chance: float) -> NodeId:
    return nodes[int(chance * len(nodes))]


def _heard(state: State, call: Call, what: object) -> int:
    return seed_of(state.seen, "", "heard", "", f"{call_key(call)} {what}")


def _chance(state: State, subject: int, k: int = 0) -> float:
    return draw(state.seen, subject, state.turn, k)
