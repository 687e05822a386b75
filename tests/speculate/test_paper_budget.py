"""The published SPEX's budget, shared by hand."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spex.errors import InputError
from spex.profile import Affine, Curve, Roofline
from spex.speculate.catalog import MARKETS, RULES
from spex.speculate.market import FirstCome
from spex.speculate.paper_budget import PaperBudget, in_proportion, ridge, softmax

ROOFLINE = Roofline(0.010, 0.001, 8.0)


@dataclass(frozen=True)
class Query:
    name: str
    hit_rate: float = 0.5

    @property
    def foreseen(self) -> Query:
        return self


@dataclass(frozen=True)
class Guess:
    owner: Query
    number: int
    probability: float = 0.5
    depth: int = 0


@dataclass(frozen=True)
class Engine:
    """What runs, demanded and speculated."""

    profile: Curve = ROOFLINE
    running: int = 0
    useful: float = 0.0
    prefill_seconds: float = 0.0
    speculating: list[Guess] = field(default_factory=list)
    kept_share: float = 1.0


A, B = Query("a"), Query("b")


def guesses(owner: Query, count: int, depth: int = 0) -> list[Guess]:
    """The likeliest first."""
    return [Guess(owner, number, 1 / (number + 1), depth) for number in range(count)]


def granted(budget: PaperBudget, *wishes: Guess, engine: Engine | None = None, room: int = 100) -> dict[str, int]:
    started = budget.to_start(engine or Engine(), wishes, room)
    return {owner: sum(guess.owner.name == owner for guess in started) for owner in "ab"}


def test_a_query_alone_gets_the_whole_of_the_total_and_no_more_than_it_has_branches() -> None:
    assert granted(PaperBudget(8), *guesses(A, 20)) == {"a": 8, "b": 0}
    assert granted(PaperBudget(8), *guesses(A, 3)) == {"a": 3, "b": 0}


def test_shares_are_the_softmax_of_branches_times_hit_rate() -> None:
    # U = 20·0.5 and 10·0.5: 1 and ½ of the largest; softmax 0.622 and 0.378; of 10: 6.22 and 3.78.
    wishes = [*guesses(A, 20), *guesses(B, 10)]
    assert exp(1) / (exp(1) + exp(0.5)) == pytest.approx(0.622, abs=1e-3)
    assert granted(PaperBudget(10), *wishes) == {"a": 6, "b": 4}
    # τ = 0.1: 0.993 and 0.007.
    assert granted(PaperBudget(10, temperature=0.1), *wishes) == {"a": 10, "b": 0}


def test_who_was_right_gets_more() -> None:
    # U = 10·0.9 and 10·0.1: 1 and 1/9 of the largest; softmax 0.709 and 0.291.
    wishes = [*guesses(Query("a", 0.9), 10), *guesses(Query("b", 0.1), 10)]
    assert granted(PaperBudget(10), *wishes) == {"a": 7, "b": 3}


def test_a_longer_prefix_in_common_is_worth_more() -> None:
    # With a prefix worth the weights at each step: U = 10·½·(1 + 3) and 10·½·1: 1 and ¼; softmax 0.679 and 0.321.
    wishes = [*guesses(A, 10, depth=3), *guesses(B, 10)]
    assert granted(PaperBudget(10, prefix_share=1.0), *wishes) == {"a": 7, "b": 3}
    assert granted(PaperBudget(10, prefix_share=0.0), *wishes) == {"a": 5, "b": 5}


def test_what_a_cap_leaves_is_not_shared_again() -> None:
    # U: 1 and 0.05; softmax 0.721 and 0.279: of 10, 7 and 3, of which b has one branch.
    assert granted(PaperBudget(10), *guesses(A, 20), *guesses(B, 1)) == {"a": 7, "b": 1}


def test_what_runs_counts_against_its_query_and_is_never_stopped() -> None:
    running = [Guess(A, number + 100, 0.0) for number in range(4)]
    engine = Engine(running=6, speculating=running)
    wishes = [*guesses(A, 6), *guesses(B, 10)]
    assert granted(PaperBudget(10), *wishes, engine=engine) == {"a": 1, "b": 5}
    assert PaperBudget(1).to_stop(engine, running, lambda _: 1.0) == []


def test_what_was_granted_before_shares_changed_does_not_take_the_total_further() -> None:
    running = [Guess(A, number + 100) for number in range(9)]
    assert granted(PaperBudget(10), *guesses(B, 10), engine=Engine(running=9, speculating=running)) == {"a": 0, "b": 1}


def test_each_query_gets_its_likeliest_branches() -> None:
    wishes = list(reversed(guesses(A, 5)))
    assert [guess.number for guess in PaperBudget(2).to_start(Engine(), wishes, 100)] == [0, 1]


def test_demanded_sequences_count_where_the_total_is_of_all() -> None:
    engine = Engine(running=7)
    assert granted(PaperBudget(10), *guesses(A, 20), engine=engine)["a"] == 10
    assert granted(PaperBudget(10, spare=True), *guesses(A, 20), engine=engine)["a"] == 3
    assert granted(PaperBudget(5, spare=True), *guesses(A, 20), engine=engine)["a"] == 0


def test_without_a_number_the_total_is_where_the_curve_leaves_its_flat_part() -> None:
    # 10 ms up to 8 sequences, 1 ms for each more: 9 sequences take 11 ms, 10 take 12 ms, above 11.5.
    assert ridge(ROOFLINE) == 9
    assert granted(PaperBudget(), *guesses(A, 20))["a"] == 9
    assert ridge(Affine(0.010, 0.00008)) == 19
    assert ridge(Affine(0.0026, 0.0034)) == 1
    assert ridge(Affine(0.040, 0.0)) == 4096


@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=8), st.floats(0.05, 10), st.integers(0, 50))
def test_shares_add_up_and_are_at_most_one_from_their_exact_value(
    utilities: list[float], temperature: float, total: int
) -> None:
    shares = softmax({Query(str(number)): utility for number, utility in enumerate(utilities)}, temperature)
    assert sum(shares.values()) == pytest.approx(1.0)
    parts = in_proportion(shares, total)
    assert sum(parts.values()) == total
    assert all(abs(parts[owner] - total * share) < 1.0 for owner, share in shares.items())


@given(st.lists(st.integers(0, 6), min_size=2, max_size=2), st.integers(0, 8), st.integers(1, 12))
def test_never_more_than_there_is_room_for_nor_than_the_total(counts: list[int], room: int, total: int) -> None:
    wishes = [*guesses(A, counts[0]), *guesses(B, counts[1])]
    started = PaperBudget(total).to_start(Engine(), wishes, room)
    assert len(started) == len(set(started)) <= min(room, total)
    assert set(started) <= set(wishes)


def test_nothing_is_started_where_nothing_is_wished() -> None:
    assert PaperBudget().to_start(Engine(), list[Guess](), 10) == []


@pytest.mark.parametrize(
    "wrong", [{"k_total": 0}, {"k_total": 1.5}, {"temperature": 0.0}, {"temperature": -1.0}, {"prefix_share": -0.1}]
)
def test_what_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        PaperBudget(**wrong)  # type: ignore[arg-type]  # that is what is tried


def test_first_come_buys_the_likeliest_while_there_is_room_and_sells_nothing() -> None:
    wishes = [
        replace(guess, probability=probability)
        for guess, probability in zip(guesses(A, 3), (0.1, 0.9, 0.5), strict=True)
    ]
    assert [guess.number for guess in FirstCome().to_start(Engine(), wishes, 2)] == [1, 2]
    assert FirstCome().to_stop(Engine(), wishes, lambda _: 1.0) == []


def test_every_way_to_speculate_has_its_name() -> None:
    assert set(RULES) == {"ours", "paper"}
    assert set(MARKETS) == {"ours", "paper", "first-come"}
    assert isinstance(MARKETS["paper"](), PaperBudget)
