"""Steps, the record of a query's finished calls, and the view of it that a search reads."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from spex.ids import REWARD, ROOT, Call, Expand, NodeId, Score, child, maker

End: TypeAlias = Literal["delimiter", "eos", "length", "context"]


@dataclass(frozen=True, slots=True)
class Step:
    """One thought of the policy, as the task read it.

    `token_ids` and `logprobs` (one each, natural logarithm) are the truth; `text` is their
    decoding. `terminal` ends the path, with `answer` where the task found one. `state` is
    what the task tracks along the path (Game of 24: the numbers left).
    """

    text: str
    token_ids: tuple[int, ...] = ()
    logprobs: tuple[float, ...] | None = None
    end: End = "delimiter"
    terminal: bool = False
    answer: str | None = None
    state: Hashable = None

    @property
    def token_count(self) -> int:
        return len(self.token_ids)

    @property
    def content(self) -> Hashable:
        """What tells one text from another."""
        return self.text


class Sketch(Protocol):
    """What a search may read of a step without needing its text: real and imagined steps have it."""

    @property
    def terminal(self) -> bool: ...
    @property
    def token_count(self) -> int: ...
    @property
    def text(self) -> str: ...
    @property
    def token_ids(self) -> tuple[int, ...]: ...
    @property
    def logprobs(self) -> tuple[float, ...] | None: ...
    @property
    def end(self) -> End: ...
    @property
    def answer(self) -> str | None: ...
    @property
    def state(self) -> Hashable: ...
    @property
    def content(self) -> Hashable:
        """Equal where the texts are: an imagined step has no text, and a content like no other."""
        ...


class Unknown(Exception):
    """Raised by a `TreeView` for what is not there: `calls` are what it would take to know.

    It demands them. Empty `calls`: an imagined node was asked for what only a real one has.
    """

    def __init__(self, calls: Iterable[Call] = ()) -> None:
        self.calls: tuple[Call, ...] = tuple(calls)
        super().__init__(self.calls)


class TreeView(Protocol):
    """The demanded, finished calls of a query; reading anything else raises `Unknown`."""

    def children(self, call: Expand) -> tuple[NodeId, ...]:
        """The children that `call` made, in order; empty under a terminal node."""
        ...

    def step(self, node: NodeId) -> Sketch:
        """The step that ends at `node` (not the root)."""
        ...

    def score(self, call: Score) -> tuple[float, ...]:
        """The scores of `call`'s nodes, each in [0, 1]; empty when one of them was never made."""
        ...

    def need(self, calls: Iterable[Call]) -> None:
        """Raise `Unknown` once for all of `calls` that are missing."""
        ...


@dataclass(slots=True)
class Tree:
    """Results of finished calls. Written by the query alone; each call is written once."""

    steps: dict[NodeId, Step] = field(default_factory=dict)
    expansions: dict[Expand, tuple[NodeId, ...]] = field(default_factory=dict)
    scores: dict[Score, tuple[float, ...]] = field(default_factory=dict)
    # Paths that were asked for: each is one step longer than another, and every call asks for its own.
    _paths: dict[NodeId, tuple[Step, ...]] = field(default_factory=lambda: {ROOT: ()}, repr=False, compare=False)

    def expand(self, call: Expand, steps: Iterable[Step]) -> None:
        """Record what `call` made."""
        made = []
        for part, step in enumerate(steps):
            node = child(call, part)
            self.steps[node] = step
            made.append(node)
        self.expansions[call] = tuple(made)

    def void(self, call: Call) -> None:
        """Record that nothing comes of `call`."""
        if isinstance(call, Expand):
            self.expansions[call] = ()
        else:
            self.scores[call] = ()

    def __contains__(self, call: object) -> bool:
        return call in (self.expansions if isinstance(call, Expand) else self.scores)

    def exists(self, node: NodeId) -> bool:
        """Whether `node` is the root or has been made."""
        return node == ROOT or node in self.steps

    def path(self, node: NodeId) -> tuple[Step, ...]:
        """The steps from the root to `node`."""
        depth = len(node)
        while (path := self._paths.get(node[:depth])) is None:
            depth -= 1
        for longer in range(depth + 1, len(node) + 1):
            path = self._paths[node[:longer]] = (*path, self.steps[node[:longer]])
        return path

    def reward(self, node: NodeId, model: str = REWARD) -> float | None:
        """The node's own score by `model`, where it was scored alone."""
        values = self.scores.get(Score((node,), model))
        return values[0] if values else None

    def children_of(self, node: NodeId) -> list[NodeId]:
        """All children of `node`, in NodeId order."""
        return sorted(kid for call, kids in self.expansions.items() if call.parent == node for kid in kids)

    def terminals(self) -> Iterator[NodeId]:
        """Terminal nodes in NodeId order."""
        return (node for node in sorted(self.steps) if self.steps[node].terminal)

    def only(self, calls: Iterable[Call]) -> Tree:
        """The part that `calls` made: a query's demanded tree."""
        part = Tree()
        for call in calls:
            if isinstance(call, Score):
                part.scores[call] = self.scores[call]
            else:
                part.expand(call, (self.steps[node] for node in self.expansions[call]))
        return part


class Visible:
    """A strand's `TreeView`: what it has demanded and what has finished, nothing else.

    `read` is what the strand has got to know: what has come besides is there or not as time has it.
    """

    __slots__ = ("_expansions", "_scores", "_steps", "_visited", "read")

    def __init__(self) -> None:
        self.read: set[Call] = set()
        self._visited: set[NodeId] = set()
        self._steps: dict[NodeId, Step] = {}
        self._expansions: dict[Expand, tuple[NodeId, ...]] = {}
        self._scores: dict[Score, tuple[float, ...]] = {}

    def reveal(self, call: Call, tree: Tree) -> None:
        """Make a demanded call readable, now that it has finished."""
        if isinstance(call, Score):
            self._scores[call] = tree.scores[call]
            return
        nodes = tree.expansions[call]
        self._expansions[call] = nodes
        for node in nodes:
            self._steps[node] = tree.steps[node]

    def __contains__(self, call: object) -> bool:
        return call in (self._expansions if isinstance(call, Expand) else self._scores)

    def children(self, call: Expand) -> tuple[NodeId, ...]:
        try:
            found = self._expansions[call]
        except KeyError:
            raise Unknown((call,)) from None
        self.read.add(call)
        return found

    def step(self, node: NodeId) -> Step:
        try:
            found = self._steps[node]
        except KeyError:
            raise Unknown((maker(node),)) from None
        if node not in self._visited:
            self._visited.add(node)
            self.read.add(maker(node))
        return found

    def score(self, call: Score) -> tuple[float, ...]:
        try:
            found = self._scores[call]
        except KeyError:
            raise Unknown((call,)) from None
        self.read.add(call)
        return found

    def need(self, calls: Iterable[Call]) -> None:
        calls = tuple(calls)
        missing = tuple(call for call in calls if call not in self)
        if missing:
            raise Unknown(missing)
        self.read.update(calls)
