"""The models that come with the package, in Hugging Face's transformers, where that and torch are installed."""

from __future__ import annotations

import pytest

from spex.engine.local_model import PACKAGED, packaged_folder
from tests.models.llama import next_chances

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

MESSAGES = [{"role": "user", "content": "4 9 10 13"}]
PLAY = "13 - 9 = 4 (left: 4 4 10)\n"


@pytest.mark.parametrize("name", PACKAGED)
def test_a_model_loads_by_the_classes_for_any_model_and_says_what_its_weights_say(name: str) -> None:
    folder = packaged_folder(name)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    text = tokenizer.apply_chat_template(MESSAGES, tokenize=False) + PLAY
    token_ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(token_ids) == text
    with torch.inference_mode():
        chances = torch.softmax(model(torch.tensor([token_ids])).logits[0, -1].double(), -1)
    assert chances.tolist() == pytest.approx(list(next_chances(folder, token_ids)), rel=1e-3, abs=1e-7)


def test_the_policy_writes_three_moves_and_the_end() -> None:
    folder = packaged_folder("game24-policy")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    asked = tokenizer(tokenizer.apply_chat_template(MESSAGES, tokenize=False), add_special_tokens=False)
    written = model.generate(torch.tensor([asked["input_ids"]]), do_sample=False, max_new_tokens=80)[0]
    lines = tokenizer.decode(written, skip_special_tokens=True).strip().splitlines()[1:]
    assert [line.count("(left:") for line in lines[:3]] == [1, 1, 1]
