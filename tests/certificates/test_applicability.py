"""What is said of a method beforehand is what the method does."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import clearance as cl
from clearance.certificates.applicability import applicable_methods
from clearance.certificates.certificate import CertificateStatus
from clearance.certificates.table import CERTIFICATES

REFUSED = (CertificateStatus.UNSUPPORTED, CertificateStatus.TOO_LARGE)


class Residual(nn.Module):
    """A hidden layer with a connection around it."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Linear(5, 5)

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.relu(self.one(x))


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "affine": lambda: nn.Sequential(nn.Linear(5, 4), nn.Linear(4, 3)),
    "one hidden layer": lambda: nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3)),
    "softplus": lambda: nn.Sequential(nn.Linear(5, 4), nn.Softplus(), nn.Linear(4, 3)),
    "two hidden layers": lambda: nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 3)),
    "tanh": lambda: nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3)),
    "residual": Residual,
    "more units than exact takes": lambda: nn.Sequential(nn.Linear(5, 129), nn.ReLU(), nn.Linear(129, 3)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_what_applies_is_what_proves(name: str):
    torch.manual_seed(0)
    model, x = cl.Classifier(NETWORKS[name]().double()), torch.rand(1, 5, dtype=torch.float64)
    found = applicable_methods(model, x)
    assert found.refusal == "" and list(found.methods) == list(CERTIFICATES)
    for method in (method for method, line in CERTIFICATES.items() if not line.package):
        (proof,) = cl.certify(model, x, method=method, time_limit=2.0)
        assert (proof.status in REFUSED) == bool(found.methods[method]), (method, proof.status, proof.reason)


def test_counts():
    network = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 7), nn.ReLU(), nn.Linear(7, 6), nn.Tanh())
    found = applicable_methods(cl.Classifier(network), torch.rand(1, 5))
    assert found.nonlinear == {"ReLU": 2, "tanh": 1} and found.units == 4 + 7 + 6


def test_every_layer_in_the_way_is_named():
    network = nn.Sequential(nn.Softmin(1), nn.Sequential(nn.Linear(5, 5), nn.Softmin(1)))
    found = applicable_methods(cl.Classifier(network), torch.rand(1, 5))
    assert found.refusal.startswith("Softmin (0)") and found.methods == {}
    assert found.unknown == ("Softmin (0)", "Softmin (1.1)")


def test_a_network_that_mixes_its_inputs_is_refused():
    found = applicable_methods(cl.Classifier(lambda x: x - x.mean(0)), torch.rand(1, 5))
    assert found.refusal and not found.methods


def test_a_scale_changes_nothing_of_what_applies():
    torch.random.manual_seed(0)
    network, x = NETWORKS["two hidden layers"](), torch.rand(1, 5)
    scaled = cl.Classifier(network, bounds=(0, 1), scale=torch.tensor([1.0, 2.0, 0.1, 30.0, 1.0]))
    assert applicable_methods(scaled, x) == applicable_methods(cl.Classifier(network, bounds=(0, 1)), x)
