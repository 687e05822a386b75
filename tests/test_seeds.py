"""Seeds and draws are pure functions of what they are for."""

from __future__ import annotations

import subprocess
import sys
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from spex.seeds import draw, seed_of, strand_seed

numbers = st.integers(0, 2**64)


def test_every_part_of_a_calls_name_changes_its_seed() -> None:
    plain = (7, "p", "expand", "policy", "root", "step", 0, 0, 0)
    other = (8, "q", "score", "prm", "step.0", "solution", 1, 1, 1)
    variants = [(*plain[:place], other[place], *plain[place + 1 :]) for place in range(len(plain))]
    seeds = [seed_of(*variant) for variant in [plain, *variants]]  # type: ignore[arg-type]  # by position
    assert len(set(seeds)) == len(plain) + 1


def test_parts_never_run_into_each_other() -> None:
    parts = ["ab", "a", "b", "", "a\x1fb", "1:a", "\x1f1:a"]
    splits = list(product(parts, repeat=3))
    assert len({seed_of(0, one, two, three, "") for one, two, three in splits}) == len(splits)


@given(numbers, st.text(st.characters(), max_size=5), st.text(st.characters(), max_size=5))
def test_a_seed_has_64_bits_whatever_it_is_for(run_seed: int, problem: str, place: str) -> None:
    assert 0 <= seed_of(run_seed, problem, "expand", "policy", place) < 2**64
    assert 0 <= strand_seed(run_seed, problem, 3) < 2**64


@given(numbers, st.integers(0, 100), st.integers(0, 100), st.integers(0, 100))
def test_a_draw_is_in_the_unit_interval_and_the_same_every_time(seed: int, strand: int, decision: int, k: int) -> None:
    drawn = draw(seed, strand, decision, k)
    assert 0.0 <= drawn < 1.0
    assert draw(seed, strand, decision, k) == drawn


def test_a_draw_stays_what_it_has_been() -> None:
    assert draw(5, 4, 3, 2) == 0.3650742275834957


def test_draws_are_spread_evenly() -> None:
    drawn = sorted(draw(5, strand, decision, k) for strand in range(10) for decision in range(10) for k in range(10))
    assert max(abs(value - place / 1000) for place, value in enumerate(drawn)) < 0.06


def test_seeds_do_not_depend_on_the_hash_seed_of_the_process() -> None:
    program = "from spex.seeds import seed_of; print(seed_of(1, 'p', 'expand', 'policy', 'step.0', 'step', 3))"
    said = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": hash_seed}, capture_output=True, check=True
        ).stdout
        for hash_seed in ("0", "1")
    }
    assert said == {b"%d\n" % seed_of(1, "p", "expand", "policy", "step.0", "step", 3)}
