"""The policy: an engine asked for a task's steps."""

from __future__ import annotations

from dataclasses import dataclass

from spex.engine.base import Completion, Engine, Generation, Sampling
from spex.errors import InputError
from spex.ids import Expand, call_key, node_key
from spex.problem import Problem
from spex.prompt import Prompt
from spex.seeds import seed_of
from spex.tasks.base import Task
from spex.tree import Step


@dataclass(frozen=True, slots=True)
class Policy:
    """Turns an `Expand` into an engine's request and a completion into steps, both purely.

    `step_tokens_max` overrides the task's limit on the tokens of one call (≥ 1).
    """

    engine: Engine
    task: Task
    sampling: Sampling = Sampling()
    step_tokens_max: int | None = None

    async def prompt(self, problem: Problem) -> Prompt:
        """The root's prompt. Raises `InputError` when it leaves no room in the engine's context."""
        chat = await self.engine.encode_chat(self.task.messages(problem))
        opening = self.task.opening(problem)
        prompt = Prompt([chat, await self.engine.encode(opening)] if opening else [chat])
        context = self.engine.capabilities.context_tokens
        if context is not None and prompt.token_count >= context:
            raise InputError(
                "problem",
                problem.id,
                f"its prompt is {prompt.token_count} tokens long and {self.engine.name} has a context of {context}",
            )
        return prompt

    async def cued(self, prompt: Prompt, action: str) -> Prompt:
        """The prompt of a request for `action` below a node whose own prompt is `prompt`. Raises `EngineError`."""
        cue = self.task.form(action).cue
        return prompt.extended(await self.engine.encode(cue)) if cue else prompt

    def request(self, problem: Problem, prompt: Prompt, call: Expand, run_seed: int) -> Generation:
        """The request of `call`, a pure function of its arguments; `prompt` is its parent's, with its cue."""
        form = self.task.form(call.action)
        tokens_max = self.step_tokens_max if self.step_tokens_max and call.action == "step" else form.tokens_max
        return Generation(
            key=f"{problem.id}|{call_key(call)}",
            prompt=prompt,
            seed=seed_of(run_seed, problem.id, "expand", "policy", node_key(call.parent), call.action, int(call.index)),
            stop=form.stop,
            tokens_max=tokens_max,
            sampling=self.sampling,
        )

    def steps(self, problem: Problem, path: tuple[Step, ...], call: Expand, completion: Completion) -> tuple[Step, ...]:
        """The children that a completion makes."""
        return self.task.read(problem, path, call.action, completion)
