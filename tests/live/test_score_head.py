"""Score heads on real servers: vLLM's `/pooling` and SGLang's `/classify` give what the model itself does.

The models have the architectures of those in use, and random weights: what is tested is how they are served and read.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterator
from math import exp
from pathlib import Path
from typing import NamedTuple

import pytest

import spex
from engines.run import served
from engines.serving import MODEL, Kind
from spex.engine.base import Path as StepPath
from spex.engine.base import Progress, Scoring
from spex.problem import Problem
from spex.prompt import Prompt
from spex.reward.prm_catalog import prm_model
from spex.reward.score_head import ScoreHead
from spex.tree import Step
from tests.live.servers import at_work, folder_of, kinds

ROOT = Path(__file__).resolve().parents[2]
UP_SECONDS = 600.0
PROBLEM = "Ann has 3 boxes of 4 pens. She gives 5 pens away. How many pens has she now?"
STEPS = ("She has 3 * 4 = 12 pens.", "Then 12 - 5 = 7 pens are left.", "The answer is 7.")
SYSTEM = "Please reason step by step, and put your final answer within \\boxed{}."
CHAT = f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n{PROBLEM}<|im_end|>\n<|im_start|>assistant\n"
PATHS = [STEPS[:count] for count in (1, 2, 3)]
# As each form lays a path out, in pieces.
PROMPTS = {
    "qwen2.5-math-prm-7b": [[CHAT, *(piece for step in steps for piece in (step, "<extra_0>"))] for steps in PATHS],
    "qwen2.5-math-rm-72b": [
        [CHAT, steps[0], *(piece for step in steps[1:] for piece in ("\n\n", step)), "<|im_end|>\n"] for steps in PATHS
    ],
}
OUTPUTS = {"qwen2.5-math-prm-7b": 2, "qwen2.5-math-rm-72b": 1}
TAG = "49152"  # the tag's token in the tokenizer that is used here; the real model's is vLLM's default
# What one card cannot hold is spread over four; not this one.
NOT_HERE = ("--tensor-parallel-size", "--tp-size", "4")

pytestmark = [pytest.mark.live, pytest.mark.faults, pytest.mark.timeout(1800)]
pytest.importorskip("xllamacpp")


class Head(NamedTuple):
    """A server of a score head, as engines are named; what the model says of each of PATHS."""

    model: str
    server: str
    scores: list[float]


@pytest.fixture(params=list(OUTPUTS), scope="module")
def model(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(params=kinds(), scope="module")
def head(request: pytest.FixtureRequest, model: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Head]:
    kind: Kind = request.param
    recipe = prm_model(model).vllm if kind == "vllm" else prm_model(model).sglang
    if isinstance(recipe, str):
        pytest.skip(f"{kind}: {recipe}")
    folder, made = Path(folder_of(kind)), tmp_path_factory.mktemp("head") / model
    scores = made_model(folder, made, model)
    own = tuple(flag for flag in recipe if flag not in NOT_HERE)
    if kind == "vllm" and OUTPUTS[model] == 2:
        own += ("--pooler-config.step_tag_id", TAG)
    with served(kind, folder, "reward", 0, ("--model", str(made), "--dtype", "float32", *own)) as server:
        server.wait(UP_SECONDS)
        yield Head(model, f"{kind}:{server.url}", scores)


def made_model(folder: Path, made: Path, model: str) -> list[float]:
    """The scores of PATHS by the model itself, made in `made`."""
    command = (folder / "venv/bin/python", ROOT / "engines/make_head_model.py", folder / MODEL, made)
    asked = json.dumps(PROMPTS[model])
    done = subprocess.run([*command, str(OUTPUTS[model])], input=asked, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    last = [rows[-1] for rows in json.loads(done.stdout)]
    return [row[1] if len(row) == 2 else 1.0 / (1.0 + exp(-row[0])) for row in last]


def test_a_path_scores_what_the_model_itself_gives_for_its_last_step(head: Head) -> None:
    async def main() -> list[float]:
        reward = ScoreHead(head.server, head.model)
        await reward.open()
        try:
            found = await asyncio.gather(*(scored(reward, steps) for steps in PATHS))
            assert found[0] == await scored(reward, PATHS[0])
            return found
        finally:
            await reward.close()

    assert len(set(head.scores)) == 3
    assert asyncio.run(main()) == pytest.approx(head.scores, rel=1e-3)


async def scored(reward: ScoreHead, steps: tuple[str, ...]) -> float:
    path = StepPath(Prompt([(1,)]), tuple(Step(text) for text in steps))
    (score,) = await reward.score(Scoring("k", Problem(PROBLEM), (path,), "", 0), Progress())
    return score


def test_a_search_is_judged_by_it_and_leaves_nothing_running(head: Head) -> None:
    run = spex.run_sync(
        [PROBLEM],
        policy="llamacpp",
        reward=f"prm:{head.model}@{head.server}",
        task="gsm8k",
        search=spex.Rebase(width=4, depth_max=3),
        step_tokens_max=32,
    )
    (solution,) = run.solutions
    assert (solution.partial, solution.error) == (None, None)
    scores = [value for values in solution.tree.scores.values() for value in values]
    assert scores
    assert all(0.0 <= value <= 1.0 for value in scores)
    assert len(set(scores)) > 1
    assert at_work(head.server) == 0
