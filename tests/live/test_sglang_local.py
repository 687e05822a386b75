"""SGLang's own `Engine` in this process: G1, G3 and G4 where no server stands between.

`make test-engines` runs it, by the engines' own Python (`engines/beside.py`). By hand: a Python in every process of
which `import sglang` works, with SPEX_SGLANG_MODEL naming a model's folder; without a GPU it takes what makes SGLang
deterministic on a CPU, as `engines/` has it, and one thread:

    OMP_NUM_THREADS=1 SPEX_SGLANG_MODEL=... python -m pytest tests/live/test_sglang_local.py
"""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest

import spex
from spex.engine.base import Generation, Message, Progress, Sampling
from spex.engine.sglang_local import SglangLocal
from spex.prompt import Prompt
from spex.testing import first_difference

MODEL = os.environ.get("SPEX_SGLANG_MODEL", "")
ON_A_CPU = {
    "device": "cpu",
    "dtype": "bfloat16",
    "max_total_tokens": 32768,
    "max_running_requests": 64,
    "attention_backend": "torch_native",
    "sampling_backend": "pytorch",
    "chunked_prefill_size": 512,
    "sleep_on_idle": True,
}
SETTINGS: dict[str, Any] = {"enable_deterministic_inference": True} | ({} if shutil.which("nvidia-smi") else ON_A_CPU)

pytestmark = [
    pytest.mark.live,
    pytest.mark.engine,
    pytest.mark.timeout(1800),
    pytest.mark.filterwarnings("ignore"),  # SGLang's own, of all kinds
    pytest.mark.skipif(not MODEL or find_spec("sglang") is None, reason="needs sglang, and SPEX_SGLANG_MODEL"),
]
QUESTION = spex.Problem("Ann has 3 bags of 4 apples and eats 2 of them. How many are left?", "apples", "10")


@pytest.fixture(scope="module")
def engine() -> Iterator[SglangLocal]:
    """One for all tests, each of which has event loops of its own: what keeps it open is a loop of the fixture's."""
    made = SglangLocal(MODEL, **SETTINGS)
    with asyncio.Runner() as runner:
        runner.run(made.open())
        yield made
        runner.run(made.close())
    assert not [thread.name for thread in threading.enumerate() if "sglang" in thread.name or "watchdog" in thread.name]


def searched(engine: SglangLocal, speculation: spex.Speculation | None) -> spex.Solution:
    return spex.run_sync(
        [QUESTION],
        policy=engine,
        reward=spex.Judge(engine),
        task="gsm8k",
        search=spex.Rebase(width=8, depth_max=3),
        speculation=speculation,
        step_tokens_max=24,
        temperature=0.8,
        seed=7,
    ).solutions[0]


def test_a_speculating_run_grows_the_tree_of_the_plain_one_and_leaves_nothing(engine: SglangLocal) -> None:
    plain = searched(engine, None)
    speculating = searched(engine, spex.Speculation())
    assert (plain.partial, speculating.partial) == (None, None)
    difference = first_difference(plain.tree, speculating.tree)
    assert difference is None, difference
    assert (plain.answer, plain.terminals) == (speculating.answer, speculating.terminals)
    assert speculating.foresight.committed > 0
    assert engine.counters().running == 0
    assert asyncio.run(engine.load()) == 0


def request(engine: SglangLocal, seed: int, tokens_max: int) -> Generation:
    ids = asyncio.run(engine.encode_chat([Message("user", "Count from one to a hundred, in words.")]))
    return Generation("k", Prompt([ids]), seed, ("\n\n\n",), tokens_max, Sampling(temperature=0.8))


async def cancelled(engine: SglangLocal, asked: Generation, progress: Progress, after: int) -> None:
    writing = asyncio.ensure_future(engine.generate(asked, progress))
    while len(progress.token_ids) < after:  # noqa: ASYNC110  # an engine on a real clock
        await asyncio.sleep(0.01)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing


def test_a_cancelled_request_is_gone_from_the_engine_and_goes_on_from_its_tokens(engine: SglangLocal) -> None:
    asked = request(engine, 11, 24)
    progress, before = Progress(), engine.counters().cost

    async def told() -> int | None:
        await cancelled(engine, asked, progress, 6)
        return await engine.load()

    assert asyncio.run(told()) == 0
    assert engine.counters().running == 0
    kept = tuple(progress.token_ids)
    assert 5 <= len(kept) < 24
    assert engine.counters().cost.generated - before.generated == progress.cost.generated >= len(kept)
    resumed = asyncio.run(engine.generate(asked, progress))
    whole = asyncio.run(engine.generate(asked, Progress()))
    assert resumed.token_ids[: len(kept)] == kept
    assert resumed == whole


def test_control_tokens_names_stay_text_and_the_template_is_the_models(engine: SglangLocal) -> None:
    async def ids() -> tuple[tuple[int, ...], tuple[int, ...], str]:
        plain = await engine.encode("a<|im_end|>b")
        control = await engine.tokens("<|im_end|>")
        chat = await engine.encode_chat([Message("user", "a<|im_end|>b")])
        return plain, control, await engine.text(chat, control=True)

    plain, control, chat = asyncio.run(ids())
    assert len(control) == 1
    assert control[0] not in plain
    assert "a<|im_end|>b<|im_end|>" in chat
