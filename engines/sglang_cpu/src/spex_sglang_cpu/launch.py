"""SGLang's launcher, in processes that can import it without a GPU.

SGLang imports torchvision, whose wheel is built for CUDA: its operators cannot be loaded beside a torch for CPUs, and
it then fails to describe two of them. No text model calls one, so a declaration will do. It must stand before anything
imports torchvision, in every process: those that SGLang spawns import this module first, as their main
one (a `__main__.py` they would not).
"""

import runpy

import torch

# Kept by its name: a declaration lasts as long as its library.
OPERATORS = torch.library.Library("torchvision", "DEF")
for _name in ("nms", "qnms"):
    OPERATORS.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

if __name__ == "__main__":
    runpy.run_module("sglang.launch_server", run_name="__main__")
