"""TreeQuest's algorithms as searches (SakanaAI's package `treequest`; the extra of that name installs it).

An algorithm of TreeQuest says by `ask_batch` which nodes to expand by which actions, and takes a new node's state and
score by `tell`. Here a trial is an `Expand` with the `Score` of what it makes, and a node's state is its NodeId.
TreeQuest changes its state in place, draws from the program's shared generators, and dates and numbers trials by the
clock; a search must not. So each decision works on a copy, with the generators seeded by `spex.seeds.draw` and the
clock stopped. It knows no terminals: a trial below one makes no call, and is told that node again, with its reward.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from itertools import count
from logging import CRITICAL, Logger
from typing import Any, ClassVar, NamedTuple, Protocol

from immutables import Map

from spex.bridges.copying import copied
from spex.bridges.shared_chance import keyed
from spex.errors import InputError
from spex.ids import ROOT, Expand, NodeId, Score
from spex.search.base import Demand, Outlook, Stop
from spex.search.parameters import DEPTH_MAX, WIDTH_MAX, check_whole
from spex.search.samples import Samples, Scored, read_samples, samples_of
from spex.seeds import draw
from spex.tree import TreeView

# It logs each result that comes too late; what is imagined is nobody's business.
_SILENT = Logger("silent", CRITICAL + 1)  # noqa: LOG001  # it is nobody else's, and has no handlers
_MAKE_ONE = frozenset({"step", "solution"})


class Trial(Protocol):
    """What the bridge reads of a trial of TreeQuest."""

    trial_id: str
    action: str
    parent_state: NodeId | None


class Algorithm(Protocol):
    """What the bridge asks of an algorithm of TreeQuest: settings alone; what it learns is in its states."""

    def init_tree(self) -> Any: ...
    def ask_batch(self, state: Any, batch_size: int, actions: list[str]) -> tuple[Any, Sequence[Any]]: ...
    def tell(self, state: Any, trial_id: str, result: tuple[NodeId, float]) -> Any: ...


class Told(NamedTuple):
    """A result as an algorithm got it."""

    trial_id: str
    node: NodeId
    score: float


class Learned:
    """What an algorithm has learned from a history of results.

    The history is its value; the algorithm's own state, which follows from it, never changes: it is copied to be used.
    """

    __slots__ = ("_history", "_inner")

    def __init__(self, inner: Any, history: tuple[Told, ...]) -> None:
        self._inner = inner
        self._history = history

    def __iter__(self) -> Iterator[Told]:
        return iter(self._history)

    def __len__(self) -> int:
        return len(self._history)

    def __repr__(self) -> str:
        return f"Learned({self._history!r})"

    def inner(self) -> Any:
        """A copy of the algorithm's own state, to be changed."""
        return copied(self._inner)


class Asked(NamedTuple):
    """A trial that waits for its result: the number of its sample; None where `parent` cannot grow."""

    trial_id: str
    parent: NodeId
    sample: int | None


class State(NamedTuple):
    """`samples` are what `asked` waits for; `calls` counts calls by parent and action, `asks` what has been asked."""

    seed: int
    learned: Learned
    asks: int
    calls: Map[tuple[NodeId, str], int]
    asked: tuple[Asked, ...]
    samples: Samples
    terminals: tuple[NodeId, ...]


