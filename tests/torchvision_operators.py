"""Two operators of torchvision, defined where it does not import beside this build of torch, as `onnx2torch` needs."""

import importlib
import sys

import torch
from torch.library import Library

_BOXES = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_DEFINED: list[Library] = []
"""The library lives as long as its operators are wanted."""


def define_torchvision_operators() -> None:
    """Define `torchvision::nms` and `torchvision::qnms`, where torchvision does not bring them: to define them twice
    ends the process."""
    if _DEFINED or hasattr(torch.ops.torchvision, "nms") or _imports():
        return
    library = Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}{_BOXES}")
    _DEFINED.append(library)


def _imports() -> bool:
    """Whether torchvision imports as it is; a half-finished import is forgotten."""
    try:
        importlib.import_module("torchvision")
    except (ImportError, RuntimeError):
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        return False
    return True
