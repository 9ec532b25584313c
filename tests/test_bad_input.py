"""Misuse of the library: an error of the right kind that says what was expected and what came. And nothing changed."""

import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import clearance as cl

X = torch.tensor([[0.9, 0.2, 0.1], [0.2, 0.8, 0.1]])


def linear() -> nn.Linear:
    network = nn.Linear(3, 3, bias=False)
    with torch.no_grad():
        network.weight.copy_(torch.eye(3))
    return network


def answering(function: Callable[[Tensor], Any]) -> cl.Classifier:
    """A classifier whose network is one function."""
    return cl.Classifier(function, bounds=(0, 1))


def refused(kind: type[Exception], expected: str, call: Callable[[], object]) -> None:
    """The call raises this kind, as a ClearanceError, with one line that says what was expected and what came."""
    with pytest.raises(kind, match=expected) as caught:
        call()
    assert isinstance(caught.value, cl.ClearanceError)
    assert "expected" in str(caught.value) and "got" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("x", "kind", "message"),
    [
        (X[0], cl.ShapeError, r"expected \(batch, \*input\) .* got shape \(3,\)"),
        (X[:0], cl.ShapeError, r"at least one input, got shape \(0, 3\)"),
        (torch.zeros(2, 0), cl.ShapeError, r"got shape \(2, 0\)"),
        (torch.tensor(0.5), cl.ShapeError, r"got shape \(\)"),
        (X[:, :2], cl.NetworkError, r"to take inputs of shape \(2,\), got its error: mat1 and mat2"),
        ((X * 255).to(torch.uint8), cl.DtypeError, r"expected a floating dtype, got torch\.uint8 \(divide"),
        (X.long(), cl.DtypeError, r"got torch\.int64"),
        (X.to(torch.complex64), cl.DtypeError, r"got torch\.complex64"),
        (X > 0, cl.DtypeError, r"got torch\.bool"),
        (X.numpy(), cl.DtypeError, "expected a floating torch tensor, got ndarray"),
        (X.tolist(), cl.DtypeError, "got list"),
        (
            torch.tensor([[0.1, 0.2, 0.3], [math.nan, 0, 0]]),
            cl.InputError,
            r"expected finite values, got NaN .* inputs 1",
        ),
        (torch.tensor([[math.inf, 0.2, 0.3]]), cl.InputError, r"expected finite values, got .* inputs 0"),
        (X * 2, cl.BoundsError, r"expected values in \[0, 1\], got \[0\.2, 1\.8\] \(inputs 0, 1\)"),
        (X - 0.5, cl.BoundsError, r"expected values in \[0, 1\], got \[-0\.4, "),
    ],
)
def test_inputs(x: Any, kind: type[Exception], message: str):
    refused(kind, message, lambda: cl.clever(cl.Classifier(linear(), bounds=(0, 1)), x))


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"labels": [0]}, cl.ShapeError, r"labels: expected one per input \(2\), got 1"),
        ({"labels": torch.tensor([0, 1, 2])}, cl.ShapeError, r"labels: .* got 3"),
        ({"labels": [0, 3]}, cl.TargetError, "labels: expected a class index from 0 to 2, got 3"),
        ({"labels": [0, -1]}, cl.TargetError, "got -1"),
        ({"target": "nearest"}, cl.TargetError, "target: expected one of untargeted, runner-up, .* got 'nearest'"),
        ({"target": 1}, cl.TargetError, "target: expected a class to move to, got 1, the predicted class of input 1"),
        ({"target": [1, 1]}, cl.TargetError, "the predicted class of input 1"),
        ({"target": 3}, cl.TargetError, "target: expected a class index from 0 to 2, got 3"),
        ({"target": [1]}, cl.ShapeError, r"target: expected one class index per input \(2\), got 1"),
        ({"target": [1.0, 0.0]}, cl.TargetError, "target: expected class indices"),
        ({"target": True}, cl.TargetError, "target: expected class indices, got True"),
        ({"target": None}, cl.TargetError, "target: .* got None"),
        ({"norm": 0.5}, cl.InputError, r"norm: expected p >= 1, got 0\.5"),
        ({"norm": math.nan}, cl.InputError, "norm: expected p >= 1, got nan"),
        ({"norm": "two"}, cl.InputError, "norm: expected a number >= 1 or 'inf', got 'two'"),
        ({"radius": 0}, cl.InputError, "radius: expected a positive finite number or 'auto', got 0"),
        ({"radius": -1.0}, cl.InputError, r"radius: .* got -1\.0"),
        ({"radius": math.inf}, cl.InputError, "radius: .* got inf"),
        ({"radius": "wide"}, cl.InputError, "radius: .* got 'wide'"),
        ({"radius": True}, cl.InputError, "radius: .* got True"),
        ({"sampler": "best"}, cl.InputError, "sampler: expected one of uniform, directed, got 'best'"),
        ({"blocks": 0}, cl.InputError, "blocks: expected a whole number of at least 1 or 'auto', got 0"),
        ({"blocks": 2.5}, cl.InputError, r"blocks: .* got 2\.5"),
        ({"block_size": 0}, cl.InputError, "block_size: expected a whole number of at least 1, got 0"),
        ({"max_blocks": -3}, cl.InputError, "max_blocks: .* got -3"),
        ({"tolerance": 0}, cl.InputError, "tolerance: expected a positive finite number, got 0"),
        ({"clip": "reject"}, cl.InputError, "clip: expected None or 'project', got 'reject'"),
        ({"level": 1.0}, cl.InputError, r"level: expected a number between 0 and 1, got 1\.0"),
        ({"bootstrap": -1}, cl.InputError, "bootstrap: expected 0 or more resamples, got -1"),
    ],
)
def test_options(options: dict[str, Any], kind: type[Exception], message: str):
    refused(kind, message, lambda: cl.clever(cl.Classifier(linear()), X, **options))


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (lambda x: x[:, :1], r"\(2, classes\) with at least 2 classes, got \(2, 1\)|\(1, classes\).*got \(1, 1\)"),
        (lambda x: x.sum(1), r"expected logits of shape .*, got \(1,\)"),
        (lambda x: x[:, :, None], r"got \(1, 3, 1\)"),
        (lambda x: x.repeat(2, 1), r"got \(2, 3\)"),
        (lambda x: x[:, :0], r"got \(1, 0\)"),
        (lambda x: (x * 9).long(), r"expected floating logits, got torch\.int64"),
        (lambda x: x * math.nan, "expected finite logits, got NaN or infinity for inputs 0"),
        (lambda x: x / 0, "expected finite logits"),
        (lambda x: (x, x), "expected a tensor of logits, got tuple"),
        (lambda x: None, "expected a tensor of logits, got NoneType"),
    ],
)
def test_networks(network: Callable[[Tensor], Any], message: str):
    refused(cl.NetworkError, message, lambda: cl.clever(answering(network), X))


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"network": "digits"}, cl.InputError, "network: expected a module or a function, got str"),
        ({"bounds": (1, 0)}, cl.InputError, r"bounds: expected low < high, or equal where fixed, got \(1, 0\)"),
        ({"bounds": (0, 0)}, cl.InputError, "bounds: expected low < high"),
        ({"bounds": (0, 1, 2)}, cl.InputError, r"bounds: expected \(low, high\), got \(0, 1, 2\)"),
        ({"dtype": torch.int32}, cl.DtypeError, r"dtype: expected torch\.float32 or torch\.float64, got torch\.int32"),
        ({"micro_batch": 0}, cl.InputError, "micro_batch: expected at least 1, got 0"),
        ({"memory_budget": 0}, cl.InputError, "memory_budget: expected a positive number of bytes, got 0"),
    ],
)
def test_classifiers(arguments: dict[str, Any], kind: type[Exception], message: str):
    refused(kind, message, lambda: cl.Classifier(**({"network": linear()} | arguments)))


