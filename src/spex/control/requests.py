"""From calls to requests and from results to records: the pure part of a query's work."""

from __future__ import annotations

from dataclasses import replace

from spex.control.job import Work
from spex.control.outcome import Made, Result
from spex.control.setup import Setup
from spex.engine.base import Completion, Path, Progress, Scoring
from spex.errors import Misbehaving, SearchError, SpexError
from spex.ids import REWARD, ROOT, Call, Expand, NodeId, Score, call_key, maker
from spex.problem import Problem
from spex.prompt import Prompt
from spex.reward.base import Reward
from spex.reward.checked import validated
from spex.reward.refused import of_a_reward
from spex.seeds import seed_of
from spex.tasks.checked import checked_steps
from spex.tree import Step, Tree


class Requests:
    """Knows the prompts of one problem's nodes. Requests are functions of the setup and the tree alone."""

    def __init__(self, problem: Problem, setup: Setup, tree: Tree) -> None:
        self._problem = problem
        self._setup = setup
        self._tree = tree
        self._prompts: dict[NodeId, Prompt] = {}

    async def open(self) -> None:
        """Make the root's prompt. Raises `InputError` and `EngineError`."""
        policy = self._setup.policy
        try:
            self._prompts[ROOT] = await policy.prompt(self._problem)
        except SpexError:
            raise
        except Exception as error:
            # A defect of an engine or a task must not take other queries along.
            said = f"{type(error).__name__}: {error}"
            raise Misbehaving(policy.engine.name, f"a prompt for task {policy.task.name}", said) from error

    def missing(self, call: Call) -> Expand | None:
        """An expansion that has not made what the call's prompt is built from, if there is one."""
        nodes = (call.parent,) if isinstance(call, Expand) else call.nodes
        return next((maker(node) for node in nodes if not self._tree.exists(node)), None)

    def is_barren(self, call: Call) -> bool:
        """Whether the call would grow a path that has ended."""
        if not isinstance(call, Expand) or call.parent == ROOT:
            return False
        return self._tree.steps[call.parent].terminal

    def is_possible(self, call: Call) -> bool:
        """Whether a result can come of the call: something serves it, and its path has not ended."""
        served = isinstance(call, Expand) or call.model in self._setup.rewards
        return served and not self.is_barren(call)

    def work(self, call: Call) -> Work:
        """What to await for the call's result. Raises `SearchError` for a reward that is not there."""
        if isinstance(call, Expand):
            return self._generation(call)
        reward = self._setup.rewards.get(call.model)
        if reward is None:
            raise SearchError(f"{call_key(call)}: the search asks for the reward {call.model!r}, and none is given")
        return self._score(call, reward)

    def record(self, call: Call, result: Result) -> None:
        """Write the call's result to the tree."""
        if isinstance(call, Score):
            self._tree.scores[call] = result if not isinstance(result, Made) else ()
        elif isinstance(result, Made):
            self._tree.expand(call, result.steps)
            for node in self._tree.expansions[call]:
                self._prompts[node] = self._prompts[call.parent].extended(self._tree.steps[node].token_ids)

    def _generation(self, call: Expand) -> Work:
        policy = self._setup.policy

        async def generate(progress: Progress) -> Made:
            prompt, path = self._prompts[call.parent], self._tree.path(call.parent)
            completion = await policy.write(self._problem, prompt, path, call, self._setup.seed, progress)
            # Read at once: a speculation that cannot be read has failed, and a failed speculation is forgotten.
            made = self._read(call, completion)
            return Made(tuple([await self._with_tokens(step) for step in made.steps]))

        return generate

    async def _with_tokens(self, step: Step) -> Step:
        """The step; where its task gave it a part of a text and no tokens, those of its own text."""
        if step.token_ids or not step.text:
            return step
        return replace(step, token_ids=await self._setup.policy.engine.encode(step.text))

    def _read(self, call: Expand, completion: Completion) -> Made:
        """The steps in a text. Raises `SearchError` when the task cannot read it."""
        policy = self._setup.policy
        try:
            read = policy.steps(self._problem, self._tree.path(call.parent), call, completion)
            return Made(checked_steps(read, policy.task.name))
        except SpexError:
            raise
        except Exception as error:
            raise SearchError(f"task {policy.task.name}: read raised {type(error).__name__}: {error}") from error

    def _score(self, call: Score, reward: Reward) -> Work:
        async def score(progress: Progress) -> tuple[float, ...]:
            request = self._scoring(call)
            with of_a_reward():
                return validated(await reward.score(request, progress), request, reward.name)

        return score

    def _shown(self, call: Score, node: NodeId) -> tuple[Step, ...]:
        """The path's steps as the model of `call` sees them: what is hidden is hidden from the reward alone."""
        path = self._tree.path(node)
        return self._setup.policy.shown(path) if call.model == REWARD else path

    def _scoring(self, call: Score) -> Scoring:
        paths = tuple(Path(self._prompts[node], self._shown(call, node)) for node in call.nodes)
        content = "|".join(path.prompt.digest for path in paths)
        return Scoring(
            key=f"{self._problem.id}|{call_key(call)}",
            problem=self._problem,
            paths=paths,
            model=call.model,
            seed=seed_of(self._setup.seed, self._problem.id, "score", call.model, content, index=int(call.index)),
        )
