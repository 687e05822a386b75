"""ℓ(b) of real models on real GPUs, as a roofline: the longer of reading and computing.

    reading   = matrices(t) · bits / 8 / (bandwidth · share(bits)) + (head + b · context · KV) / (bandwidth · share(16))
    computing = t · 2 · active parameters / (FLOP/s · 0.5)

for b sequences of t/b tokens each in one pass (t = b when they decode). A mixture of experts reads
those that somebody chose: of E experts, k a token, E·(1 − (1 − k/E)^t) when all are equally likely, and
fewer when tokens are alike.
The input embeddings are rows that are looked up, neither read nor multiplied; the head is not quantised.

Share of the bandwidth that decoding reaches: gpt-fast's published table (Llama-2-7B, A100 80GB, one
sequence) has 1,397 of 2,039 GB/s in bf16 and 863 in int4: 0.69 and 0.42. Half of the dense FLOP/s is
our assumption. A mean context of 1,000 tokens. Not in the model: launches and sampling, some
milliseconds that count where little is read (A3B at small b); attention's FLOPs (3 % at this context).

GPUs, from NVIDIA's data sheets: A100 80GB SXM 2,039 GB/s, 312 TFLOP/s; H100 SXM 3.35 TB/s, 989 TFLOP/s (its
1,979 are with sparsity); GeForce RTX 4090 1,008 GB/s, 165.2 TFLOP/s (Ada architecture paper, FP32 accumulate).
Models, from the config.json and model cards on huggingface.co: meta-llama/Llama-3.1-8B,
Qwen/Qwen2.5-32B, Qwen/Qwen3-30B-A3B; all have a head of its own beside the embeddings.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import get_close_matches

from spex.errors import InputError
from spex.sim.workload import Workload

_COMPUTE_SHARE = 0.5
_MEMORY_SHARE = 0.9  # of the GPU's memory, for weights and KV: what vLLM takes by default
_KV_BITS = 16


@dataclass(frozen=True, slots=True)
class Gpu:
    """A data sheet: memory, its bandwidth, and dense bf16 operations with FP32 accumulation."""

    memory_bytes: float
    bytes_per_second: float
    flops_per_second: float


@dataclass(frozen=True, slots=True)
class Experts:
    """How a mixture routes: `chosen` of `count` a token and layer; `params_each` over all layers."""

    count: int
    chosen: int
    params_each: float

    def params_read(self, tokens: float) -> float:
        """Of those experts that any of `tokens` tokens is expected to choose."""
        unread: float = (1.0 - self.chosen / self.count) ** tokens
        return self.params_each * self.count * (1.0 - unread)


@dataclass(frozen=True, slots=True)
class Model:
    """A config: all parameters, those of its embeddings (the head has as many), KV values a token, its experts."""

    params: float
    embedding_params: float
    kv_values_per_token: float
    experts: Experts = Experts(1, 1, 0.0)

    @property
    def matrix_params(self) -> float:
        """All but embeddings and head."""
        return self.params - 2 * self.embedding_params

    @property
    def active_params(self) -> float:
        """Those that one token is multiplied with."""
        idle = (self.experts.count - self.experts.chosen) * self.experts.params_each
        return self.params - self.embedding_params - idle

    def matrix_params_read(self, tokens: float) -> float:
        shared = self.matrix_params - self.experts.count * self.experts.params_each
        return shared + self.experts.params_read(tokens)


@dataclass(frozen=True, slots=True)
class Weights:
    """How matrices are stored, and the share of the bandwidth at which they are read."""

    bits: float
    bandwidth_share: float


@dataclass(frozen=True, slots=True)
class ModelOnGpu:
    """A curve: `model` on one `gpu`, sequences of `context_tokens` (≥ 0) on average."""

    model: Model
    gpu: Gpu
    weights: Weights
    context_tokens: float = 1000.0

    def itl_seconds(self, running: float) -> float:
        return self.pass_seconds(running, 1)

    def pass_seconds(self, running: float, tokens_each: int) -> float:
        """One forward pass of `tokens_each` (≥ 1) new tokens for each of `running` sequences."""
        tokens = running * tokens_each
        return max(self._reading_seconds(running, tokens), tokens * self.prefill_seconds)

    @property
    def prefill_seconds(self) -> float:
        """What computing one token takes in a batch that is large enough: τ."""
        return 2.0 * self.model.active_params / (self.gpu.flops_per_second * _COMPUTE_SHARE)

    @property
    def pool_tokens(self) -> int:
        """How many tokens' KV the memory holds beside the weights."""
        stored = self.model.matrix_params * self.weights.bits + 2 * self.model.embedding_params * _KV_BITS
        left = self.gpu.memory_bytes * _MEMORY_SHARE - stored / 8
        return int(left / (self.model.kv_values_per_token * _KV_BITS / 8))

    def hosting(self, workload: Workload) -> Workload:
        """The same work with this model on this GPU: its ℓ(b), τ and KV pool, and no more sequences than that holds."""
        slots = max(1, int(self.pool_tokens / max(1.0, self.context_tokens)))
        return replace(
            workload,
            curve=self,
            prefill_seconds=self.prefill_seconds,
            pool_tokens=self.pool_tokens,
            slots=min(workload.slots, slots),
        )

    def _reading_seconds(self, running: float, tokens: float) -> float:
        matrices = self.model.matrix_params_read(tokens) * self.weights.bits / 8
        kv_values = running * self.context_tokens * self.model.kv_values_per_token
        others = (self.model.embedding_params + kv_values) * _KV_BITS / 8
        seconds = matrices / self.weights.bandwidth_share + others / BF16.bandwidth_share
        return seconds / self.gpu.bytes_per_second


