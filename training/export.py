"""Writes the models as they are shipped: `python -m training.export FOLDER TO`.

TO/game24-policy and TO/game24-prm get what Hugging Face's libraries, vLLM and SGLang load, a GGUF file for llama.cpp of
the same float16 weights, and the card.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from training.cards import card
from training.model import BEGIN_ID, END_ID, PAD_ID, saved_model
from training.tokenizer import BEGIN, END, PAD

MODELS = {"policy": "policy", "prm": "own"}  # and the last course of each
TEMPLATE = (
    "{% if messages|length != 1 %}"
    "{{ raise_exception('This model reads a puzzle alone, without instructions or examples.') }}"
    "{% endif %}{{ bos_token + messages[0]['content'] + '\\n' }}"
)
_PERMUTED = ("attn_q", "attn_k")


def main(folder: Path, made: Path) -> None:
    for name, course in MODELS.items():
        target = made / f"game24-{name}"
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        model = saved_model(folder / course).half()
        model.save_pretrained(target)
        _tokenizer(folder / "tokenizer.json", model).save_pretrained(target)
        _name_as_before(target / "tokenizer_config.json")
        write_gguf(model, folder / "tokenizer.json", target / f"game24-{name}.gguf")
        (target / "README.md").write_text(card(name, folder))
        for file in target.iterdir():
            file.chmod(0o644)


def _tokenizer(file: Path, model: LlamaForCausalLM) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(
        tokenizer_file=str(file),
        bos_token=BEGIN,
        eos_token=END,
        pad_token=PAD,
        chat_template=TEMPLATE,
        clean_up_tokenization_spaces=False,
        model_max_length=model.config.max_position_embeddings,
    )


def _name_as_before(file: Path) -> None:
    """The class has another name in transformers 5, which transformers 4 does not know; both know this one."""
    told = json.loads(file.read_text())
    told.pop("backend", None)
    file.write_text(json.dumps(told | {"tokenizer_class": "PreTrainedTokenizerFast"}, indent=2) + "\n")


def write_gguf(model: LlamaForCausalLM, tokenizer: Path, file: Path) -> None:
    """The model and its tokenizer in one file, matrices in float16 and norms in float32."""
    config = model.config
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_name(file.stem)
    writer.add_license("apache-2.0")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_dimension_count(config.hidden_size // config.num_attention_heads)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_vocab_size(config.vocab_size)
    _add_vocabulary(writer, json.loads(tokenizer.read_text())["model"])
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    for name, value in model.state_dict().items():
        if name == "lm_head.weight":  # the embedding once more
            continue
        place = names.get_name(name, try_suffixes=(".weight",))
        weights = value.float().numpy()
        if any(part in place for part in _PERMUTED):
            weights = permuted(weights, config.num_attention_heads)
        writer.add_tensor(place, weights.astype(np.float16 if weights.ndim == 2 else np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_vocabulary(writer: gguf.GGUFWriter, bpe: Mapping[str, Any]) -> None:
    words = sorted(bpe["vocab"], key=bpe["vocab"].get)
    kinds = [gguf.TokenType.CONTROL if word in (BEGIN, END, PAD) else gguf.TokenType.NORMAL for word in words]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(words)
    writer.add_token_types(kinds)
    writer.add_token_merges([" ".join(pair) for pair in bpe["merges"]])
    writer.add_bos_token_id(BEGIN_ID)
    writer.add_eos_token_id(END_ID)
    writer.add_pad_token_id(PAD_ID)
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)


def permuted(weights: np.ndarray, heads: int) -> np.ndarray:
    """The rows of a query or key matrix in llama.cpp's order: it turns neighbours where Hugging Face turns halves."""
    rows, columns = weights.shape
    return weights.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
