"""What SGLang calls in each of its processes (entry point group `sglang.srt.plugins`)."""

from __future__ import annotations

from typing import Any


def register() -> None:
    """Let the CPU's attention be deterministic, and put what makes it so in the places that only that mode uses."""
    from sglang.srt.arg_groups import choices
    from sglang.srt.plugins.hook_registry import HookRegistry, HookType

    from spex_sglang_cpu import noise, sampling

    # The first list lets the mode start with this backend; without the second it does so with no prefix cache.
    choices.add_deterministic_attention_backend_choices(["torch_native"])
    choices.add_radix_supported_deterministic_attention_backend_choices(["torch_native"])
    for place, ours, how in (
        ("srt.batch_invariant_ops.batch_invariant_ops.enable_batch_invariant_mode", _make_invariant, HookType.REPLACE),
        ("srt.model_executor.model_runner.ModelRunner.maybe_enable_batch_invariant_mode", _widen, HookType.AFTER),
        ("kernels.ops.sampling.murmur_hash.murmur_hash32", noise.hashed, HookType.REPLACE),
        ("srt.layers.sampler.top_k_top_p_min_p_sampling_from_probs_torch", sampling.sampled, HookType.AROUND),
    ):
        HookRegistry.register(f"sglang.{place}", ours, how)


def _make_invariant(enable_bmm: bool = True) -> None:  # as upstream calls it
    """In place of upstream's kernels for GPUs, in the process that computes."""
    from sglang.srt.layers.attention.torch_native_backend import TorchNativeAttnBackend

    from spex_sglang_cpu import attention, products

    products.override()
    TorchNativeAttnBackend._run_sdpa_forward_extend = attention.prefill
    TorchNativeAttnBackend._run_sdpa_forward_decode = attention.decode


def _widen(_result: None, runner: Any) -> None:
    """When the model is loaded, and the products are ours or never will be."""
    from spex_sglang_cpu import products

    products.widen(runner.model)
