"""How a process reward model (PRM) wants a solution laid out, and how its judgement of a step is read.

Two kinds. A PRM with *label tokens* is a language model that was trained to say a good or a bad word at the end of
each step: the score is the probability of the good one among the two. A PRM with a *score head* gives numbers instead
of words. Both are data: a model is another form, not another piece of code.

Sources: Math-Shepherd (Wang et al. 2024, arXiv 2312.08935), RLHFlow (Xiong et al. 2024, "An Implementation of
Generative PRM"), Qwen2.5-Math-PRM (Zhang et al. 2025, arXiv 2501.07301).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from spex.engine.base import Path
from spex.errors import InputError
from spex.problem import has_surrogates

_PROBLEM = "{problem}"
_NUMBER = "{number}"
_NUMBERED = re.compile(r"\s{0,8}step\s{0,8}\d{1,4}\b", re.IGNORECASE)
_TEXT_MAX = 4096

KnownAnswer: TypeAlias = tuple[str, Sequence[str], Sequence[str]]
"""A problem, the steps of a right solution of it, those of a wrong one. Either may be unfinished."""


@dataclass(frozen=True, slots=True)
class PrmForm:
    """A PRM with label tokens, `good` and `bad`: each is one token of the model.

    opening: what stands before the first step, with `{problem}` once. numbering: what stands before a step that does
    not number itself, with `{number}` (from 1), or nothing. As one text, each step is followed by `tag`, after which
    the label is read, and `between` stands before each further step. `begin` names a control token that the model
    expects before all of it; control: `tag` names one too. As a `chat`, each step is the user's turn, the first one
    behind the opening, and the assistant has answered each earlier one by `good`; the label is read where it speaks
    next.
    of_two: the score is good / (good + bad); otherwise it is the probability of `good` itself. known: what a model of
    this form cannot fail to judge, the right steps above ⅔ and the wrong ones below ⅓, where its kind of problem is
    another than the usual. Raises `InputError`.
    """

    name: str
    good: str = "+"
    bad: str = "-"
    opening: str = "{problem} "
    numbering: str = ""
    between: str = ""
    tag: str = ""
    begin: str = ""
    control: bool = False
    chat: bool = False
    of_two: bool = True
    known: KnownAnswer | None = None

    def __post_init__(self) -> None:
        _check_texts(self, "name", "good", "bad", "opening", "numbering", "between", "tag", "begin")
        _check_opening(self.opening)
        for field in ("good", "bad"):
            if not getattr(self, field):
                raise InputError(f"form.{field}", "", "it must be a label, such as +")
        if self.good == self.bad:
            raise InputError("form.bad", self.bad, "it must be another label than form.good")
        _check_flags(self, "control", "chat", "of_two")
        object.__setattr__(self, "known", _known(self.known))
        if self.chat and (self.tag or self.between or self.begin):
            raise InputError("form.chat", True, "a chat has no tag, no between and no begin of its own")
        if not self.chat and not self.tag:
            raise InputError("form.tag", self.tag, "it must be what a label is read after, behind each step")


@dataclass(frozen=True, slots=True)
class HeadForm:
    """A PRM with a score head: `outputs` numbers (1 to 16) at a token, of which number `good` (from 0) is the score.

    `opening` (with `{problem}` once), `between`, `tag` and `closing` may name control tokens, as a chat template does.
    In problem and steps three kinds of names are cut, so that they stay text: `tag`, if it has two characters or more
    and is not blank; whatever has the look `<|…|>` (1 to 64 characters between, none of them `<`, `>`, `|` or white
    space); and the control tokens' that the server's tokenizer tells, as `</s>`, `<pad>` or `[INST]`. A control token
    of one character is not cut, nor one that the tokenizer reads where its name does not stand. `numbering` is as in
    `PrmForm`. every: there is a score at the last token of each step's tag; otherwise one at the last token of all, for
    the whole of the steps. logits: the numbers are logits, so that one is put through a sigmoid, and several through a
    softmax; otherwise they are probabilities. known: as in `PrmForm`. Raises `InputError`.
    """

    name: str
    opening: str = "{problem}\n"
    numbering: str = ""
    between: str = ""
    tag: str = "\n"
    closing: str = ""
    outputs: int = 1
    good: int = 0
    every: bool = True
    logits: bool = False
    known: KnownAnswer | None = None

    def __post_init__(self) -> None:
        _check_texts(self, "name", "opening", "numbering", "between", "tag", "closing")
        _check_opening(self.opening)
        _check_flags(self, "every", "logits")
        object.__setattr__(self, "known", _known(self.known))
        if type(self.outputs) is not int or not 1 <= self.outputs <= 16:
            raise InputError("form.outputs", self.outputs, "it must be a whole number from 1 to 16")
        if type(self.good) is not int or not 0 <= self.good < self.outputs:
            raise InputError("form.good", self.good, f"it must be a whole number from 0 to {self.outputs - 1}")
        if self.every and not self.tag:
            raise InputError("form.tag", self.tag, "it must be what a score is read at, after each step")

    @property
    def frames(self) -> tuple[str, str]:
        """What stands before the problem, and after it."""
        before, _, after = self.opening.partition(_PROBLEM)
        return before, after


Form: TypeAlias = PrmForm | HeadForm


def steps_of(path: Path) -> tuple[str, ...]:
    """The steps as a PRM counts them: without white space around them, and without blank ones."""
    return tuple(text for step in path.steps if (text := step.text.strip()))


def numbered(form: Form, steps: Sequence[str]) -> list[str]:
    """The steps, each behind the form's numbering if it does not number itself."""
    numbering = form.numbering
    return [
        step if not numbering or _NUMBERED.match(step) else numbering.replace(_NUMBER, str(number)) + step
        for number, step in enumerate(steps, start=1)
    ]


