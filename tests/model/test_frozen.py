"""Whatever a network writes into its buffers, they are as they were found once a public function returns."""

import tempfile
from collections.abc import Callable
from contextlib import suppress

import pytest
import torch
from torch import Tensor, nn

import clearance as cl

X = torch.rand(2, 3, generator=torch.Generator().manual_seed(0))


class Writing(nn.Module):
    """Counts its calls in place, replaces its last input, fills a cache, and keeps running means, all in eval mode."""

    calls: Tensor
    last: Tensor
    cache: Tensor | None
    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 3)
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))
        self.register_buffer("last", torch.zeros(1, 3))
        self.register_buffer("cache", None)
        self.register_buffer("mean", torch.zeros(3), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.last = x.detach()[:1].clone()
        self.cache = torch.ones(3) if self.cache is None else self.cache
        self.mean.mul_(0.9).add_(0.1 * x.detach().mean(0))
        return self.layer(x) * self.cache


def exported(model: cl.Classifier) -> object:
    pytest.importorskip("onnxruntime", reason="needs onnx: pip install 'clearance[onnx]'")
    with tempfile.TemporaryDirectory() as folder, suppress(cl.NetworkError):  # refused: its state dict changes
        return cl.export_vnnlib(model, X, out=folder, radius=0.1)


PUBLIC: dict[str, Callable[[cl.Classifier], object]] = {
    "logits": lambda model: model.logits(X),
    "profile": lambda model: cl.clever(model, X, budget=300),
    "ball": lambda model: cl.clever(model, X, bound="ball", blocks=2, block_size=4),
    "attack": lambda model: cl.attack(model, X, budget="quick"),
    "certify": lambda model: cl.certify(model, X),
    "export_vnnlib": exported,
    "audit": lambda model: cl.audit(model, X[:1]),
    "bracket": lambda model: cl.bracket(model, X[:1], budget="quick"),
}


@pytest.mark.parametrize("name", PUBLIC)
def test_buffers_are_put_back(name: str):
    network = Writing()
    before = {key: (value, value.clone()) for key, value in network.named_buffers()}
    PUBLIC[name](cl.Classifier(network, bounds=(0, 1)))
    after = dict(network.named_buffers())
    assert list(after) == list(before) == ["calls", "last", "mean"] and network.cache is None
    assert all(after[key] is tensor and torch.equal(tensor, values) for key, (tensor, values) in before.items())


def test_buffers_are_put_back_after_a_failure():
    network = Writing()
    model = cl.Classifier(lambda x: network(x)[:, :0])
    wrapped = cl.Classifier(nn.Sequential(network, nn.Flatten(0)))
    with pytest.raises(cl.NetworkError):
        wrapped.logits(X)
    assert int(network.calls) == 0
    with pytest.raises(cl.NetworkError):  # a function hides its module: nobody can put back what it writes
        model.logits(X)
    assert int(network.calls) == 1


def test_a_call_starts_from_the_buffers_that_were_found():
    """A network whose answer depends on a counter answers a call as it answered the one before."""

    class Counting(Writing):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) + self.calls

    model = cl.Classifier(Counting())
    assert torch.equal(model.logits(X), model.logits(X))
