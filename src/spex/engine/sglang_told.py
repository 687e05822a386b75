"""What an SGLang server says of itself (`/server_info`, `/v1/loads`), and what follows from it."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import msgspec

from spex.engine.abilities import Identity
from spex.engine.base import Capabilities, SeedKind
from spex.engine.drafts import Drafts
from spex.engine.hints import Hints, sglang_hints
from spex.engine.http import Count, Positive
from spex.errors import InputError

SEED_BITS = 63

# One draft model for all, asked about each request's own tokens. NGRAM's table is of what all requests wrote; of the
# others, plug-ins among them, nothing is known.
_ALONE = frozenset({"EAGLE", "EAGLE3", "NEXTN", "STANDALONE"})
# Its verification takes the likeliest token there, whatever the temperature (`_verify_uses_greedy`).
_GREEDY_DEVICES = frozenset({"cpu", "xpu"})
_WITHOUT = "start SGLang without --speculative-algorithm, or on a GPU"


class _State(msgspec.Struct, frozen=True):
    effective_max_running_requests_per_dp: Positive


class Info(msgspec.Struct, frozen=True):
    """What a server of 0.5.23 or newer says of itself."""

    is_embedding: bool
    enable_deterministic_inference: bool
    dp_size: Positive
    max_req_input_len: Positive
    internal_states: Annotated[list[_State], msgspec.Meta(min_length=1)]
    version: str = ""
    model_path: str = ""
    device: str = ""
    speculative_algorithm: str | None = None
    speculative_num_draft_tokens: Positive | None = None
    speculative_adaptive: bool = False
    enable_priority_scheduling: bool = False
    schedule_low_priority_values_first: bool = False
    default_priority_value: Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)] | None = None
    abort_on_priority_when_disabled: bool = False
    radix_eviction_policy: str = "lru"

    @property
    def drafts(self) -> Drafts | None:
        """Its token-level speculation; None where it has none."""
        method = (self.speculative_algorithm or "").upper()
        if not method or method == "NONE":
            return None
        alone = method in _ALONE and not self.speculative_adaptive
        return Drafts(
            method, self.speculative_num_draft_tokens, alone, self.device.lower() in _GREEDY_DEVICES, remedy=_WITHOUT
        )

    @property
    def identity(self) -> Identity:
        """Its version, its model, and what it drafts with."""
        return Identity(f"SGLang {self.version}", self.model_path, str(self.drafts or ""))

    @property
    def hints(self) -> Hints:
        """What priorities mean to it."""
        return sglang_hints(
            orders=self.enable_priority_scheduling,
            low_first=self.schedule_low_priority_values_first,
            usual=self.default_priority_value,
            retains=self.radix_eviction_policy == "priority",
            refuses=self.abort_on_priority_when_disabled,
        )

    def applied(self, before: Capabilities, name: str) -> Capabilities:
        """`before` with what it says in the place of beliefs. Raises `InputError`."""
        if self.is_embedding:
            raise InputError("policy", name, "it serves rewards or embeddings, and writes no text")
        seed: SeedKind = "positional" if self.enable_deterministic_inference else "none"
        return replace(
            before,
            seed=seed if self.drafts is None else self.drafts.seed(seed),
            seed_bits=SEED_BITS,
            slots=self.internal_states[0].effective_max_running_requests_per_dp * self.dp_size,
            context_tokens=self.max_req_input_len,
            priority=self.hints.orders,
            retain=self.hints.retains,
            drafts=self.drafts,
        )


class _Load(msgspec.Struct, frozen=True):
    num_running_reqs: Count
    num_waiting_reqs: Count


class Loads(msgspec.Struct, frozen=True):
    """The requests that each of its parts has."""

    loads: list[_Load]

    @property
    def requests(self) -> int:
        return sum(load.num_running_reqs + load.num_waiting_reqs for load in self.loads)

    @property
    def waiting(self) -> int:
        return sum(load.num_waiting_reqs for load in self.loads)
