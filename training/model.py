"""The models' architecture: a Llama, small, with the embedding as its head."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from training.config import Shape

BEGIN_ID, END_ID, PAD_ID = 0, 1, 2


def new_model(shape: Shape, seed: int) -> LlamaForCausalLM:
    """A model that has learned nothing."""
    torch.manual_seed(seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=shape.vocabulary,
            hidden_size=shape.width,
            intermediate_size=shape.feed_forward,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            num_key_value_heads=shape.heads,
            max_position_embeddings=shape.context,
            bos_token_id=BEGIN_ID,
            eos_token_id=END_ID,
            pad_token_id=PAD_ID,
            tie_word_embeddings=True,
            attn_implementation="sdpa",
        )
    )


def saved_model(folder: Path) -> LlamaForCausalLM:
    """The model in `folder`, in float32."""
    return LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)
