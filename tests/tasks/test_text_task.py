"""Questions in free text, and the reading of steps that word problems share."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spex.engine.base import Completion, Message
from spex.errors import InputError
from spex.problem import Problem
from spex.tasks.base import StepForm, Task
from spex.tasks.forms import QUESTIONS
from spex.tasks.gsm8k import Gsm8k
from spex.tasks.text import Text
from spex.tree import End, Step

PROBLEM = Problem("What is six times seven?", answer="Forty-two")
MIB = 1 << 20


def completion(text: str, end: End = "delimiter") -> Completion:
    return Completion(text, tuple(text.encode()), None, end)


def read(task: Task, *texts: str, end: End = "delimiter", action: str = "step") -> Step:
    """The last of the steps `texts`, which ends at `end`."""
    path: list[Step] = []
    for text in texts[:-1]:
        path += task.read(PROBLEM, path, "step", completion(text))
    (step,) = task.read(PROBLEM, path, action, completion(texts[-1], end))
    return step


def test_the_question_is_asked_after_the_instructions() -> None:
    task = Text()
    assert task.messages(PROBLEM) == (Message("system", task.instructions), Message("user", PROBLEM.text))
    assert Text(instructions="").messages(PROBLEM) == (Message("user", PROBLEM.text),)
    assert task.opening(PROBLEM) == ""
    state: Hashable = task.start(PROBLEM)  # type: ignore[func-returns-value]
    assert state is None


def test_a_step_is_a_paragraph_and_a_solution_all_that_is_left() -> None:
    assert Text(step_tokens_max=9).form("step") == StepForm(("\n\n",), 9)
    assert Text(delimiter="\n").form("step").stop == ("\n",)
    assert Text(solution_tokens_max=99).form("solution") == StepForm((), 99)
    with pytest.raises(InputError, match=r"action: 'propose' is not valid; this task knows step, .* and solution"):
        Text().form("propose")


@pytest.mark.parametrize("task", [Text(step_tokens_max=9, solution_tokens_max=99), Gsm8k((), 9, 99)])
def test_somebody_who_asks_questions_is_cued_by_words_of_their_own_and_writes_one_step(task: Task) -> None:
    step = task.form("step")
    forms = {action: task.form(action) for action in QUESTIONS}
    assert {form.stop for form in forms.values()} == {step.stop}
    assert {action: form.tokens_max for action, form in forms.items()} == {
        "subquestion": 9,
        "reanswer": 9,
        "rephrase": 99,
    }
    cues = [form.cue for form in forms.values()]
    assert len(set(cues)) == len(cues)
    assert all(cue.endswith("\n") and "\n" not in cue[:-1] for cue in cues)
    assert step.cue == ""


def test_a_sub_question_is_in_the_path_with_its_answer_and_may_end_it() -> None:
    given = completion("How many are six sevens? Answer: 42\n\n")
    (step,) = Text().read(PROBLEM, (), "subquestion", given)
    assert (step.text, step.terminal, step.answer) == (given.text, False, None)
    (step,) = Text().read(PROBLEM, (), "subquestion", completion("How many are six sevens?\nAnswer: 42\n\n"))
    assert (step.terminal, step.answer) == (True, "42")


@pytest.mark.parametrize("end", ["delimiter", "length"])
def test_a_rephrased_question_is_a_step_as_any_other(end: End) -> None:
    given = completion("Six and seven are given. What is their product?\n\n", end)
    (step,) = Text().read(PROBLEM, (), "rephrase", given)
    assert (step.text, step.token_ids, step.end, step.terminal) == (given.text, given.token_ids, end, False)


@pytest.mark.parametrize(("task", "delimiter"), [(Text(), "\n\n"), (Gsm8k(), "\n")])
def test_a_rephrased_question_that_the_policy_ended_goes_on_after_a_delimiter(task: Task, delimiter: str) -> None:
    (step,) = task.read(PROBLEM, (), "rephrase", completion("What is 6 * 7?", "eos"))
    assert (step.text, step.token_ids, step.terminal) == (f"What is 6 * 7?{delimiter}", (), False)


@pytest.mark.parametrize(("text", "end"), [("", "eos"), (" ", "eos"), ("What is 6 * 7?", "context")])
def test_a_rephrased_question_ends_its_path_where_nothing_can_follow(text: str, end: End) -> None:
    (step,) = Text().read(PROBLEM, (), "rephrase", completion(text, end))
    assert (step.terminal, step.answer) == (True, None)


@pytest.mark.parametrize(
    "wrong", [{"delimiter": ""}, {"delimiter": ". "}, {"step_tokens_max": 0}, {"solution_tokens_max": -1}]
)
def test_impossible_settings_are_named(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        Text(**wrong)  # type: ignore[arg-type]


def test_a_step_keeps_what_the_engine_gave() -> None:
    given = Completion("Six sevens.\n\n", (1, 2, 3), (-0.1, -0.2, -0.3), "delimiter")
    (step,) = Text().read(PROBLEM, (), "step", given)
    assert step == Step("Six sevens.\n\n", (1, 2, 3), (-0.1, -0.2, -0.3), "delimiter")


def test_a_step_with_the_final_answer_is_terminal_although_its_delimiter_ended_it() -> None:
    step = read(Text(), "Think.\n\n", "Answer: Forty-two\n\n")
    assert (step.terminal, step.answer) == (True, "Forty-two")


def test_a_step_without_it_goes_on() -> None:
    step = read(Text(), "Think.\n\n")
    assert (step.terminal, step.answer) == (False, None)


@pytest.mark.parametrize("end", ["eos", "context"])
def test_a_step_that_ends_all_is_terminal_with_or_without_an_answer(end: End) -> None:
    assert read(Text(), "I give up", end=end).terminal
    assert read(Text(), "I give up", end=end).answer is None
    assert read(Text(), "Answer: 42\n", end=end).answer == "42"


def test_an_answer_that_the_policy_ended_needs_no_line_end() -> None:
    assert read(Text(), "Answer: 42", end="eos").answer == "42"


@pytest.mark.parametrize("end", ["length", "context"])
def test_an_answer_that_was_cut_is_none(end: End) -> None:
    assert read(Text(), "Answer: 4", end=end).answer is None


def test_repetition_to_the_step_limit_is_cut_and_goes_on() -> None:
    step = read(Text(), "again and again " * 16, end="length")
    assert (step.terminal, step.end) == (False, "length")


def test_an_answer_in_two_pieces_is_read_whole() -> None:
    (first,) = Text().read(PROBLEM, (), "step", completion("Answer: 4", "length"))
    (second,) = Text().read(PROBLEM, (first,), "step", completion("2\n\n"))
    assert (first.terminal, second.terminal, second.answer) == (False, True, "42")


def test_a_label_and_its_answer_may_be_two_steps() -> None:
    assert read(Text(), "Answer:\n\n").terminal is False
    assert read(Text(), "Answer:\n\n", "42\n\n").answer == "42"


def test_one_blank_step_goes_on_and_a_second_one_is_dead() -> None:
    assert not read(Text(), "Think.\n\n", "\n\n").terminal
    assert not read(Text(), "\n\n").terminal
    dead = read(Text(), "Think.\n\n", "\n\n", " \n\n")
    assert (dead.terminal, dead.answer) == (True, None)


@pytest.mark.parametrize("end", ["delimiter", "eos", "length", "context"])
def test_a_step_of_no_tokens_is_dead(end: End) -> None:
    dead = read(Text(), "Think.\n\n", "", end=end)
    assert (dead.terminal, dead.answer) == (True, None)


@pytest.mark.parametrize("end", ["eos", "length", "context"])
def test_a_solution_is_terminal_however_it_ended(end: End) -> None:
    solution = read(Text(), "Think.\n\nAnswer: 42\nDone.", end=end, action="solution")
    assert (solution.terminal, solution.answer) == (True, "42")
    assert read(Text(), "Think", end=end, action="solution").terminal


PIECES = st.lists(
    st.sampled_from(["Think. ", "Answer: ", "the answer is", "7", "\\boxed{", "}", "\n", "\n\n", "8 apples"]),
    max_size=12,
)


def stepwise(task: Task, text: str, delimiter: str) -> str | None:
    """The answer of `text` when its steps are read one by one."""
    path: Sequence[Step] = ()
    rest = text
    while True:
        head, found, rest = rest.partition(delimiter)
        (step,) = task.read(PROBLEM, path, "step", completion(head + found, "delimiter" if found else "eos"))
        if step.answer is not None or not found:
            return step.answer
        path = (*path, step)


@given(PIECES.map("".join))
def test_a_text_has_the_same_answer_in_steps_as_in_one_go(text: str) -> None:
    for task, delimiter in ((Text(), "\n\n"), (Text(delimiter="\n"), "\n")):
        assert stepwise(task, text, delimiter) == read(task, text, end="eos", action="solution").answer


def test_equal_answers_are_equal_but_for_case_space_and_a_full_stop() -> None:
    assert Text().normalise("  Forty-Two \n apples. ") == "forty-two apples"
    assert Text().normalise("...") == "..."


@given(st.text(max_size=30))
def test_normalising_twice_changes_nothing(answer: str) -> None:
    for task in (Text(), Gsm8k()):
        assert task.normalise(task.normalise(answer)) == task.normalise(answer)


def test_an_answer_is_checked_against_the_reference_where_there_is_one() -> None:
    assert Text().check(PROBLEM, "forty-two.") is True
    assert Text().check(PROBLEM, "42") is False
    assert Text().check(Problem("Why?"), "42") is None


@pytest.mark.parametrize("unit", ["Answer: ", "\n", "\\boxed{", "x", "\u202e", "<|im_end|>", "\x00"])
@pytest.mark.parametrize("task", [Text(), Gsm8k()])
def test_a_mebibyte_of_hostile_text_is_a_step_like_any_other(task: Task, unit: str) -> None:
    text = unit * (MIB // len(unit))
    step = read(task, text, end="length")
    assert (step.text, step.end) == (text, "length")
