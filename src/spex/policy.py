"""The policy: an engine asked for a task's steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from spex.engine.abilities import has_chats_alone, namer_of
from spex.engine.apart import text_apart
from spex.engine.base import Completion, Engine, Generation, Progress, Sampling
from spex.errors import InputError
from spex.ids import Expand, call_key, node_key
from spex.problem import Problem
from spex.prompt import Prompt
from spex.seeds import seed_of
from spex.tasks.base import Guided, StepForm, Task
from spex.tree import Step

_FIRST, _NEXT = "first", "next"


@dataclass(frozen=True, slots=True)
class Policy:
    """Turns an `Expand` into an engine's request and a completion into steps, both purely.

    `step_tokens_max` overrides the task's limit on the tokens of one call (≥ 1).
    """

    engine: Engine
    task: Task
    sampling: Sampling = Sampling()
    step_tokens_max: int | None = None
    # Asked of the task once: whether it has a protocol's methods takes longer to say than all else a call does here.
    _guided: Guided | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_guided", self.task if isinstance(self.task, Guided) else None)

    async def check(self) -> None:
        """Whether the task can see what it must in the texts of the open engine. Raises `InputError`, `EngineError`."""
        if self._guided is not None and self._guided.marks and has_chats_alone(self.engine):
            told = f"servers of chats tell thoughts apart, and go on from none: name {self.engine.name} by completions"
            raise InputError("task", self.task.name, told)
        reader = namer_of(self.engine)
        if self._guided is None or reader is None:
            return
        for mark in self._guided.marks:
            if await reader.tokens(mark) != await self.engine.encode(mark):
                told = f"for the model of {self.engine.name} {mark} is a control token, which no text of it shows"
                raise InputError("task", self.task.name, f"{told}: name the tag that its texts have, if there is one")

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

    def form(self, path: Sequence[Step], action: str) -> StepForm:
        """How the text of `action` behind `path` is asked for."""
        limit = self.step_tokens_max if action == "step" else None
        if self._guided is not None:
            return self._guided.form_at(path, action, limit)
        form = self.task.form(action)
        return replace(form, tokens_max=limit) if limit else form

    async def write(
        self, problem: Problem, prompt: Prompt, path: Sequence[Step], call: Expand, run_seed: int, progress: Progress
    ) -> Completion:
        """The text of `call`, in as many requests as its task has it; `prompt` is its parent's. Raises `EngineError`.

        Where the context has no room for it, it is empty, and ends there.
        """
        form = self.form(path, call.action)
        cued = prompt.extended(await self.engine.encode(form.cue)) if form.cue else prompt
        request = self.request(problem, cued, call, run_seed, form)
        known = progress.kept.get(_FIRST)
        first = (known and known.whole) or await self._text(request, progress)
        further = self._guided.further(path, call.action, first) if self._guided else None
        if further is None:
            return first
        if known is None:
            progress.keep(_FIRST, first)
        given = await self.engine.encode(further.given) if further.given else ()
        written = _with_given(first, further.given, given) if given else first
        if further.form is None:
            return written
        request = self.request(problem, cued.extended(written.token_ids), call, run_seed, further.form, part=1)
        keeps_tokens = self.engine.capabilities.keeps_tokens
        further_text = await text_apart(progress, _NEXT, partial(self._text, request), keeps_tokens=keeps_tokens)
        return _joined(written, further_text)

    def request(
        self, problem: Problem, prompt: Prompt, call: Expand, run_seed: int, form: StepForm, part: int = 0
    ) -> Generation:
        """The request for a part of `call`'s text, a pure function of its arguments; `prompt` is all before it."""
        return Generation(
            # No bar follows the call's own: what stands before the last one is the problem's id, by which it is placed.
            key=f"{problem.id}|{call_key(call)}" + (f"+{part}" if part else ""),
            prompt=prompt,
            seed=seed_of(
                run_seed,
                problem.id,
                "expand",
                "policy",
                node_key(call.parent),
                call.action,
                int(call.index),
                sample=part,
            ),
            stop=form.stop,
            tokens_max=form.tokens_max,
            sampling=self.sampling,
        )

    def steps(self, problem: Problem, path: tuple[Step, ...], call: Expand, completion: Completion) -> tuple[Step, ...]:
        """The children that a completion makes."""
        return self.task.read(problem, path, call.action, completion)

    def shown(self, path: tuple[Step, ...]) -> tuple[Step, ...]:
        """What of the path the reward is to see."""
        return self._guided.shown(path) if self._guided else path

    async def _text(self, request: Generation, progress: Progress) -> Completion:
        context = self.engine.capabilities.context_tokens
        # A last token alone is no text; engines count it in or out, each in its way.
        if context is not None and request.prompt.token_count >= context - 1:
            return Completion("", (), (), "context")
        return await self.engine.generate(request, progress)


def _with_given(written: Completion, text: str, token_ids: tuple[int, ...]) -> Completion:
    """What was written, and behind it what nobody has drawn, so that it counts as certain."""
    certain = (0.0,) * len(token_ids)
    return _joined(written, Completion(text, token_ids, None if written.logprobs is None else certain, written.end))


def _joined(one: Completion, other: Completion) -> Completion:
    known = one.logprobs is not None and other.logprobs is not None
    logprobs = (*(one.logprobs or ()), *(other.logprobs or ())) if known else None
    return Completion(one.text + other.text, (*one.token_ids, *other.token_ids), logprobs, other.end)
