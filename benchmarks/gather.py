"""REBASE as one would write it without SPEX: a loop over depths, and `asyncio.gather` over the children of each.

It is the yardstick of the plain run, so it shares neither search nor controller with it: only the values that
engines and rewards speak in, and the rule of seeds, without which the two could not grow the same trees.
The formula is that of Wu et al. 2024, "Inference scaling laws": by falling reward, each open node of a level gets
⌈R·exp(r/T)/S⌉ of the R children that are left, where S sums exp(r/T) over it and the nodes after it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, fsum
from typing import NamedTuple

from spex.engine.base import Engine, Generation, Path, Progress, Scoring
from spex.ids import ROOT, Edge, NodeId, node_key
from spex.problem import Problem
from spex.prompt import Prompt
from spex.reward.base import Reward
from spex.seeds import seed_of
from spex.tasks.base import Task
from spex.tree import Step


class Node(NamedTuple):
    """A partial solution: its name, its text so far, and the reward of its last step."""

    name: NodeId
    prompt: Prompt
    steps: tuple[Step, ...] = ()
    reward: float = 0.0


class Found(NamedTuple):
    """All nodes that were grown, level by level, and what their terminals voted for."""

    nodes: list[Node]
    answer: str | None


@dataclass(frozen=True, slots=True)
class GatherRebase:
    """Expects each call to make one child, and nothing to fail."""

    engine: Engine
    reward: Reward
    task: Task
    seed: int = 0
    width: int = 16
    temperature: float = 0.2
    tokens_max: int = 2048
    depth_max: int = 25

    async def solve(self, problem: Problem) -> Found:
        """Grow the tree of `problem`, and vote."""
        root = Node(ROOT, Prompt([await self.engine.encode_chat(self.task.messages(problem))]))
        nodes, level, width = list[Node](), [root], self.width
        for _ in range(self.depth_max):
            shares = self.shares([node.reward for node in level], width)
            families = zip(level, shares, strict=True)
            grown = [self.grow(problem, node, index) for node, share in families for index in range(share)]
            children = await asyncio.gather(*grown)
            nodes += children
            level = [child for child in children if self.is_open(child)]
            width -= len(children) - len(level)
            if width <= 0 or not level:
                break
        return Found(nodes, vote([node for node in nodes if node.steps[-1].terminal]))

    async def grow(self, problem: Problem, parent: Node, index: int) -> Node:
        """One child of `parent`: written, then scored."""
        form = self.task.form("step")
        seed = seed_of(self.seed, problem.id, "expand", "policy", node_key(parent.name), "step", index)
        request = Generation(problem.id, parent.prompt, seed, form.stop, form.tokens_max)
        completion = await self.engine.generate(request, Progress())
        (step,) = self.task.read(problem, parent.steps, "step", completion)
        prompt, steps = parent.prompt.extended(step.token_ids), (*parent.steps, step)
        scoring = Scoring(problem.id, problem, (Path(prompt, steps),), "reward", 0)
        (reward,) = await self.reward.score(scoring, Progress())
        return Node((*parent.name, Edge("step", index)), prompt, steps, reward)

    def is_open(self, node: Node) -> bool:
        """Whether the node may get children."""
        return not node.steps[-1].terminal and sum(step.token_count for step in node.steps) <= self.tokens_max

    def shares(self, rewards: Sequence[float], width: int) -> list[int]:
        """How many children each node gets, `width` in all."""
        # In whole numbers, so that a sum of floats cannot lift a quotient over a whole one.
        weights = [round(exp(reward / self.temperature) * 2**52) for reward in rewards]
        total, shares = sum(weights), [0] * len(weights)
        for place in sorted(range(len(rewards)), key=lambda place: -rewards[place]):
            if width > 0:
                shares[place] = (width * weights[place] + total - 1) // total
            width -= shares[place]
            total -= weights[place]
        return shares


def vote(terminals: Sequence[Node]) -> str | None:
    """The answer with the greatest sum of rewards; of equals, the one that the smallest node gave."""
    votes: dict[str, list[Node]] = {}
    for node in terminals:
        if node.steps[-1].answer is not None:
            votes.setdefault(node.steps[-1].answer, []).append(node)
    ranks = {answer: (-fsum(n.reward for n in nodes), min(n.name for n in nodes)) for answer, nodes in votes.items()}
    return min(ranks, key=ranks.__getitem__, default=None)
