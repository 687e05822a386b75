"""What an imagined tree holds of each node and call that was named in it: what is real, what is imagined, since when.

What was imagined, read or demanded is stamped with the attempt at a decision in which that first happened. An attempt
that is put back takes its stamps out of force, and nothing has to be undone.
"""

from __future__ import annotations

from spex.ids import Expand, NodeId, Score
from spex.speculate.absent import AbsentStep
from spex.speculate.habits import Habits
from spex.speculate.particle import Innovation
from spex.tree import Step

NEVER = 0
"""The stamp of what has not happened. Attempts are numbered from 1."""

UNRIPE, RIPE, DONE = range(3)
"""Stages of a call: its prompt does not exist yet; it could be made now; it has its result."""


class Node:
    """A node, real or imagined.

    `habits` are those of its action. `real` and `scored` are what results say, where there are any; `sketch` (from
    `seen` on) and `reward` (from `rated` on) are imagined. `kids_rated`: when the reward of a child was first imagined.
    `dependents`: calls that wait for its text.
    """

    __slots__ = (
        "dependents",
        "depth",
        "habits",
        "innovation",
        "kids_rated",
        "name",
        "parent",
        "rated",
        "real",
        "reward",
        "scored",
        "seen",
        "sketch",
    )

    def __init__(
        self,
        name: NodeId,
        parent: Node | None,
        habits: Habits,
        innovation: Innovation,
        real: Step | None,
        scored: float | None,
    ) -> None:
        self.name: NodeId = name
        self.parent: Node | None = parent
        self.depth: int = len(name)
        self.habits: Habits = habits
        self.innovation: Innovation = innovation
        self.real: Step | None = real
        self.scored: float | None = scored
        self.sketch: AbsentStep | None = None
        self.reward: float = 0.0
        self.seen: int = NEVER
        self.rated: int = NEVER
        self.kids_rated: int = NEVER
        self.dependents: list[Text | Value] | None = None

    @property
    def exists(self) -> bool:
        return self.real is not None or self.parent is None

    def tell(self, call: Text | Value) -> None:
        """`call` is to ripen when the text comes."""
        if self.dependents is None:  # most nodes never have any: a list for each would be most of what there is
            self.dependents = []
        self.dependents.append(call)

    def realise(self, step: Step) -> None:
        """The text has come."""
        self.real = step
        for call in self.dependents or ():
            call.ripen()
        self.dependents = None


class Text:
    """A policy call; `made` are the children that it has really made, `kids` those imagined, read from `read` on.

    `asked`: when it was demanded.
    """

    __slots__ = ("asked", "call", "kids", "made", "node", "read", "stage")

    def __init__(self, call: Expand, node: Node, kids: tuple[NodeId, ...], made: tuple[NodeId, ...] | None) -> None:
        self.call: Expand = call
        self.node: Node = node
        self.kids: tuple[NodeId, ...] = kids
        self.made: tuple[NodeId, ...] | None = made
        self.read: int = NEVER
        self.asked: int = NEVER
        self.stage: int = UNRIPE if made is None else DONE
        if made is None:
            parent = node.parent
            if parent is not None and not parent.exists:
                parent.tell(self)
            else:
                self.stage = RIPE

    def ripen(self) -> None:
        """Its parent has got its text."""
        if self.stage == UNRIPE:
            self.stage = RIPE


class Value:
    """A reward call; `known` are its real scores. `asked`: when it was demanded; `read`: when scores were imagined."""

    __slots__ = ("asked", "call", "known", "nodes", "read", "stage")

    def __init__(self, call: Score, nodes: tuple[Node, ...], known: tuple[float, ...] | None) -> None:
        self.call: Score = call
        self.nodes: tuple[Node, ...] = nodes
        self.known: tuple[float, ...] | None = known
        self.read: int = NEVER
        self.asked: int = NEVER
        self.stage: int = UNRIPE if known is None else DONE
        if known is None:
            self.ripen()
            for node in nodes:
                if not node.exists:
                    node.tell(self)

    def ripen(self) -> None:
        """One of its nodes may have got its text."""
        if self.stage == UNRIPE and all(node.exists for node in self.nodes):
            self.stage = RIPE
