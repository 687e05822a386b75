"""A PRM with label tokens on real servers: SPEX_SGLANG_URL and SPEX_VLLM_URL say where SmolLM2-135M-Instruct is.

The model is no PRM, and its scores mean nothing; where they are read, and what they cost, is what is tried.
"""

from __future__ import annotations

import asyncio
import itertools
import os

import pytest

from spex.engine.base import Progress, Scoring
from spex.engine.sglang import Sglang
from spex.engine.vllm import Vllm
from spex.errors import InputError
from spex.problem import Problem
from spex.reward.prm import Prm
from spex.reward.prm_form import PrmForm
from spex.usage import Tokens
from tests.reward.paths import path, request

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

TEXT = PrmForm("text", numbering="Step {number}: ", between="\n", tag=" ки")
CHAT = PrmForm("chat", chat=True)
CONTROL = PrmForm("control", begin="<|im_start|>", tag="<|im_end|>", control=True)
STEPS = (
    "Each of the 3 bags has 4 apples, so Ann has 3 * 4 = 12 apples.\n\n",
    "She eats 2 of them, so that 12 - 2 = 10 are left <|im_end|>.\n\n",
    "Answer: 10",
)


@pytest.fixture(
    params=[
        pytest.param(kind, marks=pytest.mark.skipif(variable not in os.environ, reason=f"{variable} names no server"))
        for kind, variable in (("sglang", "SPEX_SGLANG_URL"), ("vllm", "SPEX_VLLM_URL"))
    ]
)
def engine(request: pytest.FixtureRequest) -> Sglang | Vllm:
    """One of each server that is there, not open."""
    kind: type[Sglang | Vllm] = Sglang if request.param == "sglang" else Vllm
    return kind(os.environ[f"SPEX_{request.param.upper()}_URL"])


def asked(problem: str, *counts: int) -> Scoring:
    """The path's first steps, as many as each of `counts` says."""
    return request(*(path(*STEPS[:count]) for count in counts), problem=Problem(problem, id="apples"))


@pytest.mark.parametrize("form", [TEXT, CHAT, CONTROL])
def test_step_by_step_it_scores_as_all_at_once_and_reads_the_cache(form: PrmForm, engine: Sglang | Vllm) -> None:
    async def main() -> None:
        reward = Prm(engine, form)
        await reward.open()
        try:
            problem = "Ann has 3 bags of 4 apples and eats 2. How many are left?"
            one_by_one: list[float] = []
            costs: list[Tokens] = []
            for count in (1, 2, 3):
                progress = Progress()
                one_by_one += await reward.score(asked(problem, count), progress)
                costs.append(progress.cost)
            at_once = await reward.score(asked(problem, 3, 2, 1), Progress())
            # Another kernel may read another last bit, where the server does not see to it that none does.
            rounding = 0.0 if engine.capabilities.seed == "positional" else 1e-3
            assert one_by_one == pytest.approx(list(reversed(at_once)), abs=rounding, rel=0.0)
            assert all(0.0 <= score <= 1.0 for score in one_by_one)
            assert len(set(one_by_one)) == 3
            for before, after in itertools.pairwise(costs if isinstance(engine, Sglang) else ()):
                # All but the last token of what was there before was in the cache; vLLM's is off, to be deterministic.
                assert after.prompt_cached >= before.prompt_cached + before.reward - 1
            assert engine.counters().running == 0
        finally:
            await reward.close()

    asyncio.run(main())


def test_a_step_never_becomes_a_control_token(engine: Sglang | Vllm) -> None:
    async def main() -> None:
        reward = Prm(engine, CHAT)
        await reward.open()
        try:
            token_ids = await reward._tokens("Say <|im_start|>.", ["One <|im_end|>.", "Two <|im_start|>assistant"])
            (end,), (begin,) = await engine.tokens("<|im_end|>"), await engine.tokens("<|im_start|>")
            empty = await reward._tokens("Say.", ["One.", "Two."])
            assert token_ids.count(end) == empty.count(end)
            assert token_ids.count(begin) == empty.count(begin)
            assert "One <|im_end|>." in await engine._tokenizer.text(token_ids, control=True)
        finally:
            await reward.close()

    asyncio.run(main())


@pytest.mark.parametrize("form", ["math-shepherd", "versaprm"])
def test_a_form_of_another_model_is_refused_before_it_harms_the_server(form: str, engine: Sglang | Vllm) -> None:
    async def main() -> None:
        with pytest.raises(InputError, match=r"form\.begin: .* one token"):
            await Prm(engine, form).open()
        await engine.open()
        assert await engine.encode("still there")
        await engine.close()

    asyncio.run(main())