def test_normalisation():
    refused(cl.InputError, r"std: expected positive numbers, got \[1\.0, 0\.0\]", lambda: cl.Normalize(0.5, [1.0, 0.0]))


def test_arguments_are_checked_before_the_first_score():
    seen: list[int] = []

    def network(x: Tensor) -> Tensor:
        seen.append(len(x))
        return x

    with pytest.raises(cl.TargetError):
        cl.clever(answering(network), X, target=1)
    assert sum(seen) <= len(X) + 1  # the inputs themselves, and one to see how much memory a pass takes


class Busy(nn.Module):
    """Everything that a careless library would change: modes, statistics, gradients, hooks, buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.ReLU(), nn.Linear(8, 3))
        self.layers[1].eval()
        self.layers[0].bias.requires_grad_(False)
        self.layers[4].weight.grad = torch.ones(3, 8)
        self.calls = 0
        self.layers[3].register_forward_hook(self.count)

    def count(self, *_: object) -> None:
        self.calls += 1

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def everything(module: nn.Module) -> list[object]:
    modes = [(name, part.training, len(part._forward_hooks)) for name, part in module.named_modules()]
    hooks = [(len(part._backward_hooks), len(part._forward_pre_hooks)) for part in module.modules()]
    flags = [(name, p.requires_grad, p.device, p.dtype, p.data_ptr()) for name, p in module.named_parameters()]
    gradients = [None if p.grad is None else p.grad.tolist() for p in module.parameters()]
    values = [(name, value.tolist()) for name, value in module.state_dict().items()]
    return [modes, hooks, flags, gradients, values]


@pytest.mark.parametrize("failing", [False, True])
@pytest.mark.parametrize("sampler", ["directed", "uniform"])
def test_the_network_is_left_as_it_was(failing: bool, sampler: str):
    network = Busy()
    before, x, kept = everything(network), X.clone().requires_grad_(True), X.clone()
    model = cl.Classifier(network, bounds=(0, 1))
    if failing:
        with pytest.raises(cl.TargetError):
            cl.clever(model, x, target=9)
    else:
        cl.clever(model, x, sampler=sampler, blocks=4, block_size=8, clip="project")
    assert everything(network) == before and network.calls > 0
    assert torch.equal(x, kept) and x.grad is None and x.requires_grad


def test_the_network_is_left_as_it_was_when_it_fails_midway():
    network = Busy()

    def give_up(*_: object) -> None:
        if network.calls > 20:
            raise ValueError("no more")

    network.layers[4].register_forward_hook(give_up)
    before = everything(network)
    with pytest.raises(cl.NetworkError, match="got its error: no more"):
        cl.clever(cl.Classifier(network), X, blocks=4, block_size=64)
    assert everything(network) == before


def test_another_precision_works_on_a_copy():
    network = Busy()
    before = everything(network)
    scores = cl.clever(cl.Classifier(network, dtype=torch.float64), X, blocks=4, block_size=8)
    assert everything(network) == before and network.calls == 0 and len(scores) == 2


@pytest.mark.parametrize("target", ["untargeted", "random"])
@pytest.mark.parametrize("sampler", ["directed", "uniform"])
def test_global_random_states_are_neither_read_nor_written(sampler: str, target: str):
    def score() -> list[float]:
        found = cl.clever(
            cl.Classifier(Fixed()), X, target=target, sampler=sampler, blocks=4, block_size=8, bootstrap=5
        )
        return [value for s in found for value in (s.radius, *s.interval, *s.maxima, float(s.target))]

    first = score()
    for seed in range(2):
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        random.seed(seed)
        before = global_states()
        assert score() == first
        assert global_states() == before


def global_states() -> list[object]:
    return [torch.get_rng_state().tolist(), np.random.get_state()[1].tolist(), random.getstate()]  # noqa: NPY002


class Fixed(nn.Module):
    """A curved network without parameters."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([x[:, 0] ** 2 + x[:, 1], x[:, 1] ** 3 + x[:, 2], x.sum(1).sin() / 2], 1)
