"""What a vLLM server says of itself: its models to everybody, its settings in development mode, its load in metrics.

What is told of settings is taken where it can be read, and refused where it is known to go wrong; who does not tell is
believed. The form of `/server_info` is of no interface, and changes between releases.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from contextlib import suppress

import msgspec

from spex.engine.drafts import Drafts
from spex.engine.hints import Hints, vllm_hints
from spex.engine.http import Http, Positive
from spex.engine.told import listed
from spex.errors import InputError, Misbehaving, Overloaded, Unreachable

_LOG = logging.getLogger("spex")

CHUNKED = (
    "a vLLM on a CPU dies of a seeded request whose prompt it takes in chunks: start it with"
    " --no-enable-chunked-prefill, and --max-num-batched-tokens no less than --max-model-len"
)
_WITHOUT = "start vLLM without --speculative-config"
# One drafter for all, asked about each request's own tokens. `suffix` looks into what all requests wrote; of the others
# nothing is known.
_ALONE = frozenset({"ngram", "ngram_gpu", "draft_model", "eagle", "eagle3", "mtp", "medusa", "mlp_speculator"})
_UNNAMED = Drafts("a method that it does not tell")
_DRAFTING = re.compile(r"^vllm:spec_decode_num_drafts(?:_total)?[ {]", re.MULTILINE)
_LOAD = re.compile(r"^vllm:num_requests_(running|waiting)(?:\{.*\})? (\d{1,9}(?:\.\d+)?)$", re.MULTILINE)


class Model(msgspec.Struct, frozen=True):
    """A model that the server answers for, by the name that it is served under; `root`: what was loaded for it.

    One that was adapted from another has no length of its own.
    """

    id: str
    root: str | None = None
    max_model_len: Positive | None = None
    parent: str | None = None


class Models(msgspec.Struct, frozen=True):
    """All of them."""

    data: list[Model]


class _Version(msgspec.Struct, frozen=True):
    version: str


class _Scheduler(msgspec.Struct, frozen=True):
    max_num_seqs: Positive | None = None
    enable_chunked_prefill: bool | None = None
    policy: str | None = None


class _Speculative(msgspec.Struct, frozen=True):
    method: str | None = None
    num_speculative_tokens: Positive | None = None
    num_speculative_tokens_per_batch_size: object = None
    rejection_sample_method: str | None = None


class _Model(msgspec.Struct, frozen=True):
    dtype: str | None = None
    logprobs_mode: str | None = None


class _Device(msgspec.Struct, frozen=True):
    device: str | None = None


class _Parallel(msgspec.Struct, frozen=True):
    data_parallel_size: Positive = 1


class _Config(msgspec.Struct, frozen=True):
    scheduler_config: _Scheduler = _Scheduler()
    model_config: _Model = _Model()
    device_config: _Device = _Device()
    parallel_config: _Parallel = _Parallel()
    speculative_config: _Speculative | None = None


class _Environment(msgspec.Struct, frozen=True):
    VLLM_BATCH_INVARIANT: bool | int | None = None


class Settings(msgspec.Struct, frozen=True):
    """How the server was started, as far as it tells (with `VLLM_SERVER_DEV_MODE=1`)."""

    vllm_config: _Config = _Config()
    vllm_env: _Environment = _Environment()

    @property
    def slots(self) -> int | None:
        """Requests that run at once."""
        each = self.vllm_config.scheduler_config.max_num_seqs
        return each * self.vllm_config.parallel_config.data_parallel_size if each else None

    @property
    def varies(self) -> bool:
        """Whether a text is known to depend on what else is in its batch."""
        dtype = self.vllm_config.model_config.dtype
        return dtype is not None and not dtype.endswith("float32") and not self.vllm_env.VLLM_BATCH_INVARIANT

    @property
    def drafts(self) -> Drafts | None:
        """Its token-level speculation; None where it tells of none."""
        told = self.vllm_config.speculative_config
        if told is None:
            return None
        alone = told.method in _ALONE and told.num_speculative_tokens_per_batch_size is None
        method = told.method or _UNNAMED.method
        return Drafts(method, told.num_speculative_tokens, alone, greedy_only=self._on_cpu, remedy=_WITHOUT)

    @property
    def hints(self) -> Hints:
        """What priorities mean to it."""
        return vllm_hints(orders=self.vllm_config.scheduler_config.policy == "priority")

    @property
    def may_be_on_cpu(self) -> bool:
        """Whether it tells of no other device."""
        return self.vllm_config.device_config.device in (None, "cpu")

    @property
    def _on_cpu(self) -> bool:
        return self.vllm_config.device_config.device == "cpu"

    def check(self, name: str) -> None:
        """Raises `InputError` for what is known to go wrong."""
        if self._on_cpu and self.vllm_config.scheduler_config.enable_chunked_prefill:
            raise InputError("policy", name, CHUNKED)
        drafts = self.vllm_config.speculative_config
        if drafts is not None and drafts.rejection_sample_method == "synthetic":
            raise InputError("policy", name, f"its drafts are accepted by chance (a test of vLLM's own): {_WITHOUT}")
        mode = self.vllm_config.model_config.logprobs_mode
        if mode is not None and mode.endswith("logits"):
            raise InputError("policy", name, f"it was started with --logprobs-mode {mode}: leave that out")


async def told_settings(http: Http) -> Settings:
    """The server's settings, empty where it does not tell. Raises `EngineError`."""
    with suppress(InputError, Misbehaving, Unreachable, Overloaded):
        return await http.get("/server_info?config_format=json", Settings)
    return Settings()


