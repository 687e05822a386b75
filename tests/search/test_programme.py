"""Programmes are solved exactly, by the tree and by the solver; of equally good choices always the same is taken."""

from __future__ import annotations

import subprocess
import sys
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spex.errors import InputError, SearchError
from spex.search import highs
from spex.search.highs import check_solver, solved
from spex.search.programme import Branch, Group, Programme, _by_solver, _Places, best_leaves

FEW = st.sampled_from([-3, -1, 0, 0, 1, 2])
COSTS = st.sampled_from([0, 1, 2, 4])


@st.composite
def programmes(draw: st.DrawFn, largest: int = 9) -> Programme:
    """Few different values, so that many choices are equally good."""
    size = draw(st.integers(1, largest))
    branches: list[Branch] = []
    spans = [(0, size - 1)]
    while spans:
        first, last = spans.pop()
        if last > first:
            if draw(st.booleans()):
                branches.append(Branch(first, last, draw(COSTS)))
            middle = draw(st.integers(first, last - 1))
            spans += [(middle + 1, last), (first, middle)]
    labels = draw(st.lists(st.integers(0, 3), min_size=size, max_size=size))
    members = [tuple(leaf for leaf in range(size) if labels[leaf] == label) for label in range(draw(st.integers(0, 3)))]
    groups = [Group(leaves, draw(COSTS)) for leaves in members if leaves]
    gains = draw(st.lists(FEW, min_size=size, max_size=size))
    return Programme(tuple(gains), tuple(branches), tuple(groups))


def worth(programme: Programme, choice: tuple[bool, ...]) -> int:
    leaves = {leaf for leaf, is_in in enumerate(choice) if is_in}
    gains = sum(programme.gains[leaf] for leaf in leaves)
    costs = sum(cost for first, last, cost in programme.branches if leaves & set(range(first, last + 1)))
    return gains - costs + sum(bonus for members, bonus in programme.groups if leaves & set(members))


def by_enumeration(programme: Programme) -> tuple[bool, ...]:
    choices = product([False, True], repeat=len(programme.gains))
    return max((choice for choice in choices if any(choice)), key=lambda choice: (worth(programme, choice), choice))


@settings(max_examples=400, deadline=None)
@given(programmes())
def test_the_best_choice_is_that_of_enumeration(programme: Programme) -> None:
    assert best_leaves(programme) == by_enumeration(programme)


@settings(max_examples=200, deadline=None)
@given(programmes(7), st.sampled_from([6, 9, 44]))
def test_the_solver_needs_several_solves_where_there_is_little_room_and_comes_to_the_same(
    programme: Programme, room: int
) -> None:
    values = [*map(abs, programme.gains), *(branch.cost for branch in programme.branches)]
    values += [group.bonus for group in programme.groups]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(highs, "_ROOM_BITS", max(room, sum(values).bit_length() + 1))
        assert _by_solver(programme, _Places(programme)) == by_enumeration(programme)


def test_all_equal_leaves_of_a_costly_branch_come_to_the_first_alone() -> None:
    assert best_leaves(Programme((0, 0, 0), (Branch(0, 2, 1),))) == (True, True, True)
    assert best_leaves(Programme((-1, -1, -1), (Branch(0, 2, 1),))) == (True, False, False)


def test_a_group_across_branches_is_for_the_solver() -> None:
    # Either branch costs 3: with one leaf of the group in the second one, which pays, the first is not worth it.
    branches = (Branch(0, 1, 3), Branch(2, 3, 3))
    apart = Programme((1, 1, 2, 2), branches)
    assert best_leaves(apart) == (False, False, True, True)
    assert best_leaves(apart._replace(groups=(Group((0, 3), 4),))) == (False, False, True, True)
    assert best_leaves(apart._replace(groups=(Group((0, 3), 4), Group((1, 2), 4)))) == (False, False, True, True)
    assert best_leaves(apart._replace(groups=(Group((0, 1), 2), Group((2, 3), 4)))) == (True, True, True, True)


def test_values_too_long_for_floats_are_rounded_and_still_decide() -> None:
    long = 10**30
    gains = (long, -long, long // 3, -long // 5)
    assert best_leaves(Programme(gains)) == (True, False, True, False)
    assert best_leaves(Programme(gains, (Branch(1, 2, 1),), (Group((0, 1), 1),))) == (True, False, True, False)


def test_many_leaves_are_decided_on_by_several_solves() -> None:
    # Of each pair across the middle one leaf brings the bonus: the first one is taken.
    size = 64
    groups = tuple(Group((leaf, leaf + size // 2), 1000) for leaf in range(size // 2))
    halves = (Branch(0, size // 2 - 1, 5), Branch(size // 2, size - 1, 5))
    assert best_leaves(Programme((-1,) * size, halves, groups)) == (True,) * (size // 2) + (False,) * (size // 2)


def in_a_new_process(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout


def test_solving_prints_nothing() -> None:
    code = "from spex.search.highs import solved; assert solved([1, -2], [{0: 1, 1: 1}], 2) == (True, False)"
    assert in_a_new_process(code) == ""


def test_a_solver_that_others_use_with_more_threads_serves_us_too() -> None:
    ours = "assert solved([1, -2], [{0: 1, 1: 1}], 2) == (True, False)"
    theirs = "h = Highs(); h.setOptionValue('output_flag', False); h.setOptionValue('threads', 2); h.addBinary()"
    told = f"from highspy import Highs; from spex.search.highs import solved; {theirs}; h.run(); {ours}"
    assert in_a_new_process(told) == ""


def test_rows_that_leave_no_choice_are_no_programme() -> None:
    with pytest.raises(SearchError, match="HiGHS found no best choice"):
        solved([1], [{0: -1}], 1)


def test_a_missing_solver_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spex.search.highs.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"search: 'ets' is not valid; .*pip install 'spex-search\[ets\]'"):
        check_solver("ets")
