"""Real engines, probed: llama.cpp in this process, and the servers at SPEX_SGLANG_URL and SPEX_VLLM_URL.

The machine may have other work, so that no time is compared with another; what an engine does, and that what it costs
is found at all, is.
"""

from __future__ import annotations

import asyncio
import os

import pytest

from spex.engine.base import Engine
from spex.engine.catalog import find_engine
from spex.engine.llamacpp import LlamaCpp
from spex.engine.measured import EngineProfile
from spex.engine.probe import probe
from spex.engine.probe_kind import spec_of
from tests.live.servers import keeps_prefixes

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

_SECONDS_MAX = 600.0


def probed(engine: Engine) -> EngineProfile:
    async def main() -> EngineProfile:
        await engine.open()
        try:
            return await probe(engine, seconds_max=_SECONDS_MAX)
        finally:
            assert engine.counters().running == 0
            await engine.close()

    return asyncio.run(main())


def check_what_all_do(found: EngineProfile, *, keeps_prefixes: bool = True) -> None:
    assert found.unmeasured == {}
    assert found.version
    assert found.model
    assert found.log_probabilities
    assert found.itl is not None
    assert found.prefill_seconds is not None
    assert found.prefill_seconds > 0.0
    assert found.cache is not None
    if keeps_prefixes:
        assert found.cache.child_cached > 0.9 * found.cache.child_tokens - (found.cache.grain or 0)
    else:
        assert found.cache.child_cached == 0.0
    assert found.labels is not None
    assert found.labels.likeliest.all
    assert found.labels.difference is not None
    assert found.labels.difference < 0.05
    assert found.aborts is not None
    assert found.aborts.effective


def test_llama_cpp_in_this_process() -> None:
    pytest.importorskip("xllamacpp")
    found = probed(LlamaCpp(slots=3, context_tokens=256, threads=1))
    check_what_all_do(found)
    assert found.seeds is not None
    assert found.seeds.again.all
    assert found.applied(LlamaCpp(slots=3).capabilities).seed == "none"
    assert found.aborts is not None
    assert found.aborts.confirmed
    assert found.cache is not None
    assert found.cache.grain == 1


@pytest.mark.skipif("SPEX_SGLANG_URL" not in os.environ, reason="SPEX_SGLANG_URL names no server")
def test_an_sglang_server_that_is_deterministic() -> None:
    spec = asyncio.run(spec_of(os.environ["SPEX_SGLANG_URL"]))
    assert spec.startswith("sglang:")
    found = probed(find_engine(spec))
    check_what_all_do(found)
    assert found.seeds is not None
    assert (found.seeds.found, found.seeds.moves_logprobs) == ("positional", False)


@pytest.mark.skipif("SPEX_VLLM_URL" not in os.environ, reason="SPEX_VLLM_URL names no server")
def test_a_vllm_server_in_float32() -> None:
    spec = asyncio.run(spec_of(os.environ["SPEX_VLLM_URL"]))
    assert spec.startswith("vllm:")
    found = probed(find_engine(spec))
    check_what_all_do(found, keeps_prefixes=keeps_prefixes(spec))
    assert found.seeds is not None
    assert (found.seeds.found, found.seeds.moves_logprobs) == ("whole", False)
