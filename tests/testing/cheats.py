"""An honest search, and searches that break one rule of the contract each."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from os import urandom
from typing import ClassVar, NamedTuple

from spex.ids import ROOT, Expand, NodeId, Score, child
from spex.search.base import Demand, Outlook, Stop
from spex.tree import TreeView, Unknown


class Walk(NamedTuple):
    """How far a walk has come: `depth` steps below the root, and the node that it expands next."""

    depth: int = 0
    node: NodeId = ROOT


class Walker:
    """An honest search: one path of three samples a step, the child of highest reward taken."""

    def start(self, seed: int) -> Walk:
        return Walk()

    def advance(self, state: Walk, tree: TreeView) -> tuple[Walk, Demand | Stop]:
        return self.step(state, tree)

    def outlook(self, state: Walk, tree: TreeView) -> Outlook:
        return Outlook(1)

    def step(self, state: Walk, tree: TreeView, samples: int = 3) -> tuple[Walk, Demand | Stop]:
        if state.depth and tree.step(state.node).terminal:
            return state, Stop((state.node,))
        expands = [Expand(state.node, "step", index) for index in range(samples)]
        tree.need(expands)
        kids = [kid for expand in expands for kid in tree.children(expand)]
        if not kids or state.depth == 3:
            return state, Stop(())
        best = max(kids, key=lambda kid: tree.score(Score((kid,)))[0])
        return Walk(state.depth + 1, best), Demand((Expand(best),))


class OnAbsence(Walker):
    """Takes what is there already, and waits for the rest only where nothing is."""

    def advance(self, state: Walk, tree: TreeView) -> tuple[Walk, Demand | Stop]:
        try:
            tree.children(Expand(state.node, "step", 0))
        except Unknown:
            return self.step(state, tree, samples=1)
        return self.step(state, tree)


class OnAbsenceOfAll(Walker):
    """Has one Unknown swallowed by a bare `except Exception`."""

    def advance(self, state: Walk, tree: TreeView) -> tuple[Walk, Demand | Stop]:
        try:
            return self.step(state, tree)
        except Exception:  # noqa: BLE001
            return state, Stop(())


class OnOrder(Walker):
    """Counts how often it is asked, which depends on what arrives when."""

    asked: ClassVar[list[int]] = []

    def advance(self, state: Walk, tree: TreeView) -> tuple[Walk, Demand | Stop]:
        self.asked.append(state.depth)
        # Half as often, because the suite asks everything twice.
        return self.step(state, tree, samples=2 + (len(self.asked) + 1) // 2 % 3)


class OnPeeking(Walker):
    """Looks into the view for what has arrived."""

    def advance(self, state: Walk, tree: TreeView) -> tuple[Walk, Demand | Stop]:
        arrived = len(tree._view._expansions)  # type: ignore[attr-defined]
        state, decision = self.step(state, tree)
        return (
            (state, Demand((Expand(ROOT, "step", 50 + arrived),)))
            if isinstance(decision, Demand)
            else (state, decision)
        )


class OnLateArrival(Walker):
    """Demands the same in every order, and ends as the arrival of what it never reads will have it."""

    def advance(self, state: Walk, tree: TreeView) -> tuple[Walk, Demand | Stop]:
        ends = (Expand(ROOT, "step", 0), Expand(ROOT, "step", 1))
        if not state.depth:
            return Walk(1), Demand((Expand(ROOT, "step", 2), *ends))
        terminals = [node for end in ends for node in tree.children(end) if tree.step(node).terminal]
        late = Expand(ROOT, "step", 2) in tree._view  # type: ignore[attr-defined]
        return state, Stop(tuple(reversed(terminals) if late else terminals))

    def outlook(self, state: Walk, tree: TreeView) -> Outlook:
        return Outlook(2)


class OnClock(Walker):
    def advance(self, state: Walk, tree: TreeView) -> tuple[Walk, Demand | Stop]:
        return self.step(state, tree, samples=2 if time.monotonic() > 0 else 3)


class OnDate(Walker):
    def advance(self, state: Walk, tree: TreeView) -> tuple[Walk, Demand | Stop]:
        return self.step(state, tree, samples=2 if datetime.now(UTC).year > 2000 else 3)


class OnChance(Walker):
    def advance(self, state: Walk, tree: TreeView) -> tuple[Walk, Demand | Stop]:
        return self.step(state, tree, samples=random.randint(3, 3))


class OnEntropy(Walker):
    def advance(self, state: Walk, tree: TreeView) -> tuple[Walk, Demand | Stop]:
        return self.step(state, tree, samples=2 if urandom(1) else 3)


class OnSystemRandom(Walker):
    def advance(self, state: Walk, tree: TreeView) -> tuple[Walk, Demand | Stop]:
        return self.step(state, tree, samples=2 if random.SystemRandom().random() < 2 else 3)


class Unsteady(Walker):
    """Takes turns."""

    turns: ClassVar[list[int]] = []

    def advance(self, state: Walk, tree: TreeView) -> tuple[Walk, Demand | Stop]:
        self.turns.append(0)
        return self.step(state, tree, samples=2 + len(self.turns) % 2)


@dataclass
class Remembering(Walker):
    """Keeps something outside its state."""

    seen: list[NodeId] = field(default_factory=list)

    def advance(self, state: Walk, tree: TreeView) -> tuple[Walk, Demand | Stop]:
        self.seen.append(state.node)
        return self.step(state, tree)


@dataclass
class Notebook:
    depth: int = 0


class InPlace:
    """Has a state that it writes to."""

    def start(self, seed: int) -> Notebook:
        return Notebook()

    def advance(self, state: Notebook, tree: TreeView) -> tuple[Notebook, Demand | Stop]:
        state.depth += 1
        return state, Stop(()) if state.depth > 3 else Demand((Expand(ROOT, "step", state.depth),))

    def outlook(self, state: Notebook, tree: TreeView) -> Outlook:
        return Outlook(0)


class Listed:
    """Has a state that could be written to, though it does not."""

    def start(self, seed: int) -> tuple[int, ...]:
        return (0,)

    def advance(self, state: tuple[object, ...], tree: TreeView) -> tuple[object, Demand | Stop]:
        if len(state) > 1:
            return state, Stop(())
        return (0, [1]), Demand((Expand(ROOT),))

    def outlook(self, state: object, tree: TreeView) -> Outlook:
        return Outlook(0)


class WritingInPlace(Listed):
    """Hides what it writes to in a class of its own."""

    class Box:
        def __init__(self) -> None:
            self.depth = 0

    def start(self, seed: int) -> tuple[object, ...]:  # type: ignore[override]
        return (self.Box(),)

    def advance(self, state: tuple[object, ...], tree: TreeView) -> tuple[object, Demand | Stop]:
        box = state[0]
        assert isinstance(box, self.Box)
        box.depth += 1
        return state, Demand((Expand(ROOT, "step", box.depth),))


class Endless(Walker):
    """Finds ever more to sample."""

    def advance(self, state: Walk, tree: TreeView) -> tuple[Walk, Demand | Stop]:
        return Walk(state.depth + 1), Demand((Expand(ROOT, "step", state.depth),))


class StandingStill(Walker):
    """Demands the same for ever."""

    def advance(self, state: Walk, tree: TreeView) -> tuple[Walk, Demand | Stop]:
        return Walk(*state), Demand((Expand(ROOT),))


class ReadingWithoutEnd(Walker):
    def advance(self, state: Walk, tree: TreeView) -> tuple[Walk, Demand | Stop]:
        while True:
            tree.need(())


class Crashing(Walker):
    def advance(self, state: Walk, tree: TreeView) -> tuple[Walk, Demand | Stop]:
        raise ZeroDivisionError("no samples")


class Rootless(Walker):
    """Builds on a node that it never asked for."""

    def advance(self, state: Walk, tree: TreeView) -> tuple[Walk, Demand | Stop]:
        return Walk(1), Demand((Expand(child(Expand(ROOT, "step", 7))),))


class InventingUnknown(Walker):
    def advance(self, state: Walk, tree: TreeView) -> tuple[Walk, Demand | Stop]:
        raise Unknown((Expand(ROOT),))


class Mumbling(Walker):
    def advance(self, state: Walk, tree: TreeView) -> tuple[Walk, Demand | Stop]:
        return Demand(())  # type: ignore[return-value]


class DemandingWords(Walker):
    def advance(self, state: Walk, tree: TreeView) -> tuple[Walk, Demand | Stop]:
        return Walk(1), Demand(("all of it",))  # type: ignore[arg-type]


class CountingTwice(Walker):
    def advance(self, state: Walk, tree: TreeView) -> tuple[Walk, Demand | Stop]:
        state, decision = self.step(state, tree)
        return state, Stop(decision.terminals * 2) if isinstance(decision, Stop) else decision


class CountingOpenNodes(Walker):
    def advance(self, state: Walk, tree: TreeView) -> tuple[Walk, Demand | Stop]:
        return state, Stop(tree.children(Expand(ROOT)))


class CountingStrangers(Walker):
    def advance(self, state: Walk, tree: TreeView) -> tuple[Walk, Demand | Stop]:
        return state, Stop((child(Expand(ROOT)),))


class Unseeded(Walker):
    def start(self, seed: int) -> Walk:
        return Walk(-int(random.random() * 1e9))


class Keyed(Walker):
    """Honest: seeds the generator that all share, and puts it back."""

    keys_shared_chance: ClassVar[bool] = True

    def advance(self, state: Walk, tree: TreeView) -> tuple[Walk, Demand | Stop]:
        before = random.getstate()
        try:
            random.seed(state.depth)
            return self.step(state, tree, samples=random.randint(2, 4))
        finally:
            random.setstate(before)


class KeyedInName(Walker):
    """Puts the shared generator back, but has not seeded it."""

    keys_shared_chance: ClassVar[bool] = True

    def advance(self, state: Walk, tree: TreeView) -> tuple[Walk, Demand | Stop]:
        before = random.getstate()
        chosen = random.randrange(1000)
        random.setstate(before)
        return state, Demand((Expand(ROOT, "step", chosen),))


class KeyedForEver(Walker):
    """Seeds the shared generator, and leaves it so."""

    keys_shared_chance: ClassVar[bool] = True

    def advance(self, state: Walk, tree: TreeView) -> tuple[Walk, Demand | Stop]:
        random.seed(7)
        return self.step(state, tree)


class PromisingTooLittle(Walker):
    def outlook(self, state: Walk, tree: TreeView) -> Outlook:
        return Outlook(0)


class PromisingToKeep(Walker):
    """Says that all it reads counts, and counts one."""

    def outlook(self, state: Walk, tree: TreeView) -> Outlook:
        return Outlook(1, keeps=True)


class PromisingOneTooFew:
    """Samples one solution, and says that no answer can come."""

    def start(self, seed: int) -> tuple[()]:
        return ()

    def advance(self, state: tuple[int, ...], tree: TreeView) -> tuple[tuple[int, ...], Demand | Stop]:
        if not state:
            return (1,), Demand((Expand(ROOT),))
        return state, Stop(tuple(node for node in tree.children(Expand(ROOT)) if tree.step(node).terminal))

    def outlook(self, state: tuple[int, ...], tree: TreeView) -> Outlook:
        return Outlook(0)


class PromisingTooLow(Walker):
    def outlook(self, state: Walk, tree: TreeView) -> Outlook:
        return Outlook(9, best=0.01)


class PromisingNonsense(Walker):
    def outlook(self, state: Walk, tree: TreeView) -> Outlook:
        return Outlook(-1)


class Speechless(Walker):
    def outlook(self, state: Walk, tree: TreeView) -> Outlook:
        raise LookupError("nothing to say")


class Legless:
    """No search at all."""
