"""From a network to a graph: the same answers, and a name for everything that is not known."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from certificate_cases import IMAGE, NETWORKS, head, images, model_of
from clearance import Classifier, certify
from clearance.certificates.operations import NotSupportedError
from clearance.certificates.translate import translate

each = pytest.mark.parametrize("name", NETWORKS)


@each
def test_the_graph_answers_as_the_network(name: str):
    model, x = model_of(name), images(5)
    graph = translate(model, IMAGE)
    assert torch.allclose(graph(x), model.logits(x), atol=2e-8)


class Raises(nn.Module):
    """A head of 4 logits after one step."""

    def __init__(self, step: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.step, self.linear = step, nn.Linear(72, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.step(x).flatten(1))


def hooked() -> nn.Module:
    network = head(nn.ReLU(), features=72)
    network[0].register_forward_hook(lambda *_: None)
    return network


def reused_in_place(x: Tensor) -> Tensor:
    x = x * 1.0
    return functional.relu(x, inplace=True) + x


UNSUPPORTED: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "layer": (lambda: head(nn.ReLU(), nn.Softmin(1), features=72), "Softmin (1)"),
    "nested layer": (lambda: nn.Sequential(nn.Sequential(nn.LPPool2d(2, 1)), head(features=72)), "LPPool2d (0.0)"),
    "function": (lambda: Raises(torch.sin), "sin"),
    "remainder": (lambda: Raises(lambda x: x % 2.0), "mod"),
    "control flow": (lambda: Raises(lambda x: x if x.sum() > 0 else -x), "cannot be recorded"),
    "random": (lambda: Raises(lambda x: x + torch.randn(6)), "random numbers"),
    "hooks": (hooked, "forward hooks"),
    "mixes the batch": (lambda: Raises(lambda x: x - x.mean((0,), keepdim=True)), "mean"),
    "batch statistics": (lambda: head(nn.BatchNorm2d(2, track_running_stats=False), features=72), "BatchNorm2d (0)"),
    "negative alpha": (lambda: head(nn.CELU(-1.0), features=72), "CELU (0)"),
    "circular padding": (lambda: head(nn.Conv2d(2, 3, 3, padding_mode="circular"), features=48), "Conv2d (0)"),
    "power pooling": (lambda: head(nn.LPPool2d(2, 3), features=8), "LPPool2d (0)"),
    "constant": (lambda: Raises(lambda x: torch.ones(len(x), 72, dtype=x.dtype)), ""),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_what_is_not_supported_is_named_and_has_no_radius(name: str):
    make, said = UNSUPPORTED[name]
    torch.manual_seed(0)
    network = make().double()
    (proof,) = certify(Classifier(network, (0, 1)), images(1))
    assert proof.status == "unsupported"
    assert said in proof.reason
    assert math.isnan(proof.radius) and proof.as_record()["radius"] is None


@pytest.mark.parametrize("step", [Tensor.detach, reused_in_place])
def test_what_only_a_record_can_follow_is_proved(step: Callable[[Tensor], Tensor]):
    torch.manual_seed(0)
    model = Classifier(Raises(step).double(), (0, 1))
    assert torch.allclose(translate(model, (2, 6, 6))(images(3)), model.logits(images(3)))


def test_a_network_that_answers_otherwise_than_its_trace_is_refused():
    two_faced = Raises(lambda x: x * (1.0 if isinstance(x, Tensor) else 1.01)).double()
    (proof,) = certify(Classifier(two_faced), images(1))
    assert proof.status == "unsupported"
    assert "logits differ" in proof.reason


def test_a_device_without_float64_is_refused(monkeypatch: pytest.MonkeyPatch):
    model = Classifier(nn.Linear(3, 2))
    monkeypatch.setattr(model, "device", torch.device("mps"))
    with pytest.raises(NotSupportedError, match="float64"):
        translate(model, (3,))
