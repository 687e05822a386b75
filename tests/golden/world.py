"""The world of the golden trees, and the record of what a restated search asked of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from hashlib import sha256
from typing import NamedTuple

from spex.ids import ROOT, Expand, NodeId, Score, call_key, child, node_key


class Node(NamedTuple):
    """What the world knows of a node."""

    reward: Fraction
    terminal: bool
    tokens: int
    answer: str | None


@dataclass(frozen=True)
class World:
    """Nodes by hashing their names. `levels` different rewards make ties; the rest are percentages."""

    seed: int = 0
    levels: int = 33
    terminal_from: int = 2
    terminal: int = 25
    barren: int = 0
    answerless: int = 10

    def children(self, call: Expand) -> list[NodeId]:
        return [] if self._die(call_key(call), 100) < self.barren else [child(call)]

    def node(self, node: NodeId) -> Node:
        name = node_key(node)
        terminal = len(node) >= self.terminal_from and self._die(f"{name} terminal", 100) < self.terminal
        terminal = terminal or (node[-1].action == "solution" and self._die(f"{name} whole", 100) < 80)
        answered = terminal and self._die(f"{name} answerless", 100) >= self.answerless
        return Node(
            reward=Fraction(self._die(f"{name} reward", self.levels), self.levels - 1)
            if self.levels > 1
            else Fraction(1, 2),
            terminal=terminal,
            tokens=1 + self._die(f"{name} tokens", 40),
            answer=str(self._die(f"{name} answer", 3)) if answered else None,
        )

    def meaning(self, node: NodeId) -> Fraction:
        """Nodes of one meaning have the same number."""
        return Fraction(self._die(f"{node_key(node)} meaning", 3), 4)

    def _die(self, name: str, sides: int) -> int:
        return int.from_bytes(sha256(f"{self.seed} {name}".encode()).digest()[:8]) % sides


@dataclass
class Record:
    """What one strand demanded, decision by decision, and where it ended."""

    world: World
    decisions: list[list[str]] = field(default_factory=list)
    stop: list[str] = field(default_factory=list)
    nodes: dict[str, Node] = field(default_factory=dict)
    barren: list[str] = field(default_factory=list)
    meanings: dict[str, Fraction] = field(default_factory=dict)

    def sample(self, calls: list[Expand], *, scored: bool = True, meaning: bool = False) -> list[NodeId]:
        """One decision: demand `calls` with their scores, and what their children mean; what they make."""
        names = [[call_key(call), call_key(Score((child(call),)))][: 2 if scored else 1] for call in calls]
        self.decisions.append([name for pair in names for name in pair])
        if meaning:
            self.decisions[-1].append(call_key(Score(tuple(map(child, calls)), "clusters")))
        made: list[NodeId] = []
        for call in calls:
            made += self.found(call)
        if meaning:
            self.meanings.update((node_key(kid), self.world.meaning(kid)) for kid in made)
        return made

    def play(self, calls: list[Expand], action: str = "solution", steps: int = 1) -> list[tuple[NodeId, NodeId]]:
        """One decision: demand `calls`, so many more calls below what each makes, and the score of the last one's.

        What they make, each with the end of its path, which is itself where there is nothing below it.
        """
        chains = [[call] for call in calls]
        for chain in chains:
            while len(chain) <= steps:
                chain.append(Expand(child(chain[-1]), action, 0))
        names = [[*map(call_key, chain), call_key(Score((child(chain[-1]),)))] for chain in chains]
        self.decisions.append([name for chain in names for name in chain])
        made: list[tuple[NodeId, NodeId]] = []
        for call, *further in chains:
            for kid in self.found(call):
                end = kid
                for more in further:
                    below = [] if self.terminal(end) or more.parent != end else self.found(more)
                    end = below[0] if below else end
                made.append((kid, end))
        return made

    def found(self, call: Expand) -> list[NodeId]:
        """What the world makes of a call."""
        kids = self.world.children(call)
        self.nodes.update((node_key(kid), self.world.node(kid)) for kid in kids)
        if not kids:
            self.barren.append(call_key(call))
        return kids

    def reward(self, node: NodeId) -> Fraction:
        return self.nodes[node_key(node)].reward

    def meaning(self, node: NodeId) -> Fraction:
        return self.meanings[node_key(node)]

    def answer(self, node: NodeId) -> str | None:
        return self.nodes[node_key(node)].answer

    def terminal(self, node: NodeId) -> bool:
        return node != ROOT and self.nodes[node_key(node)].terminal

    def tokens(self, node: NodeId) -> int:
        return sum(self.nodes[node_key(node[:depth])].tokens for depth in range(1, len(node) + 1))

    def end(self, terminals: list[NodeId]) -> None:
        self.stop = [node_key(node) for node in terminals]