async def told_version(http: Http) -> str:
    """The server's program and version, empty where it does not tell. Raises `EngineError`."""
    with suppress(InputError, Misbehaving):
        return f"vLLM {(await http.get('/version', _Version)).version}"
    return ""


async def told_drafts(http: Http, name: str) -> Drafts | None:
    """Drafts of which its metrics tell, where its settings do not; None for none. Raises `EngineError`.

    Metrics do not tell on what it runs, so that the logger `spex` tells what is wrong on a CPU.
    """
    with suppress(InputError, Misbehaving, Unreachable, Overloaded):
        if _DRAFTING.search(await http.text("/metrics")):
            _LOG.warning("%s: it drafts; if it runs on a CPU, its texts above temperature 0 are wrong", name)
            return _UNNAMED
    return None


async def told_load(http: Http) -> int | None:
    """The requests that the server has, running and waiting; None where it does not tell. Raises `EngineError`."""
    told = await told_queue(http)
    return None if told is None else told[0]


async def told_queue(http: Http) -> tuple[int, int] | None:
    """All of them, and those that wait; None where it does not tell. Raises `EngineError`."""
    with suppress(InputError, Misbehaving, Unreachable, Overloaded):  # gateways have errors of all kinds for it
        if found := _LOAD.findall(await http.text("/metrics")):
            waiting = sum(float(count) for state, count in found if state == "waiting")
            return round(sum(float(count) for _, count in found)), round(waiting)
    return None


def chosen(models: Sequence[Model], wanted: str | None, name: str) -> Model:
    """The model called `wanted`, or the only one. Raises `InputError`, which names those that there are."""
    names = listed(model.id for model in models) or "none"
    if wanted is None:
        if len(models) != 1:
            raise InputError("policy", name, f"it serves several models: name one of {names} behind its address and #")
        return models[0]
    for model in models:
        if model.id == wanted:
            return model
    raise InputError("policy", name, f"it does not serve {wanted!r}; its models: {names}")


def loaded_as(name: str, models: Sequence[Model]) -> str:
    """What was loaded for the model called `name`, or what there is in its place."""
    found = [model for model in models if model.id == name] or models
    return ", ".join(sorted(model.root or model.id for model in found))


def context_of(model: Model, models: Sequence[Model]) -> int | None:
    """Most tokens of prompt and text together: its own, or those of the model that it was adapted from."""
    if model.max_model_len is not None:
        return model.max_model_len
    return next((other.max_model_len for other in models if other.id == model.parent), None)
