"""An imagined end answers as the real ends of its query have; what its real text says otherwise is decided again."""

from __future__ import annotations

from fractions import Fraction

import pytest

from spex.control.strand import running_strands
from spex.ids import ROOT, Expand, child
from spex.search.base import Demand
from spex.search.self_consistency import SelfConsistency
from spex.speculate.absent import AbsentStep
from spex.speculate.answers import Answers
from spex.speculate.course import Course
from spex.speculate.habits import Habits
from spex.speculate.imagined import ImaginedTree
from spex.speculate.particle import Particle
from spex.speculate.predictor import Predictor
from spex.speculate.runahead import Effort, RunAhead
from spex.tree import Step, Tree, TreeView
from tests.builders import demand, grow, node, rule, stop

CHANCES = [(number + 0.5) / 1000 for number in range(1000)]


def end(answer: str | None) -> Step:
    return Step("a thought", (1,), terminal=True, answer=answer)


def answers(*said: str | None) -> Answers:
    found = Answers()
    for answer in said:
        found.observe(end(answer))
    return found


def share(found: Answers, answer: str | None) -> float:
    return sum(found.at(chance) == answer for chance in CHANCES) / len(CHANCES)


def test_an_imagined_end_says_what_most_real_ones_say_as_often_as_they_agree() -> None:
    found = answers("7", "7", "3", None, "7", "3", None, None, None)
    parts = {"7": 3 + 1, "3": 2, None: 4}
    for answer, count in parts.items():
        assert share(found, answer) == pytest.approx(float(Fraction(count, 9 + 2)), abs=0.002)


def test_the_rest_of_imagined_ends_say_what_nobody_else_says() -> None:
    found = answers("7", "3")
    own = [answer for chance in CHANCES if (answer := found.at(chance)) not in ("7", "3")]
    assert len(own) == len(set(own)) == len(CHANCES) // 4


def test_before_any_real_end_half_of_the_imagined_ones_agree() -> None:
    said = [Answers().at(chance) for chance in CHANCES]
    assert max(map(said.count, said)) == len(CHANCES) // 2


def test_a_step_that_is_no_end_says_nothing_of_answers() -> None:
    found = Answers()
    found.observe(Step("a thought", (1,), answer="7"))
    assert share(found, "7") == 0.0


def test_of_answers_that_are_as_common_the_one_that_was_so_first_leads() -> None:
    assert share(answers("3", "7", "7", "3"), "7") == pytest.approx(3 / 6, abs=0.002)


def test_an_imagined_step_that_is_no_end_has_no_answer() -> None:
    step = AbsentStep(False, Habits(), 0.0, answers("7"), 0.1)
    assert step.answer is None
    assert not step.is_contradicted_by(Step("a thought"))


@pytest.mark.parametrize(
    ("reads", "said", "contradicted"), [(True, "7", False), (True, "3", True), (True, None, True), (False, "3", False)]
)
def test_an_answer_that_was_read_is_contradicted_by_another_one(
    reads: bool, said: str | None, contradicted: bool
) -> None:
    step = AbsentStep(True, Habits(), 0.0, answers("7"), 0.1)
    assert not reads or step.answer == "7"
    assert step.is_contradicted_by(end(said)) is contradicted


def test_an_answer_that_was_read_does_not_change_when_more_is_learned() -> None:
    found = answers("7")
    step = AbsentStep(True, Habits(), 0.0, found, 0.1)
    before = step.answer
    for _ in range(9):
        found.observe(end("3"))
    assert step.answer == before == "7"


def ends_always() -> Predictor:
    predictor = Predictor()
    for _ in range(10_000):
        predictor.observe_step("step", end(None), 1)
    return predictor


@pytest.mark.parametrize(("said", "again"), [("7", []), ("3", [1])])
def test_the_decision_that_read_an_answer_is_taken_again_where_the_real_one_is_another(
    said: str, again: list[int]
) -> None:
    decided: list[int] = []

    def decide(tree: TreeView) -> Demand:
        decided.append(1)
        return Demand((grow(1),) if tree.step(node(0)).answer == "7" else ())

    tree = Tree()
    learned = answers(*["7"] * 10_000)
    view = ImaginedTree(tree, Particle(1), ends_always(), {}, learned)
    strand = running_strands(rule(demand(grow(0)), decide, stop()), 7, "p")[0].snapshot()
    course = Course(strand, view)
    assert list(course.follow(strand, [], 8)) == [grow(0), grow(1)]
    decided.clear()
    tree.expand(grow(0), [end(said)])
    wanted = list(course.follow(strand, [grow(0)], 8))
    assert decided == again
    assert wanted == ([grow(1)] if said == "7" else [])


def test_what_is_imagined_anew_is_drawn_from_what_is_known_by_then() -> None:
    tree, learned = Tree(), answers("7")
    view = ImaginedTree(tree, Particle(1), ends_always(), {}, learned)
    view.attempt(0)
    mark = view.mark()
    view.attempt(1)
    view.step(node(0)).answer  # noqa: B018  # what was read is put back below
    view.rewind(mark)
    for _ in range(10_000):
        learned.observe(end("3"))
    view.attempt(1)
    assert view.step(node(0)).answer == "3"


def test_chances_of_answers_are_even_and_stand_apart_from_ends() -> None:
    particle = Particle(1)
    drawn = [particle.innovation(node(number)) for number in range(4000)]
    assert sum(innovation.answer for innovation in drawn) / 4000 == pytest.approx(0.5, abs=0.03)
    late = [innovation.answer for innovation in drawn if innovation.end < 0.1]
    assert sum(late) / len(late) == pytest.approx(0.5, abs=0.06)


def test_a_vote_on_texts_that_are_not_there_yet_is_run_ahead() -> None:
    calls = [Expand(ROOT, "solution", index) for index in range(2)]

    def decide(tree: TreeView) -> Demand:
        tree.need(calls)
        one, other = (tree.step(child(call)).answer for call in calls)
        return Demand((Expand(ROOT, "solution", 2),) if one != other else ())

    tree = Tree()
    ahead = RunAhead(tree, Predictor(), 1)
    strand = running_strands(rule(demand(*calls), decide, stop()), 7, "p")[0].snapshot()
    tree.expand(calls[0], [end("7")])
    ahead.learn(calls[0])
    wanted = ahead.foresee([strand], Effort(64, 8))
    assert wanted[calls[1]] == 1.0
    assert 0.1 < wanted[Expand(ROOT, "solution", 2)] < 1.0


def test_a_vote_over_all_answers_is_imagined_to_its_end() -> None:
    ahead = RunAhead(Tree(), Predictor(), 1)
    wanted = ahead.foresee([running_strands(SelfConsistency(width=3), 7, "p")[0].snapshot()], Effort(2, 8))
    assert wanted == {Expand(ROOT, "solution", index): 1.0 for index in range(3)}
