"""One network in every kind of file: its bracket is that of its eager form, certificate, estimate and witness."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import clearance as cl
from clearance import datasets
from clearance.model.preprocessing import Normalize
from clearance.training import TrainingSettings, train
from clearance.zoo.specs import load_model
from model_files import small_cnn, write_model_files, write_residual_network, write_vision_transformer

FILES = ("w.safetensors", "w.pth", "any.pt2", "one.pt2", "any.onnx", "one.onnx")
EQUAL = 1e-4
"""Relative: other code for the same layers rounds differently, and a search may take another turn."""


def brackets(network: nn.Module, x: Tensor, norm: float, preprocessing: nn.Module | None = None) -> list[cl.Bracket]:
    model = cl.Classifier(network, (0, 1), preprocessing=preprocessing)
    return cl.bracket(model, x, norm=norm, target="runner-up", budget=1500, time_limit=60)


def numbers(found: list[cl.Bracket]) -> list[float]:
    assert all(one.certified is not None and one.certified.status.has_radius for one in found)
    return [number for one in found for number in (one.lower, one.estimated.radius, one.attacked.distance)]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[nn.Module, Mapping[str, dict[str, str]]]:
    network = small_cnn()
    data = datasets.load("digits", train=True)
    settings = TrainingSettings(epochs=3, batch_size=64, learning_rate=3e-3)
    train(network, data.images, data.labels, settings=settings)
    return network.eval(), write_model_files(tmp_path_factory.mktemp("files"), network)


@pytest.fixture(scope="module")
def expected(files: tuple[nn.Module, Mapping[str, dict[str, str]]]) -> dict[float, list[float]]:
    x = datasets.load("digits", count=2).images
    return {norm: numbers(brackets(files[0], x, norm)) for norm in (2.0, float("inf"))}


@pytest.mark.parametrize("norm", [2.0, float("inf")])
@pytest.mark.parametrize("name", FILES)
@pytest.mark.thinned(4)
def test_a_file_gives_the_bracket_of_its_eager_form(
    name: str, norm: float, files: tuple[nn.Module, Mapping[str, dict[str, str]]], expected: dict[float, list[float]]
):
    loaded = load_model(**files[1][name])  # pyright: ignore[reportArgumentType]
    x = datasets.load("digits", count=2).images
    assert numbers(brackets(loaded.network, x, norm, loaded.preprocessing)) == pytest.approx(expected[norm], rel=EQUAL)


@pytest.mark.parametrize("kind", ["vision transformer", "residual network"])
@pytest.mark.slow
def test_a_folder_of_transformers_gives_the_bracket_of_its_eager_form(kind: str, tmp_path: Path):
    write, shape, mean, std = {
        "vision transformer": (write_vision_transformer, (1, 8, 8), [0.5], [0.25]),
        "residual network": (write_residual_network, (3, 16, 16), [0.5, 0.4, 0.3], [0.5, 0.5, 0.5]),
    }[kind]
    network = write(tmp_path)
    loaded = load_model(f"hf:{tmp_path}")
    x = torch.rand(2, *shape, generator=torch.Generator().manual_seed(0))
    eager = brackets(network, x, 2.0, Normalize(mean, std))
    assert numbers(brackets(loaded.network, x, 2.0, loaded.preprocessing)) == pytest.approx(numbers(eager), rel=EQUAL)
