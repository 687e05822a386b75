"""Makes a small Qwen2 with a score head and random weights, and says what it gives for prompts: a known answer.

usage: make_head_model.py TOKENIZER FOLDER OUTPUTS < PROMPTS     (by the interpreter that has torch and transformers)

TOKENIZER: a folder with the tokenizer to take, to which the step tag is added. FOLDER: where the model is made. With
two OUTPUTS it is a process reward model, with one an outcome reward model, of the architectures that servers know.
PROMPTS: a list as JSON, each in the pieces that are read one by one. A list is printed: for each prompt the numbers at
each tag (of two: the chances), or the one at its last token (the logit).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoTokenizer, PreTrainedTokenizerBase, Qwen2Config, Qwen2Model

TAG = "<extra_0>"
_ARCHITECTURES = {1: "Qwen2ForRewardModel", 2: "Qwen2ForProcessRewardModel"}
_HIDDEN = 128
_SPREAD = 3.0  # of the weights: scores that differ from text to text by more than what two engines round


def main(tokenizer_folder: str, made: Path, outputs: int) -> None:
    """Write the model, and print what it gives for the prompts of standard input."""
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    tokenizer.add_special_tokens({"additional_special_tokens": [TAG]})
    torch.manual_seed(outputs)
    model, head = network(len(tokenizer), outputs)
    made.mkdir(parents=True)
    tokenizer.save_pretrained(made)
    model.config.architectures = [_ARCHITECTURES[outputs]]
    model.config.save_pretrained(made)
    weights = {f"model.{name}": value for name, value in model.state_dict().items()}
    weights |= {f"score.{name}": value for name, value in head.state_dict().items()}
    save_file(weights, made / "model.safetensors", metadata={"format": "pt"})
    print(json.dumps([numbers(model, head, tokenizer, pieces) for pieces in json.load(sys.stdin)]))


def network(vocabulary: int, outputs: int) -> tuple[Qwen2Model, torch.nn.Sequential]:
    config = Qwen2Config(
        vocab_size=-(-vocabulary // 64) * 64,
        hidden_size=_HIDDEN,
        intermediate_size=2 * _HIDDEN,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=2048,
        initializer_range=_SPREAD / _HIDDEN**0.5,
        dtype=torch.float32,
    )
    linear, ends = torch.nn.Linear(_HIDDEN, _HIDDEN), torch.nn.Linear(_HIDDEN, outputs)
    return Qwen2Model(config).eval(), torch.nn.Sequential(linear, torch.nn.ReLU(), ends)


def numbers(
    model: Qwen2Model, head: torch.nn.Sequential, tokenizer: PreTrainedTokenizerBase, pieces: list[str]
) -> list[list[float]]:
    """What the head says of a prompt, where it is read."""
    read = [tokenizer(piece, add_special_tokens=False)["input_ids"] for piece in pieces]
    token_ids = torch.tensor([[token for piece in read for token in piece]])
    with torch.no_grad():
        found = head(model(token_ids).last_hidden_state)[0]
    if found.shape[1] == 1:
        return found[-1:].tolist()
    return found[token_ids[0] == tokenizer.convert_tokens_to_ids(TAG)].softmax(-1).tolist()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
