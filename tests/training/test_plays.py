"""What the packaged models were trained on: legal plays, true labels, and none of the puzzles that are kept out."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction
from hashlib import sha256
from itertools import combinations, islice, permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spex.problem import Problem
from spex.tasks.expression import number
from spex.tasks.game24 import Game24
from spex.tasks.game24_moves import board_of, moved
from training.config import Config, numbers, read_config
from training.moves import alive, moves, state_of, winning
from training.plays import mixed_play, policy_plays, prm_plays, wrong

PUZZLES = st.lists(st.integers(1, 24), min_size=2, max_size=4).map(state_of)


@pytest.fixture(scope="module")
def config() -> Config:
    return read_config()


def brute_force(values: tuple[Fraction, ...]) -> bool:
    """Whether 24 can be made, by trying every pair and every operation; shares nothing with the search."""
    if len(values) == 1:
        return values[0] == 24
    for one, other in permutations(range(len(values)), 2):
        a, b = values[one], values[other]
        rest = tuple(value for place, value in enumerate(values) if place not in (one, other))
        results = [a + b, a - b, a * b, *([a / b] if b else [])]
        if any(brute_force((*rest, result)) for result in results):
            return True
    return False


def test_the_hundred_test_puzzles_can_be_solved_and_are_in_no_other_part(config: Config) -> None:
    assert len(set(config.test)) == 100
    assert all(brute_force(state_of(puzzle)) for puzzle in config.test)
    parts = [set(config.test), set(config.validation), set(config.train)]
    assert all(one.isdisjoint(other) for one, other in combinations(parts, 2))
    assert sum(map(len, parts)) == 1362
    assert len(config.validation) == 126


def test_the_test_puzzles_are_those_of_ranks_901_to_1000(config: Config) -> None:
    """As in the list of 4nums.com that Yao et al. 2023 took theirs from; its sum is kept here, the list is not ours."""
    text = "\n".join(" ".join(map(str, puzzle)) for puzzle in config.test)
    assert sha256(text.encode()).hexdigest() == "d92f39c553cae8d3ebaa6d1bcf81f741ec09b53a5209ff9eb6b7cb899e6ea245"


def test_what_is_kept_out_are_the_test_puzzles_and_those_for_validation(config: Config) -> None:
    assert config.kept_out == {*config.test, *config.validation}


def test_no_play_is_of_a_puzzle_that_is_kept_out(config: Config) -> None:
    plays = [*islice(policy_plays(config), 300), *islice(prm_plays(config), 300)]
    assert config.kept_out.isdisjoint(numbers(play.puzzle) for play in plays)


@given(PUZZLES)
@settings(max_examples=60, deadline=None)
def test_every_move_is_legal_for_the_task_and_leaves_what_it_says(state: tuple[Fraction, ...]) -> None:
    board = board_of(number(int(value)) for value in state)
    assert len({move.text for move in moves(state)}) == len(moves(state))
    for move in moves(state):
        after = moved(board, move.text)
        assert after is not None, move.text
        assert tuple(sorted(one.value for one in after)) == move.after


@given(PUZZLES)
@settings(max_examples=60, deadline=None)
def test_winning_moves_are_those_that_brute_force_can_finish(state: tuple[Fraction, ...]) -> None:
    assert alive(state) == brute_force(state)
    expected = {move.text for move in moves(state) if move.result >= 0 and brute_force(move.after)}
    assert {move.text for move in winning(state)} == expected
    assert bool(expected) == alive(state), "24 must be within reach without a negative number"


def test_a_play_to_learn_from_makes_24(config: Config) -> None:
    for play in islice(policy_plays(config), 200):
        board = board_of(map(number, numbers(play.puzzle)))
        for move in play.moves:
            after = moved(board, move)
            assert after is not None, (play.puzzle, move)
            board = after
        assert Game24().check(Problem(play.puzzle), board[0].text)


def test_labels_say_what_can_be_made_after_each_line(config: Config) -> None:
    chance, errors = random.Random(3), 0
    for _ in range(300):
        play = mixed_play(chance.choice(config.train), chance)
        board = board_of(map(number, numbers(play.puzzle)))
        assert len(play.alive) == len(play.moves) + 1
        assert play.alive[0]
        for move, label in zip(play.moves, play.alive[1:], strict=True):
            after = moved(board, move)
            if after is None:
                errors += 1
                assert not label
                assert move is play.moves[-1]
                break
            assert label == brute_force(tuple(one.value for one in after))
            board = after
    assert 10 <= errors <= 60


@given(PUZZLES, st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_a_line_that_should_be_wrong_is_no_legal_move(state: tuple[Fraction, ...], seed: int) -> None:
    chance = random.Random(seed)
    line = wrong(chance.choice(moves(state)), state, chance)
    assert moved(board_of(number(int(value)) for value in state), line) is None, line


def test_plays_depend_on_the_seed_alone(config: Config) -> None:
    first, again = list(islice(prm_plays(config), 50)), list(islice(prm_plays(config), 50))
    assert first == again
    assert first != list(islice(prm_plays(replace(config, seed=config.seed + 1)), 50))
