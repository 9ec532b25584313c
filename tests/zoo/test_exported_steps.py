"""Steps of exported programs as ordinary modules."""

import copy
import io
import pickle

import pytest
import torch
from torch import Tensor, fx, nn

from clearance.errors import FileError
from clearance.zoo.exported_steps import as_module


def exported(network: nn.Module, *inputs: Tensor) -> fx.GraphModule:
    stream = io.BytesIO()
    torch.export.save(torch.export.export(network, inputs), stream)
    stream.seek(0)
    return torch.export.load(stream).module(check_guards=False)


def test_an_ordinary_module():
    network, x = nn.Sequential(nn.Linear(2, 3), nn.ReLU()), torch.tensor([[1.0, -2.0]])
    found = as_module(exported(network, x))
    assert torch.equal(found(x), network(x)) and not found.eval().training and found.train().training
    for other in (copy.deepcopy(found), pickle.loads(pickle.dumps(found)), fx.symbolic_trace(found)):
        assert torch.equal(other(x), network(x))
    assert not any(value.requires_grad for value in found.parameters())
    assert {name for name, _ in found.named_parameters()} == {"0.weight", "0.bias"}


@pytest.mark.parametrize("layer", [nn.Dropout(), nn.BatchNorm1d(2)], ids=["dropout", "batch norm"])
def test_training_mode_is_refused(layer: nn.Module):
    x = torch.ones(3, 2)
    as_module(exported(layer.eval(), x))
    with pytest.raises(FileError, match=r"got \w+ in training mode; call network\.eval\(\)"):
        as_module(exported(layer.train(), x))


def test_two_inputs_are_refused():
    with pytest.raises(FileError, match="expected a network of one input, got one of 2"):
        as_module(exported(nn.Bilinear(2, 2, 2), torch.ones(1, 2), torch.ones(1, 2)))