def pieces_of(form: PrmForm, problem: str, steps: Sequence[str]) -> list[str]:
    """What is said for each step, without tags: in a text what comes before its tag, in a chat the user's turn."""
    first, *others = numbered(form, steps)
    before, _, after = form.opening.partition(_PROBLEM)
    return [f"{before}{problem.strip()}{after}{first}", *(form.between + step for step in others)]


def _check_texts(form: Form, *fields: str) -> None:
    for field in fields:
        value = getattr(form, field)
        if not _is_text(value):
            raise InputError(f"form.{field}", value, f"it must be valid Unicode of at most {_TEXT_MAX} characters")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _TEXT_MAX and not has_surrogates(value)


def _check_opening(opening: str) -> None:
    if opening.count(_PROBLEM) != 1:
        raise InputError("form.opening", opening, f"it must hold {_PROBLEM} once")


def _check_flags(form: Form, *fields: str) -> None:
    for field in fields:
        if type(getattr(form, field)) is not bool:
            raise InputError(f"form.{field}", getattr(form, field), "it must be true or false")


def _known(value: Any) -> KnownAnswer | None:
    """`value` with tuples of steps, as a reward would see them. Raises `InputError` where it is no known answer."""
    match value:
        case None:
            return None
        case (problem, list() | tuple() as right, list() | tuple() as wrong) if _is_text(problem):
            known = problem.strip(), _steps(right), _steps(wrong)
            if all(known) and known[1] != known[2]:
                return known
    told = "it must be a problem, a list of the steps of a right solution, and one of those of a wrong solution"
    raise InputError("form.known", value, f"{told}, each a text of 1 to {_TEXT_MAX} characters")


def _steps(value: Sequence[object]) -> tuple[str, ...]:
    """Nothing where one of them is no text, or blank."""
    steps = tuple(step.strip() for step in value if isinstance(step, str) and _is_text(step))
    return steps if len(steps) == len(value) and all(steps) else ()
