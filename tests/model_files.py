"""One small CNN in every kind of file that a model comes in, and tiny folders of transformers, for any test."""

import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from clearance.zoo.loaded import methods_of_modules_kept
from clearance.zoo.networks import initialise
from torchvision_operators import define_torchvision_operators

SHAPE, CLASSES = (1, 8, 8), 10
"""Of one input, and how many classes: those of the digits."""

FACTORY = """
from torch import nn


def make(width=4):
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(16 * width, 10)
    )
"""
"""A module of the user's."""


def small_cnn() -> nn.Sequential:
    """The network of all of these files, with weights from a seed."""
    layers = (nn.Conv2d(1, 4, 3, padding=1, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(64, CLASSES))
    return initialise(nn.Sequential(*layers), seed=0).eval()


def write_model_files(folder: Path, network: nn.Module | None = None) -> Mapping[str, dict[str, str]]:
    """Write the network in each kind of file.

    Args:
        folder: Where.
        network: Another network than `small_cnn`, of the same layers.

    Returns:
        What each file is called -> the arguments of `load_model` that make the network of it: `spec`, and `weights`
        where there are any.
    """
    network = small_cnn() if network is None else network
    factory = folder / "small_cnn_file.py"
    factory.write_text(FACTORY)
    save_file({name: value.clone() for name, value in network.state_dict().items()}, folder / "w.safetensors")
    torch.save({"state_dict": network.state_dict(), "epoch": 3}, folder / "w.pth")
    found = {name: {"spec": f"{factory}:make", "weights": str(folder / name)} for name in ("w.safetensors", "w.pth")}
    for name, write in {"pt2": write_exported, "onnx": write_onnx}.items():
        for batch in ("any", "one"):
            file = folder / f"{batch}.{name}"
            write(network, file, fixed=batch == "one")
            found[file.name] = {"spec": str(file)}
    return found


def write_exported(network: nn.Module, file: Path, *, fixed: bool) -> None:
    """Write `.pt2`, for batches of one or of any size."""
    sizes = None if fixed else ({0: torch.export.Dim("batch", min=1)},)
    x = torch.zeros(1 if fixed else 2, *SHAPE)
    torch.export.save(torch.export.export(network, (x,), dynamic_shapes=sizes), file)


def write_onnx(network: nn.Module, file: Path, *, fixed: bool) -> None:
    """Write `.onnx` as torch's older exporter does, for batches of one or of any size."""
    define_torchvision_operators()
    axes = None if fixed else {"x": {0: "batch"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(network, (torch.zeros(1, *SHAPE),), file, dynamo=False, input_names=["x"], dynamic_axes=axes)


def write_vision_transformer(folder: Path) -> nn.Module:
    """Write a tiny vision transformer for 8 × 8 pictures with its image processor, and return it."""
    define_torchvision_operators()
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

    settings = ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=8,
        patch_size=4,
        num_channels=1,
        id2label={index: f"digit {index}" for index in range(CLASSES)},
        attn_implementation="eager",
    )
    with torch.random.fork_rng(devices=[]), methods_of_modules_kept():
        torch.manual_seed(0)
        network = ViTForImageClassification(settings).eval()
    network.save_pretrained(folder)
    ViTImageProcessor(size={"height": 8, "width": 8}, image_mean=[0.5], image_std=[0.25]).save_pretrained(folder)
    return network


def write_residual_network(folder: Path) -> nn.Module:
    """Write a tiny ResNet for colour pictures with ConvNeXt's image processor, and return it."""
    define_torchvision_operators()
    from transformers import ConvNextImageProcessor, ResNetConfig, ResNetForImageClassification

    settings = ResNetConfig(
        num_channels=3, embedding_size=8, hidden_sizes=[8, 8], depths=[1, 1], num_labels=3, layer_type="basic"
    )
    with torch.random.fork_rng(devices=[]), methods_of_modules_kept():
        torch.manual_seed(0)
        network = ResNetForImageClassification(settings).eval()
    network.save_pretrained(folder)
    ConvNextImageProcessor(size={"shortest_edge": 224}, image_mean=[0.5, 0.4, 0.3]).save_pretrained(folder)
    return network
