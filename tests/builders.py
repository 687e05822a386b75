"""Rules, models and jobs for tests, written so that a test reads like the picture it is about.

Nodes are named by the indices of their steps: `node(0, 1)` is the second child of the first child
of the root, `grow(0, 1)` the call that makes it, `rate(0, 1)` the one that scores it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from spex.control.setup import Setup, Speculation
from spex.engine.base import Completion, Engine, Generation, Message, Scoring
from spex.engine.simulated import SimulatedPolicy, SimulatedReward
from spex.ids import Edge, Expand, NodeId, Score, maker
from spex.policy import Policy
from spex.problem import Problem
from spex.profile import Affine, Curve
from spex.prompt import Prompt
from spex.reward.base import Reward
from spex.search.base import AnySearch, Demand, Outlook, Stop
from spex.seeds import draw
from spex.tasks.base import StepForm
from spex.tree import Step, TreeView

ITL_SECONDS = 0.010
SCORE_SECONDS = 0.040
FLAT = Affine(ITL_SECONDS, 0.0)


def node(*path: int) -> NodeId:
    return tuple(Edge("step", index) for index in path)


def grow(*path: int) -> Expand:
    """The call that makes `node(*path)`."""
    return maker(node(*path))


def rate(*path: int, model: str = "reward") -> Score:
    return Score((node(*path),), model)


def problems(count: int) -> list[Problem]:
    return [Problem(f"problem {number}", f"p{number}") for number in range(count)]


# Rules

Decision = Callable[[TreeView], Demand | Stop]


@dataclass(frozen=True)
class Rule:
    """A search that takes one given decision after another, the last of them for ever."""

    decisions: tuple[Decision, ...]

    def start(self, seed: int) -> int:
        return 0

    def advance(self, state: int, tree: TreeView) -> tuple[int, Demand | Stop]:
        return state + 1, self.decisions[min(state, len(self.decisions) - 1)](tree)

    def outlook(self, state: int, tree: TreeView) -> Outlook:
        return Outlook(1)


def rule(*decisions: Decision) -> Rule:
    return Rule(decisions)


def demand(*calls: Expand | Score) -> Decision:
    return lambda tree: Demand(calls)


def read(*calls: Expand | Score) -> Decision:
    """Wait for `calls`, and demand nothing more."""

    def decide(tree: TreeView) -> Demand:
        tree.need(calls)
        return Demand(())

    return decide


def stop(*nodes: NodeId) -> Decision:
    return lambda tree: Stop(nodes)


def breadth(*counts: int) -> Rule:
    """Every node of a level grown and scored before the next: `breadth(2, 3)` has 2, then 6 nodes."""
    levels: list[tuple[tuple[int, ...], ...]] = [((),)]
    decisions: list[Decision] = []
    for count in counts:
        levels.append(tuple((*path, index) for path in levels[-1] for index in range(count)))
        calls = [call for path in levels[-1] for call in (grow(*path), rate(*path))]
        decisions += [demand(*calls), read(*calls)]
    return rule(*decisions, stop())


# Models


@dataclass(frozen=True)
class Words:
    """What a simulated model writes, by the path of the node that it makes.

    `tokens` a step (default `usual`); `answers` end their paths; `silent` calls make no child.
    """

    usual: int = 10
    tokens: Mapping[tuple[int, ...], int] = field(default_factory=dict)
    answers: Mapping[tuple[int, ...], str] = field(default_factory=dict)
    silent: frozenset[tuple[int, ...]] = frozenset()

    def __call__(self, request: Generation) -> Completion:
        path = path_of(request.key)
        count = self.tokens.get(path, self.usual)
        name = request.seed & 0xFFFF_FFFF
        token_ids = tuple(range(name, name + count))
        if path in self.silent:
            return Completion("", token_ids, None, "delimiter")
        ends = path in self.answers
        text = f"{'/'.join(map(str, path))}={self.answers[path]}" if ends else "/".join(map(str, path))
        return Completion(text, token_ids, None, "eos" if ends else "delimiter")


def path_of(key: str) -> tuple[int, ...]:
    """The indices in a request's key: those of the node that is made, or that is scored first."""
    name = key.partition("|")[2].partition(",")[0]
    place = name.removeprefix("expand:").replace(">", "/") if name.startswith("expand:") else name.split(":")[2]
    return tuple(int(part.split(".")[1]) for part in place.split("/") if part != "root")


def wobbly(request: Scoring) -> tuple[float, ...]:
    """Rewards that differ from node to node, a function of content."""
    return tuple(0.1 + 0.8 * draw(path.prompt.token_ids[-1], 0, 0) for path in request.paths)


@dataclass(frozen=True)
class PlainTask:
    """Reads what `Words` writes: a path, `=` and an answer where it ends, nothing for no child."""

    name: str = "plain"

    def messages(self, problem: Problem) -> tuple[Message, ...]:
        return (Message("user", problem.text),)

    def opening(self, problem: Problem) -> str:
        return ""

    def form(self, action: str) -> StepForm:
        return StepForm(("\n",), 1_000_000)

    def start(self, problem: Problem) -> Hashable:
        return None

    def read(self, problem: Problem, path: Sequence[Step], action: str, completion: Completion) -> tuple[Step, ...]:
        if not completion.text:
            return ()
        text, _, answer = completion.text.partition("=")
        ends = completion.end == "eos"
        return (Step(text, completion.token_ids, completion.logprobs, completion.end, ends, answer or None),)

    def normalise(self, answer: str) -> str:
        return answer

    def check(self, problem: Problem, answer: str) -> bool | None:
        return None if problem.answer is None else answer == problem.answer


def policy(words: Words | None = None, curve: Curve = FLAT, **more: object) -> SimulatedPolicy:
    return SimulatedPolicy(words or Words(), curve, **more)  # type: ignore[arg-type]  # options by name


def reward(seconds: float = SCORE_SECONDS, **more: object) -> SimulatedReward:
    return SimulatedReward(wobbly, Affine(seconds, 0.0), **more)  # type: ignore[arg-type]  # options by name


def setup(
    search: AnySearch,
    engine: Engine | None = None,
    scorer: Reward | None = None,
    speculation: Speculation | None = None,
    seed: int = 0,
) -> Setup:
    """A plain run, unless `speculation` is given."""
    return Setup(
        search=search,
        policy=Policy(engine or policy(), PlainTask()),
        rewards={"reward": scorer or reward()},
        seed=seed,
        speculation=speculation,
    )


def request(key: str = "p|expand:root>step.0", prompt: tuple[int, ...] = (1, 2, 3), seed: int = 7) -> Generation:
    return Generation(key, Prompt([prompt]), seed, ("\n",), 1_000_000)
