"""Two operators of torchvision, defined where it does not import beside this build of torch, as `onnx2torch` needs."""

import torch
from torch.library import Library

_BOXES = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_DEFINED: list[Library] = []
"""The library lives as long as its operators are wanted."""


def define_torchvision_operators() -> None:
    """Define `torchvision::nms` and `torchvision::qnms` unless they are there: before torchvision is imported."""
    if _DEFINED or hasattr(torch.ops.torchvision, "nms"):
        return
    library = Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}{_BOXES}")
    _DEFINED.append(library)
