"""ℓ(b) of models on GPUs, against hand calculations."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spex.control.setup import Speculation
from spex.errors import InputError
from spex.search.rebase import Rebase
from spex.sim.presets import A100, BF16, INT4, PRESETS, QWEN_30B_A3B, RTX_4090, Experts, Gpu, Model, ModelOnGpu
from spex.sim.presets import find_preset as find
from spex.sim.simulate import Simulation, same_trees
from spex.sim.workload import WORKLOADS

TOY = ModelOnGpu(Model(1100.0, 100.0, 2.0), Gpu(1e5, 1000.0, 20_000.0), replace(BF16, bandwidth_share=1.0), 10.0)


def test_a_sequence_reads_all_matrices_the_head_and_its_own_kv() -> None:
    # Matrices: (1100 - 2·100) · 2 bytes at 1000 bytes a second. Head and KV, at 0.69 of it: (100 + 10·2) · 2 bytes.
    assert TOY.itl_seconds(1) == pytest.approx(1.8 + 0.240 / 0.69)


def test_more_sequences_read_their_kv_besides_until_computing_takes_longer() -> None:
    assert TOY.itl_seconds(5) == pytest.approx(1.8 + (0.200 + 5 * 0.040) / 0.69)
    # Computing: b · 2 · (1100 - 100) operations at half of 20,000 a second.
    assert TOY.itl_seconds(50) == pytest.approx(50 * 2 * 1000 / 10_000)


def test_tokens_of_one_sequence_read_its_kv_once() -> None:
    assert TOY.pass_seconds(1, 4) == TOY.pass_seconds(1, 1) < TOY.pass_seconds(4, 1)


def test_llama_8b_on_an_a100_by_hand() -> None:
    # 15.01 GB of matrices and head, 131 MB of KV a sequence, at 0.69 · 2,039 GB/s = 1,407 GB/s.
    curve = find("8b-a100")
    assert curve.itl_seconds(1) == pytest.approx(0.01076, rel=0.002)
    assert curve.itl_seconds(64) - curve.itl_seconds(1) == pytest.approx(63 * 0.131072 / 1407, rel=0.002)
    # 2 · 7.505 GFLOP at 156 TFLOP/s; 77.3 GB of memory less 16.06 GB of weights, at 131 kB a token.
    assert curve.prefill_seconds == pytest.approx(96.2e-6, rel=0.002)
    assert curve.pool_tokens == pytest.approx(467_000, rel=0.002)


def test_of_a_mixture_one_token_reads_the_experts_that_it_chose() -> None:
    assert Experts(128, 8, 10.0).params_read(1) == pytest.approx(80.0)


def test_two_tokens_share_a_sixteenth_of_their_experts() -> None:
    assert Experts(128, 8, 10.0).params_read(2) == pytest.approx(160.0 - 80.0 / 16)


def test_many_tokens_read_all_experts() -> None:
    assert Experts(128, 8, 10.0).params_read(1000) == pytest.approx(1280.0)


def test_three_of_thirty_billion_parameters_are_active() -> None:
    assert QWEN_30B_A3B.active_params == pytest.approx(3.04e9, rel=0.01)  # 3.35e9 with the embeddings
    assert QWEN_30B_A3B.matrix_params_read(1e6) == pytest.approx(QWEN_30B_A3B.matrix_params)


def test_a_mixture_is_fast_alone_and_as_slow_as_its_size_in_a_batch() -> None:
    mixture, dense = find("30b-a3b-a100"), find("8b-a100")
    assert mixture.itl_seconds(1) < dense.itl_seconds(1) / 2
    assert mixture.itl_seconds(64) > 2 * dense.itl_seconds(64)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_fits_its_gpu(name: str) -> None:
    assert PRESETS[name].pool_tokens > 8 * PRESETS[name].context_tokens


@pytest.mark.parametrize("name", ["32b-4090-int4", "30b-a3b-4090-int4"])
def test_what_is_quantised_would_not_fit_as_it_is(name: str) -> None:
    assert PRESETS[name].weights is INT4
    assert replace(PRESETS[name], weights=BF16).pool_tokens < 0


def test_weights_of_a_quarter_of_the_bits_are_the_size_of_the_published_ones() -> None:
    quantised = PRESETS["32b-4090-int4"]
    kv_bytes = quantised.pool_tokens * quantised.model.kv_values_per_token * 2
    assert 0.9 * RTX_4090.memory_bytes - kv_bytes == pytest.approx(19.3e9, rel=0.01)  # Qwen2.5-32B-Instruct-AWQ


@settings(deadline=None)
@given(st.sampled_from(list(PRESETS.values())), st.lists(st.floats(1, 2000), min_size=2).map(sorted), st.integers(1, 9))
def test_no_preset_ever_falls(preset: ModelOnGpu, loads: list[float], tokens_each: int) -> None:
    for fewer, more in pairwise(loads):
        assert preset.itl_seconds(fewer) <= preset.itl_seconds(more)
        assert preset.pass_seconds(fewer, tokens_each) <= preset.pass_seconds(more, tokens_each)
        assert preset.pass_seconds(fewer, tokens_each) <= preset.itl_seconds(fewer * tokens_each) * (1 + 1e-12)


def test_a_faster_gpu_is_faster_at_every_load() -> None:
    for load in (1, 8, 64, 256):
        assert find("8b-h100").itl_seconds(load) < find("8b-a100").itl_seconds(load) < find("8b-4090").itl_seconds(load)


def test_an_unknown_preset_is_told_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="8b-a100"):
        find("8b-a10")


def test_work_that_is_hosted_gets_the_models_times_and_the_room_of_its_gpu() -> None:
    preset = find("32b-4090-int4")
    hosted = preset.hosting(WORKLOADS["served"])
    assert hosted.curve is preset
    assert hosted.prefill_seconds == preset.prefill_seconds
    assert (hosted.pool_tokens, hosted.slots) == (preset.pool_tokens, 14)
    assert find("8b-a100").hosting(WORKLOADS["served"]).slots == 64
    assert hosted.reward_slots == WORKLOADS["served"].reward_slots


def test_a_workload_runs_on_a_preset_and_keeps_its_trees() -> None:
    reference = Simulation(Rebase(width=4, depth_max=4), WORKLOADS["reference"], queries=2, concurrency=2)
    plain = reference.run(None)
    for workload in (
        WORKLOADS["reference"].on(find("30b-a3b-h100")),
        find("32b-4090-int4").hosting(WORKLOADS["reference"]),
    ):
        assert same_trees(plain, replace(reference, workload=workload).run(Speculation()))


def test_a_gpu_is_its_data_sheet() -> None:
    assert (A100.bytes_per_second, A100.flops_per_second) == (2.039e12, 312e12)