_GIB = 2.0**30

A100 = Gpu(80 * _GIB, 2.039e12, 312e12)
H100 = Gpu(80 * _GIB, 3.35e12, 989e12)
RTX_4090 = Gpu(24 * _GIB, 1.008e12, 165.2e12)

BF16 = Weights(16, 0.69)
INT4 = Weights(4.16, 0.42)  # AWQ: 4 bits, and in every group of 128 a scale of 16 bits and a zero of 4

# KV values a token: 2 · layers · KV heads · head dimension.
LLAMA_8B = Model(8.030e9, 128_256 * 4096, 2 * 32 * 8 * 128)
QWEN_32B = Model(32.764e9, 152_064 * 5120, 2 * 64 * 8 * 128)
# 48 layers of 128 experts, each three matrices of 2048 by 768, 8 a token.
QWEN_30B_A3B = Model(30.532e9, 151_936 * 2048, 2 * 48 * 4 * 128, Experts(128, 8, 48 * 3 * 2048 * 768))

# What does not fit an RTX 4090 in bf16 is there in int4, and its name says so.
PRESETS = {
    "8b-a100": ModelOnGpu(LLAMA_8B, A100, BF16),
    "8b-h100": ModelOnGpu(LLAMA_8B, H100, BF16),
    "8b-4090": ModelOnGpu(LLAMA_8B, RTX_4090, BF16),
    "32b-a100": ModelOnGpu(QWEN_32B, A100, BF16),
    "32b-h100": ModelOnGpu(QWEN_32B, H100, BF16),
    "32b-4090-int4": ModelOnGpu(QWEN_32B, RTX_4090, INT4),
    "30b-a3b-a100": ModelOnGpu(QWEN_30B_A3B, A100, BF16),
    "30b-a3b-h100": ModelOnGpu(QWEN_30B_A3B, H100, BF16),
    "30b-a3b-4090-int4": ModelOnGpu(QWEN_30B_A3B, RTX_4090, INT4),
}


def find_preset(name: str) -> ModelOnGpu:
    """The preset of that name. Raises `InputError` with the list."""
    if name not in PRESETS:
        near = "".join(f"did you mean {nearest}? " for nearest in get_close_matches(name.casefold(), PRESETS, n=1))
        raise InputError("curve", name, f"{near}it must be one of {', '.join(PRESETS)}")
    return PRESETS[name]