@dataclass(frozen=True, slots=True)
class TreeQuest:
    """An algorithm of TreeQuest: `TreeQuest(treequest.ABMCTSA())`, say.

    `iterations` trials (1 to 65536), of which `batch` (1 to 1024) are asked for at a time; `actions` are what a trial
    may do (names of letters, digits, _ and -; at least one); at `depth_max` (1 to 1000) nodes do not grow, as if they
    were terminal. Of several children of a call the best is told, and a call without any tells its parent again with a
    score of 0. Not for algorithms that work in other processes (AB-MCTS-M). Raises `InputError`.

    A decision costs a copy of all that is known (ABMCTSA: ½ ms at 32 nodes, 3 ms at 128) and the algorithm's own work.
    Run-ahead takes thousands of decisions a query: where that is too much, give `Speculation` a smaller `effort`.
    """

    algorithm: Algorithm
    iterations: int = 32
    batch: int = 1
    actions: tuple[str, ...] = ("step",)
    depth_max: int = 25

    answer_rule: ClassVar[str] = "best"
    keys_shared_chance: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if isinstance(self.algorithm, type) or not hasattr(self.algorithm, "ask_batch"):
            raise InputError("algorithm", self.algorithm, "it must be an algorithm of TreeQuest, such as ABMCTSA()")
        check_whole("iterations", self.iterations, 1, WIDTH_MAX)
        check_whole("batch", self.batch, 1, 1024)
        check_whole("depth_max", self.depth_max, 1, DEPTH_MAX)
        if type(self.actions) is not tuple or not self.actions:
            raise InputError("actions", self.actions, "it must be a tuple of at least one name")

    def start(self, seed: int) -> State:
        with _alone(seed, 0):
            return State(seed, Learned(self.algorithm.init_tree(), ()), 0, Map(), (), Samples(), ())

    def advance(self, state: State, tree: TreeView) -> tuple[State, Demand | Stop]:
        made = read_samples(state.samples, tree)
        told = _results(state.asked, made, tree)
        ended = {scored.node for scored in made if scored.step.terminal}
        terminals = state.terminals + tuple(result.node for result in told if result.node in ended)
        inner, history, asks = state.learned.inner(), (*state.learned,), state.asks
        while True:
            history += told
            inner, trials = self._turn(inner, told, self.iterations - len(history), state.seed, asks)
            asks += 1
            asked, calls, expands = self._asked(trials, state.calls, tree)
            if expands or not trials:
                break
            told = _results(asked, (), tree)
        samples = samples_of(expands)
        after = State(state.seed, Learned(inner, history), asks, calls, asked, samples, terminals)
        return after, samples.demand() if trials else Stop(terminals)

    def outlook(self, state: State, tree: TreeView) -> Outlook:  # noqa: ARG002  # as every search has it
        """One node a trial; of several that a call has made, those that are not told are lost."""
        return Outlook(self.iterations - len(state.learned), keeps=_MAKE_ONE.issuperset(self.actions))

    def _turn(self, inner: Any, told: Iterable[Told], room: int, seed: int, asks: int) -> tuple[Any, Sequence[Trial]]:
        """Tell the algorithm, and ask it for at most `room` trials more."""
        with _alone(seed, asks):
            for trial_id, node, score in told:
                inner = self.algorithm.tell(inner, trial_id, (node, score))
            batch = min(self.batch, room)
            return self.algorithm.ask_batch(inner, batch, list(self.actions)) if batch else (inner, ())

    def _asked(
        self, trials: Iterable[Trial], calls: Map[tuple[NodeId, str], int], tree: TreeView
    ) -> tuple[tuple[Asked, ...], Map[tuple[NodeId, str], int], list[Expand]]:
        """The trials with the calls that they take, and the calls counted."""
        asked: list[Asked] = []
        expands: list[Expand] = []
        for trial in trials:
            parent = ROOT if trial.parent_state is None else trial.parent_state
            if len(parent) == self.depth_max or (parent != ROOT and tree.step(parent).terminal):
                asked.append(Asked(trial.trial_id, parent, None))
                continue
            place = (parent, trial.action)
            index = calls.get(place, 0)
            calls = calls.set(place, index + 1)
            asked.append(Asked(trial.trial_id, parent, len(expands)))
            expands.append(Expand(parent, trial.action, index))
        return tuple(asked), calls, expands


def _results(asked: Iterable[Asked], made: Sequence[Scored], tree: TreeView) -> tuple[Told, ...]:
    """What the algorithm is told of its trials."""
    return tuple(
        [_result(trial, [scored for scored in made if scored.sample == trial.sample], tree) for trial in asked]
    )


def _result(trial: Asked, made: Sequence[Scored], tree: TreeView) -> Told:
    if trial.sample is None:
        return Told(trial.trial_id, trial.parent, tree.score(Score((trial.parent,)))[0])
    if not made:
        return Told(trial.trial_id, trial.parent, 0.0)
    best = max(made, key=lambda scored: scored.reward)
    return Told(trial.trial_id, best.node, best.reward)


@contextmanager
def _alone(seed: int, asks: int) -> Iterator[None]:
    """What TreeQuest does within follows from the seed and from the number of times that it was asked before."""
    # TreeQuest imports these names in one module; without TreeQuest, the algorithm is somebody's own.
    module: Any = sys.modules.get("treequest.trial")
    names = {"ulid": _Names(asks), "datetime": _StoppedClock, "logger": _SILENT}
    before = {name: getattr(module, name) for name in names if module}
    with keyed(int(draw(seed, 0, asks) * 2**32) % 2**32):
        try:
            for name in before:
                setattr(module, name, names[name])
            yield
        finally:
            for name, value in before.items():
                setattr(module, name, value)


class _Names:
    """Names trials in order, in the place of a clock and of chance."""

    def __init__(self, asks: int) -> None:
        self._asks = asks
        self._counter = count()

    def new(self) -> str:
        return f"{self._asks}.{next(self._counter)}"


class _StoppedClock:
    """Every trial is made and told at one time."""

    @staticmethod
    def now(tz: tzinfo | None = None) -> datetime:
        return datetime.fromtimestamp(0, tz or UTC)
