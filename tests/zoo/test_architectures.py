"""Architectures of torchvision and timm: random or filled, never downloaded."""

import socket
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from clearance.errors import FileError, InputError
from clearance.zoo.specs import load_model
from torchvision_operators import define_torchvision_operators

define_torchvision_operators()
SMALLEST = {"torchvision": "torchvision:squeezenet1_1", "timm": "timm:test_resnet"}


@pytest.fixture(autouse=True)
def without_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise AssertionError("a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.mark.parametrize("spec", SMALLEST.values())
def test_random_values_are_the_same_each_time_and_are_said(spec: str):
    before = torch.random.get_rng_state()
    one, two = (load_model(spec, model_args={"num_classes": 7}) for _ in range(2))
    assert torch.equal(before, torch.random.get_rng_state())
    x = torch.zeros(1, 3, 64, 64)
    assert torch.equal(one.network(x), two.network(x)) and one.network(x).shape == (1, 7)
    assert "values are random (seed 0): give --weights FILE" in one.notes[0] and one.weights is None
    assert "want --mean" in one.notes[1] and one.preprocessing is None


@pytest.mark.parametrize("spec", SMALLEST.values())
def test_values_from_a_file(here: Path, spec: str):
    network = load_model(spec).network
    with torch.no_grad():
        for value in network.parameters():
            value.mul_(0.5)
    save_file({name: value.clone() for name, value in network.state_dict().items()}, "w.safetensors")
    loaded, x = load_model(spec, weights="w.safetensors"), torch.ones(1, 3, 64, 64)
    assert torch.equal(loaded.network(x), network.eval()(x)) and loaded.weights == Path("w.safetensors")
    assert not any("random" in note for note in loaded.notes)
    save_file({"other": torch.ones(1)}, "w.safetensors")
    with pytest.raises(FileError, match="the weights are of another network"):
        load_model(spec, weights="w.safetensors")


def test_timm_knows_the_size_of_its_pictures():
    loaded = load_model("timm:test_resnet")
    assert (loaded.image_size, loaded.input_shape) == ((160, 160), (3, 160, 160))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("torchvision:resnt18", r"expected one of \d+ names for torchvision:resnt18, such as .*; near: resnet18"),
        ("torchvision:fasterrcnn_resnet50_fpn", "expected one of"),  # no classifier
        ("timm:resnet10", ".*near: .*resnet10t"),
        ("timm:hf-hub:timm/resnet18.a1_in1k", "expected one of"),  # would be downloaded
        ("timm:hf_hub:timm/resnet18.a1_in1k", "expected one of"),
    ],
)
def test_unknown_names(spec: str, message: str):
    with pytest.raises(InputError, match=f"model: {message}") as caught:
        load_model(spec)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("spec", SMALLEST.values())
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pretrained": True}, "pretrained would bring values from elsewhere"),
        ({"weights": "DEFAULT"}, "weights would bring"),
        ({"checkpoint_path": "x.pth"}, "checkpoint_path would bring"),
        ({"no_such_argument": 3}, "making .* failed: TypeError"),
        ({"num_classes": "many"}, "making .* failed"),
    ],
)
def test_arguments(spec: str, arguments: dict[str, object], message: str):
    with pytest.raises(InputError, match=message) as caught:
        load_model(spec, model_args=arguments)
    assert "\n" not in str(caught.value)
