"""The workload `readable`: how much of a reward shows in the step's text."""

from __future__ import annotations

from itertools import pairwise
from statistics import fmean, stdev

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spex.control.setup import Speculation
from spex.engine.base import Completion, Generation
from spex.prompt import Prompt
from spex.search.rebase import Rebase
from spex.seeds import seed_of
from spex.sim.simulate import Simulation, same_trees
from spex.sim.workload import WORKLOADS, Readable, Workload
from spex.sim.world import World
from spex.speculate.habits import Surroundings
from spex.speculate.predictor import Predictor
from spex.tree import Step

READABLE = WORKLOADS["readable"]
ROOT = Prompt([range(20)])


def asked(number: int, stop: tuple[str, ...] = ("\n\n",)) -> Generation:
    return Generation(f"p|{number}", ROOT, seed_of(0, "p", "expand", "policy", str(number)), stop, 1_000_000)


def written(load: Workload, count: int) -> list[tuple[Completion, float]]:
    """The first steps of a problem, each with what its reward departs from the root's."""
    world = World(load)
    texts = [world.write(asked(number)) for number in range(count)]
    return [(text, world.quality((*ROOT.segments, text.token_ids)) - load.root_reward) for text in texts]


def explained(texts: list[tuple[Completion, float]]) -> float:
    """The share of the rewards' variance that least squares finds in the mean log-probability and the length."""
    features = np.array([(1.0, fmean(text.logprobs or (0.0,)), np.log(len(text.token_ids))) for text, _ in texts])
    shifts = np.array([shift for _, shift in texts])
    weights, *_ = np.linalg.lstsq(features, shifts, rcond=None)
    return 1.0 - float(np.var(shifts - features @ weights) / np.var(shifts))


def test_half_to_two_thirds_of_a_rewards_variance_show_in_the_text() -> None:
    texts = written(READABLE, 2000)
    assert 1 / 2 < explained(texts) < 2 / 3
    assert explained(texts) == pytest.approx(0.57, abs=0.03)


def test_rewards_spread_as_the_references_do() -> None:
    spreads = [stdev(shift for _, shift in written(WORKLOADS[name], 2000)) for name in ("readable", "reference")]
    assert spreads == pytest.approx([0.15, 0.15], abs=0.006)


def test_nothing_of_the_references_rewards_shows_in_the_text() -> None:
    texts = written(WORKLOADS["reference"], 2000)
    assert all(text.logprobs is None for text, _ in texts)
    assert explained(texts) < 0.01


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([("\n\n",), ()]))
def test_every_token_has_a_log_probability_that_the_seed_alone_decides(number: int, stop: tuple[str, ...]) -> None:
    first, second = World(READABLE).write(asked(number, stop)), World(READABLE).write(asked(number, stop))
    assert first == second
    assert first.logprobs is not None
    assert len(first.logprobs) == len(first.token_ids)
    assert all(logprob < 0.0 for logprob in first.logprobs)
    assert -1.1 - 1e-9 <= fmean(first.logprobs) <= -0.1 + 1e-9


def test_tokens_of_a_step_differ_in_their_log_probabilities() -> None:
    for text, _ in written(READABLE, 20):
        assert text.logprobs is not None
        assert min(text.logprobs) < 2.0 * fmean(text.logprobs) or len(text.token_ids) < 20


def test_a_step_is_worth_its_logprobs_and_its_length_by_hand() -> None:
    readable = Readable(logprob_mean=-0.6, logprob_spread=0.2, per_nat=0.5, per_log_length=-0.09)
    assert readable.logprob(1.0) == pytest.approx(-0.4)
    assert readable.logprob(9.0) == pytest.approx(-0.1)
    assert readable.shift(-0.4, 0.0) == pytest.approx(0.1)
    assert readable.shift(-0.6, 2.0) == pytest.approx(-0.18)


def test_steps_carry_the_log_probabilities_into_the_tree_and_speculation_changes_none() -> None:
    simulation = Simulation(Rebase(width=6, depth_max=5), READABLE, queries=4, concurrency=2)
    plain, speculative = simulation.run(None), simulation.run(Speculation())
    assert same_trees(plain, speculative)
    steps = [step for solution in plain.solutions for step in solution.tree.steps.values()]
    assert steps
    assert all(step.logprobs is not None and len(step.logprobs) == step.token_count for step in steps)


def test_likelier_steps_are_better_on_average() -> None:
    texts = sorted(written(READABLE, 2000), key=lambda item: fmean(item[0].logprobs or (0.0,)))
    quarters = [fmean(shift for _, shift in texts[start : start + 500]) for start in range(0, 2000, 500)]
    assert all(worse < better for worse, better in pairwise(quarters))


@pytest.mark.parametrize(("name", "least", "most"), [("readable", 0.4, 0.6), ("reference", 0.95, 1.05)])
def test_who_reads_the_text_foresees_a_readable_reward_better_than_who_knows_the_parents(
    name: str, least: float, most: float
) -> None:
    load, predictor = WORKLOADS[name], Predictor()
    for text, shift in written(load, 2000):
        step = Step(text.text, text.token_ids, text.logprobs)
        predictor.observe_reward("step", step, Surroundings(load.root_reward, 1), load.root_reward + shift)
    assert least < predictor.errors.learned / predictor.errors.parent < most
