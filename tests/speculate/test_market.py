"""What the market starts and stops."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spex.profile import Affine, Curve
from spex.speculate.market import RateMarket
from spex.speculate.price import credible, holding_price, price


@dataclass(frozen=True)
class Query:
    """Who asks; `foreseen` is its own record."""

    hit_rate: float = 0.5

    @property
    def foreseen(self) -> Query:
        return self


@dataclass(frozen=True)
class Guess:
    name: str
    probability: float
    owner: Query = Query()
    depth: int = 0


@dataclass(frozen=True)
class Engine:
    """What runs: `useful` sequences are expected to be of use, the guesses among them."""

    profile: Curve
    running: int
    useful: float
    prefill_seconds: float = 0.0
    speculating: list[Guess] = field(default_factory=list)
    kept_share: float = 1.0


IDLE = Engine(Affine(0.010, 0.001), 0, 0.0)
STEEP = Affine(0.001, 0.010)

curves = st.builds(Affine, st.floats(1e-3, 0.1), st.floats(0.0, 1e-1))
probabilities = st.floats(0, 1)
wishes = st.lists(probabilities, max_size=20).map(
    lambda values: [Guess(f"g{number}", value) for number, value in enumerate(values)]
)


def guesses(*probabilities: float) -> list[Guess]:
    return [Guess(f"g{number}", probability) for number, probability in enumerate(probabilities)]


def test_a_guess_that_is_likely_to_be_lost_is_worth_so_much_less() -> None:
    load = Engine(Affine(0.010, 0.001), 8, 8.0)
    assert names(RateMarket().to_start(load, guesses(0.9, 0.7, 0.5), 3)) == ["g0", "g1"]
    losing = Engine(Affine(0.010, 0.001), 8, 8.0, kept_share=0.6)
    assert names(RateMarket().to_start(losing, guesses(0.9, 0.7, 0.5), 3)) == ["g0"]
    assert RateMarket().margin(losing) < RateMarket().margin(load)


def names(chosen: list[Guess]) -> list[str]:
    return [guess.name for guess in chosen]


def everything_is_left(_: Guess) -> float:
    return 1.0


@given(curves, st.integers(0, 50), st.floats(0, 50), wishes, st.integers(0, 30))
def test_never_more_than_there_is_room_for(
    curve: Curve, running: int, useful: float, wished: list[Guess], room: int
) -> None:
    started = RateMarket().to_start(Engine(curve, running, useful), wished, room)
    assert len(started) <= room
    assert len(set(started)) == len(started)
    assert set(started) <= set(wished)


@given(curves, st.integers(0, 50), st.floats(0, 50), wishes, st.integers(0, 30))
def test_the_likeliest_are_started_first(
    curve: Curve, running: int, useful: float, wished: list[Guess], room: int
) -> None:
    started = RateMarket().to_start(Engine(curve, running, useful), wished, room)
    bought = [guess.probability for guess in started]
    assert bought == sorted(bought, reverse=True)
    left = [guess.probability for guess in wished if guess not in started]
    assert not bought or not left or min(bought) >= max(left)


@given(curves, st.integers(1, 50), st.floats(0, 50), wishes)
def test_each_was_worth_the_price_when_it_was_bought(
    curve: Curve, running: int, useful: float, wished: list[Guess]
) -> None:
    expected = max(running, round(useful))  # as many are expected to run as are expected to be useful
    for number, guess in enumerate(RateMarket().to_start(Engine(curve, running, useful), wished, 100)):
        assert credible(guess.probability) > price(curve, useful, expected + number)
        useful += guess.probability


def test_of_equals_the_first_wished_comes_first() -> None:
    assert names(RateMarket().to_start(IDLE, guesses(0.5, 0.9, 0.5, 0.9), 3)) == ["g1", "g3", "g0"]


def test_what_will_surely_not_be_demanded_is_not_started_even_on_an_idle_engine() -> None:
    assert RateMarket().to_start(IDLE, guesses(0.0), 5) == []


def test_nothing_uncertain_is_started_where_every_sequence_slows_all_others() -> None:
    assert RateMarket().to_start(Engine(STEEP, 4, 4.0), guesses(0.5, 0.7), 5) == []


def test_even_what_all_particles_agree_on_is_not_started_where_every_sequence_is_at_the_cost_of_the_others() -> None:
    assert price(STEEP, 50.0, 50) > 0.99
    assert RateMarket().to_start(Engine(STEEP, 50, 50.0), guesses(1.0), 5) == []
    assert names(RateMarket().to_start(Engine(STEEP, 1, 1.0), guesses(1.0), 5)) == ["g0"]


@given(curves, wishes, st.integers(0, 20))
def test_each_was_not_worth_its_place_when_it_was_stopped(curve: Curve, running: list[Guess], demanded: int) -> None:
    useful, count = demanded + sum(guess.probability for guess in running), demanded + len(running)
    for guess in RateMarket().to_stop(Engine(curve, count, useful), running, everything_is_left):
        assert guess.probability < holding_price(curve, useful, count, 1.0)
        useful -= guess.probability
        count -= 1


@given(curves, wishes, st.integers(0, 20))
def test_the_least_likely_are_stopped_first(curve: Curve, running: list[Guess], demanded: int) -> None:
    load = Engine(curve, demanded + len(running), demanded + sum(guess.probability for guess in running))
    stopped = RateMarket().to_stop(load, running, everything_is_left)
    kept = [guess.probability for guess in running if guess not in stopped]
    assert not stopped or not kept or max(guess.probability for guess in stopped) <= min(kept)


@given(curves, st.integers(1, 20), wishes)
def test_what_was_just_started_is_not_stopped_at_once(curve: Curve, demanded: int, wished: list[Guess]) -> None:
    started = RateMarket().to_start(Engine(curve, demanded, float(demanded)), wished, 100)
    useful = demanded + sum(guess.probability for guess in started)
    after = Engine(curve, demanded + len(started), useful)
    assert RateMarket().to_stop(after, started, everything_is_left) == []


def test_a_guess_that_is_nearly_done_is_kept_where_a_fresh_one_is_stopped() -> None:
    running = guesses(0.2, 0.2)
    left = {"g0": 1.0, "g1": 0.05}
    load = Engine(STEEP, 6, 4.4)
    assert names(RateMarket().to_stop(load, running, lambda guess: left[guess.name])) == ["g0"]


def test_a_guess_that_runs_alone_is_never_stopped() -> None:
    running = guesses(0.0)
    assert RateMarket().to_stop(Engine(STEEP, 1, 0.0), running, everything_is_left) == []


@given(curves, st.integers(0, 100), probabilities)
def test_a_market_has_a_margin_exactly_where_it_would_start_what_is_sure(
    curve: Curve, running: int, share: float
) -> None:
    load = Engine(curve, running, running * share)
    assert 0.0 <= RateMarket().margin(load) <= 1.0
    assert (RateMarket().margin(load) > 0.0) == bool(RateMarket().to_start(load, guesses(1.0), 1))


def test_the_margin_is_what_is_left_of_a_sure_guess_s_worth_when_its_price_is_paid() -> None:
    assert RateMarket().margin(Engine(STEEP, 0, 0.0)) == 1.0
    worth, price_of_another = credible(1.0), price(STEEP, 2.0, 4)
    assert RateMarket().margin(Engine(STEEP, 4, 2.0)) == pytest.approx(1.0 - price_of_another / worth)
