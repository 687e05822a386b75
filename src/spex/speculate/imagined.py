"""An imagined world: a tree in which everything is there, and which remembers what was read of it, and when.

Real results stand where they exist, demanded or not; elsewhere stand a particle's imaginations. What was read of
these is kept with the decision that read it first, so that a result that comes in puts back only the decisions that
it could change.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from spex.ids import REWARD, Call, Expand, NodeId, Score, child, maker
from spex.speculate.absent import ROOT_REWARD, AbsentStep, told_apart
from spex.speculate.answers import Answers
from spex.speculate.guesses import DONE, NEVER, RIPE, Node, Text, Value
from spex.speculate.habits import Surroundings
from spex.speculate.particle import Particle
from spex.speculate.predictor import Predictor
from spex.tree import Sketch, Step, Tree

_SHIFT_MIN = 0.2

Mark: TypeAlias = tuple[int, int]
START: Mark = (0, 0)


class ImaginedTree:
    """One particle's `TreeView` for one strand, which keeps the calls that were demanded in it."""

    __slots__ = (
        "_answers",
        "_attempt",
        "_attempts",
        "_demanded",
        "_live",
        "_nodes",
        "_particle",
        "_predictor",
        "_siblings",
        "_texts",
        "_tree",
        "_values",
    )

    def __init__(
        self,
        tree: Tree,
        particle: Particle,
        predictor: Predictor,
        siblings: dict[NodeId, tuple[float, int]],
        answers: Answers | None = None,
    ) -> None:
        self._tree = tree
        self._particle = particle
        self._predictor = predictor
        self._siblings = siblings
        self._answers = answers
        # An attempt at a decision gets a new number each time: stamps are in force while theirs is in `_live`.
        self._attempt = 0
        self._attempts: list[int] = []
        self._live: dict[int, int] = {}  # the decision that each attempt was at
        self._nodes: dict[NodeId, Node] = {}
        self._texts: dict[Expand, Text] = {}
        self._values: dict[Score, Value] = {}
        self._demanded: list[Text | Value] = []

    # What a search reads

    def children(self, call: Expand) -> tuple[NodeId, ...]:
        text = self._texts.get(call) or self._text(call)
        if text.made is not None:
            return text.made
        if text.read not in self._live:
            self._imagine(text)
        return text.kids

    def step(self, node: NodeId) -> Sketch:
        found = self._nodes.get(node) or self._node(node)
        if found.real is not None:
            return found.real
        if found.seen not in self._live:
            call = maker(node)
            text = self._texts.get(call) or self._text(call)
            if text.made is None and text.read not in self._live:
                self._imagine(text)
        return found.sketch if found.sketch and found.seen in self._live else self._sketch(found)

    def score(self, call: Score) -> tuple[float, ...]:
        value = self._values.get(call) or self._value(call)
        if value.known is not None:
            return value.known
        if value.read not in self._live:
            value.read = self._attempt
            if value.asked not in self._live:
                self._ask(value)
        nodes = value.nodes
        if call.model != REWARD:
            return told_apart(len(nodes))
        return (self._reward(nodes[0]),) if len(nodes) == 1 else tuple(map(self._reward, nodes))

    def need(self, calls: Iterable[Call]) -> None:
        texts, values, live = self._texts, self._values, self._live
        for call in calls:
            entry: Text | Value
            if isinstance(call, Expand):
                entry = texts.get(call) or self._text(call)
            else:
                entry = values.get(call) or self._value(call)
            if entry.asked not in live:
                self._ask(entry)

    # Going on and going back

    def attempt(self, decision: int) -> None:
        """What is read from now on is read by decision number `decision`."""
        self._attempt += 1
        self._attempts.append(self._attempt)
        self._live[self._attempt] = decision

    def mark(self) -> Mark:
        """Where a decision begins."""
        return len(self._attempts), len(self._demanded)

    def rewind(self, mark: Mark) -> None:
        """Forget everything since `mark`."""
        attempts, demanded = mark
        for number in self._attempts[attempts:]:
            del self._live[number]
        del self._attempts[attempts:], self._demanded[demanded:]

    @property
    def ripe(self) -> list[Call]:
        """The demanded calls that could be made now."""
        return [entry.call for entry in self._demanded if entry.stage == RIPE]

    def stage(self, call: Call) -> int:
        """How far a call that was demanded has come."""
        entry: Text | Value = self._texts[call] if isinstance(call, Expand) else self._values[call]
        return entry.stage

    # What results change

    def put_back(self, news: Iterable[Call]) -> int | None:
        """The first decision that the finished calls `news`, not settled yet, could change, if there is one."""
        found = [number for call in news if (number := self._changed(call)) is not None]
        return min(found, default=None)

    def settle(self, news: Iterable[Call]) -> None:
        """Take note that `news` have results: they need not be made any more, and others can be."""
        for call in news:
            if isinstance(call, Expand):
                self._settle_text(call)
            else:
                self._settle_score(call)

    def _settle_text(self, call: Expand) -> None:
        made = self._tree.expansions[call]
        text = self._texts.get(call)
        if text is not None:
            text.made, text.stage = made, DONE
        for name in made:
            node = self._nodes.get(name)
            if node is not None:
                node.realise(self._tree.steps[name])

    def _settle_score(self, call: Score) -> None:
        scores = self._tree.scores[call]
        value = self._values.get(call)
        if value is not None:
            value.known, value.stage = scores, DONE
        if scores and call == Score(call.nodes[:1]):
            node = self._nodes.get(call.nodes[0])
            if node is not None:
                node.scored = scores[0]

    def _changed(self, call: Call) -> int | None:
        live = self._live
        if isinstance(call, Score):
            value = self._values.get(call)
            stamps = [value.read if value else NEVER]
            if call.model == REWARD:
                stamps += map(self._family, call.nodes)
            return min((live[stamp] for stamp in stamps if stamp in live), default=None)
        text = self._texts.get(call)
        number = None if text is None else live.get(text.read)
        if text is None or number is None:
            return None
        if self._tree.expansions[call] != text.kids:
            return number
        node, parent = text.node, text.node.parent
        sketch = node.sketch
        if node.seen in live and sketch and sketch.is_contradicted_by(self._tree.steps[node.name]):
            return number
        return live.get(parent.kids_rated, number) if parent and self._is_shifted(node) else None

    def _family(self, name: NodeId) -> int:
        """The stamp of the first imagined reward among the children of the node's parent."""
        node = self._nodes.get(name)
        return NEVER if node is None else (node.parent or node).kids_rated

    def _is_shifted(self, node: Node) -> bool:
        """Whether the node's text tells so much of its reward that what was imagined will not do."""
        if node.rated not in self._live or Score((node.name,)) in self._tree.scores:
            return False
        expected, spread = self._expected(node, self._tree.steps[node.name])
        return abs(expected - node.reward) > _SHIFT_MIN * spread

    # Imagination

    def _imagine(self, text: Text) -> None:
        text.read = self._attempt
        if text.asked not in self._live:
            self._ask(text)
        self._sketch(text.node)

    def _ask(self, entry: Text | Value) -> None:
        entry.asked = self._attempt
        if entry.stage != DONE:
            self._demanded.append(entry)

    def _sketch(self, node: Node) -> AbsentStep:
        node.seen = self._attempt
        ends = node.innovation.end < node.habits.hazard(node.depth)
        sketch = node.sketch
        if sketch is None or sketch.terminal is not ends or sketch.told_answer:
            drawn = node.innovation
            sketch = node.sketch = AbsentStep(ends, node.habits, drawn.length, self._answers, drawn.answer)
        return sketch

    def _reward(self, node: Node) -> float:
        """The node's real reward, or the imagined one: expectation plus this particle's innovation."""
        if node.scored is not None:
            return node.scored
        if node.rated in self._live:
            return node.reward
        parent = node.parent
        if parent is None:
            return ROOT_REWARD
        if parent.kids_rated not in self._live:
            parent.kids_rated = self._attempt
        expected = self._expected(node, node.real)[0]
        node.reward = min(1.0, max(0.0, expected))
        node.rated = self._attempt
        return node.reward

    def _expected(self, node: Node, step: Step | None) -> tuple[float, float]:
        """The reward that this particle expects of `node`, and the spread that its innovation was scaled by."""
        parent = node.parent
        base = ROOT_REWARD if parent is None else self._reward(parent)
        if step is None:
            mean, spread = node.habits.of_imagined(base, node.depth)
        else:
            around = Surroundings(base, node.depth, *self._siblings.get(node.name[:-1], (0.0, 0)))
            mean, spread = node.habits.of_text(step, around)
        return mean + spread * node.innovation.reward, spread

    # Names

    def _node(self, name: NodeId) -> Node:
        """The node of that name, which is new. Its ancestors need not have been named before."""
        for length in range(self._depth_named(name) + 1, len(name) + 1):
            parent = self._nodes.get(name[: length - 1]) if length else None
            self._nodes[name[:length]] = self._new(name[:length], parent)
        return self._nodes[name]

    def _depth_named(self, name: NodeId) -> int:
        """The depth of the nearest ancestor that was named before; −1 where there is none."""
        depth = len(name) - 1
        while depth >= 0 and name[:depth] not in self._nodes:
            depth -= 1
        return depth

    def _new(self, name: NodeId, parent: Node | None) -> Node:
        tree = self._tree
        real = tree.steps.get(name)
        scores = tree.scores.get(Score((name,))) if real is not None or not name else None
        habits = self._predictor.habits(name[-1].action if name else "")
        return Node(name, parent, habits, self._particle.innovation(name), real, scores[0] if scores else None)

    def _text(self, call: Expand) -> Text:
        kid = child(call)
        node = self._nodes.get(kid) or self._node(kid)
        found = self._texts[call] = Text(call, node, (kid,), self._tree.expansions.get(call))
        return found

    def _value(self, call: Score) -> Value:
        nodes = tuple(self._nodes.get(name) or self._node(name) for name in call.nodes)
        found = self._values[call] = Value(call, nodes, self._tree.scores.get(call))
        return found


def makeable(call: Call, tree: Tree) -> bool:
    """Whether the call's prompt exists: the parent's text, or the texts to be scored."""
    nodes = (call.parent,) if isinstance(call, Expand) else call.nodes
    return all(map(tree.exists, nodes))
