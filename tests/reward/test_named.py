"""Rewards as they are spelled: --reward NAME[:FORM][@ENGINE]."""

from __future__ import annotations

from pathlib import Path

import pytest

from spex.engine.base import innermost
from spex.engine.function import FunctionPolicy
from spex.engine.retrying import Retrying
from spex.engine.sglang import Sglang
from spex.errors import InputError
from spex.reward.confidence import Confidence
from spex.reward.judge import Judge
from spex.reward.named import find_reward, named
from spex.reward.prm import Prm
from spex.reward.rubric import Rubric
from spex.reward.score_head import ScoreHead

POLICY = Retrying(FunctionPolicy(lambda prompt, seed: ""))
URL = "http://127.0.0.1:30001"


@pytest.mark.parametrize(
    ("spec", "parts"),
    [
        ("judge", ("judge", "", "")),
        (f"judge@sglang:{URL}", ("judge", "", f"sglang:{URL}")),
        (f"prm:math-shepherd-7b@sglang:{URL}", ("prm", "math-shepherd-7b", f"sglang:{URL}")),
        ("prm:/a/b.toml@llamacpp:/models/a@b.gguf", ("prm", "/a/b.toml", "llamacpp:/models/a@b.gguf")),
    ],
)
def test_a_spelling_has_one_reading(spec: str, parts: tuple[str, str, str]) -> None:
    assert named(spec) == parts


def test_a_reward_is_served_by_the_policys_engine_or_by_another() -> None:
    assert isinstance(find_reward("confidence", POLICY), Confidence)
    mine = find_reward("judge", POLICY)
    assert isinstance(mine, Judge)
    assert mine.server is POLICY
    other = find_reward(f"rubric@sglang:{URL}", POLICY)
    assert isinstance(other, Rubric)
    assert isinstance(other.server, Retrying)
    assert isinstance(innermost(other.server), Sglang)


def test_a_prm_is_of_its_forms_kind() -> None:
    with_labels = find_reward(f"prm:rlhflow-mistral-8b@sglang:{URL}", POLICY)
    assert isinstance(with_labels, Prm)
    assert with_labels.name == f"prm:rlhflow@sglang:{URL}"
    assert find_reward("prm:game24", POLICY).name == "prm:game24@llamacpp:game24-prm.gguf"  # it brings its own
    assert find_reward(f"prm:game24@sglang:{URL}", POLICY).name == f"prm:game24@sglang:{URL}"
    with_a_head = find_reward("prm:qwen2.5-math-prm-7b@vllm:http://127.0.0.1:8001", POLICY)
    assert isinstance(with_a_head, ScoreHead)
    assert with_a_head.name == "prm:qwen2.5-math-prm@vllm:http://127.0.0.1:8001"


def test_a_form_in_a_file_is_named_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("tag = '|'")
    assert find_reward(f"prm:{path}", POLICY).name == "prm:mine@function"


def test_the_policys_engine_is_shared_where_it_is_named_again() -> None:
    reward = find_reward(f"judge@sglang:{URL}", POLICY, f"sglang:{URL}")
    assert reward.server is POLICY


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("judje", "did you mean judge"),
        ("prm", "name the model or the form, and what serves it: prm:NAME@ENGINE"),
        (f"prm@sglang:{URL}", "name the model or the form"),
        ("prm:math-shepherd", ""),
        ("prm:math-sheperd", "did you mean math-shepherd"),
        (f"confidence@sglang:{URL}", "needs no engine"),
        (f"judge:{URL}", "judge@ENGINE"),
        (f"judge@sgland:{URL}", "did you mean sglang"),
        ("prm:qwen2.5-math-prm-7b", "name what serves it: .* as prm:qwen2.5-math-prm-7b@vllm:http"),
        ("judge@sglang:nowhere", "'sglang:nowhere' is not valid; it must be an address such as http://127.0.0.1:30000"),
        ("prm:qwen2.5-math-prm-7b@llamacpp:m.gguf", "served by vllm or sglang"),
        ("prm:qwen2.5-math-prm-7b@vllm", "'prm:qwen2.5-math-prm-7b@vllm' is not valid; it must be an address"),
        ("prm:qwen2.5-math-prm-7b@vllm:http://me:word@host", "reward: the address of host must hold no name"),
        (f"likelihood:contrst@sglang:{URL}", "'likelihood:contrst' is not valid; .* one of step, path, contrast"),
        ("mean(0 confidence, 1 arithmetic)", "a weight of 0 would be asked for nothing: leave it out"),
        ("", "it must be one of"),
        ("@", "it must be one of"),
    ],
)
def test_what_names_no_reward_is_refused(spec: str, told: str) -> None:
    if not told:
        assert isinstance(find_reward(spec, POLICY), Prm)
        return
    with pytest.raises(InputError, match=told) as caught:
        find_reward(spec, POLICY)
    assert caught.value.field == "reward"
