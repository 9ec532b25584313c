"""Where a network is computed: the same numbers in a copy, and one line where there can be none."""

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, spectral_norm, weight_norm

from clearance.errors import DtypeError, InputError, NetworkError
from clearance.model.classifier import Classifier
from clearance.model.placement import best_device, choose_placement, without_values

X = torch.linspace(-1, 1, 6).reshape(2, 3)


def linear() -> nn.Linear:
    layer = nn.Linear(3, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, 2.0, 3.0], [-1.0, 0.5, 4.0]]))
        layer.bias.zero_()
    return layer


NORMALISED: dict[str, Callable[[nn.Linear], nn.Module]] = {
    "weight_norm": weight_norm,
    "spectral_norm": spectral_norm,
    "parametrised weight_norm": parametrizations.weight_norm,
    "parametrised spectral_norm": parametrizations.spectral_norm,
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("called", [False, True], ids=["fresh", "after a forward pass"])
@pytest.mark.parametrize("name", NORMALISED)
def test_normalised_layers_are_copied_into_another_precision(name: str, called: bool):
    network = nn.Sequential(NORMALISED[name](linear()))
    if called:
        network(X)
    expected = Classifier(network).logits(X)
    found = Classifier(network, dtype=torch.float64).logits(X.double())
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, expected.double(), rtol=1e-6, atol=1e-6)  # rounding of float32
    assert {value.dtype for value in network.state_dict().values()} == {torch.float32}


def test_what_cannot_be_copied_is_one_line():
    class Locked(nn.Linear):
        def __deepcopy__(self, memo: object):
            raise TypeError("a handle\nthat cannot be copied")

    message = r"^network: expected a module that can be copied and moved to float64 on cpu, got TypeError: a handle"
    with pytest.raises(NetworkError, match=message):
        Classifier(Locked(3, 2), dtype=torch.float64)


def test_a_tensor_of_a_graph_in_a_list_cannot_be_copied():
    network = linear()
    network.kept = [network.weight * 2]  # pyright: ignore[reportArgumentType]
    with pytest.raises(NetworkError, match="can be copied and moved to float64 on cpu, got RuntimeError: Only Tensors"):
        Classifier(network, dtype=torch.float64)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (nn.LazyLinear(2), "got one without: weight of a lazy layer has no shape yet; call the network once"),
        (nn.Linear(3, 2, device="meta"), "got one without: weight lies on the device 'meta'"),
        (nn.BatchNorm1d(3, affine=False, device="meta"), "got one without: running_mean lies on the device 'meta'"),
    ],
)
def test_networks_without_values(network: nn.Module, message: str):
    assert without_values(network)
    with pytest.raises(InputError, match=message):
        Classifier(network)
    assert without_values(linear()) == ""


def test_sparse_parameters_and_a_device_without_values():
    network = linear()
    network.weight = nn.Parameter(network.weight.detach().to_sparse(), requires_grad=False)
    with pytest.raises(InputError, match=r"expected dense parameters, got weight of layout torch\.sparse_coo"):
        choose_placement(network, None, None)
    with pytest.raises(InputError, match="device: expected a device that computes, such as cpu, got 'meta'"):
        Classifier(linear(), device="meta")


def test_the_best_device_is_the_first_that_is_here(monkeypatch: pytest.MonkeyPatch):
    here = {"cuda": False, "mps": False}
    monkeypatch.setattr("torch.cuda.is_available", lambda: here["cuda"])
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: here["mps"])
    assert best_device().type == "cpu"
    here["mps"] = True
    assert best_device().type == "mps" and best_device(torch.float64).type == "cpu"
    here["cuda"] = True
    assert best_device().type == best_device(torch.float64).type == "cuda"


def test_auto_is_the_best_device(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("clearance.model.placement.best_device", lambda dtype: torch.device("cpu"))
    assert Classifier(linear(), device="auto").device.type == "cpu"


def test_mps_has_no_float64(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("clearance.model.placement._existing", torch.device)
    with pytest.raises(DtypeError, match=r"expected torch.float32 on mps, which has no float64"):
        choose_placement(linear(), "mps", torch.float64)
    assert choose_placement(linear(), "mps", None).dtype == torch.float32
