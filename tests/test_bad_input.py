"""Misuse of the library: an error of the right kind that says what was expected and what came. And nothing changed."""

import json
import math
import random
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import clearance as cl
from clearance.attacks.goals import dlr, make_goal, margin, soft_margin
from clearance.attacks.passes import evaluate
from clearance.audit.path_integral import PathIntegral
from clearance.audit.slope import SlopeEstimate
from clearance.model.margins import margins
from clearance.model.memory import is_out_of_memory

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
        (X[:, :2], cl.NetworkError, r"expected inputs of 3 values, as it takes, got 2, of shape \(2,\)"),
        ((X * 255).to(torch.uint8), cl.DtypeError, r"expected a floating dtype, got torch\.uint8 \(divide"),
        (X.long(), cl.DtypeError, r"got torch\.int64"),
        (X.to(torch.complex64), cl.DtypeError, r"got torch\.complex64"),
        (X > 0, cl.DtypeError, r"got torch\.bool"),
        (X.numpy(), cl.DtypeError, "expected a floating torch tensor, got ndarray"),
        (X.tolist(), cl.DtypeError, "got list"),
        (
            torch.tensor([[0.1, 0.2, 0.3], [math.nan, 0, 0]]),
            cl.InputError,
            r"expected finite values, got NaN .* in input 1$",
        ),
        (torch.tensor([[math.inf, 0.2, 0.3]]), cl.InputError, r"expected finite values, got .* in input 0$"),
        (X * 2, cl.BoundsError, r"expected values in \[0, 1\], got \[0\.2, 1\.8\] \(inputs 0, 1\)"),
        (torch.tensor([[0.9, 0.2, 0.1], [2.0, 0, 0]]), cl.BoundsError, r"got \[0, 2\] \(input 1\)"),
        (X - 0.5, cl.BoundsError, r"expected values in \[0, 1\], got \[-0\.4, "),
        (X + 0.1 + 1e-6, cl.BoundsError, r"got \[0.2.*, 1.000001\] .*; so little is rounding: x\.clamp\(0, 1\)$"),
    ],
)
def test_inputs(x: Any, kind: type[Exception], message: str):
    refused(kind, message, lambda: cl.clever(cl.Classifier(linear(), bounds=(0, 1)), x))


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"labels": [0]}, cl.ShapeError, r"labels: expected one per input \(2\), got 1"),
        ({"labels": torch.tensor([0, 1, 2])}, cl.ShapeError, r"labels: .* got 3"),
        ({"labels": 0}, cl.ShapeError, r"labels: expected a list or .* class indices, one per input \(2\), got 0"),
        ({"labels": [0.5, 1]}, cl.TargetError, r"labels: expected class indices \(whole numbers\), got 0\.5"),
        ({"labels": torch.tensor([0.0, 1.0])}, cl.TargetError, r"labels: .* got 0\.0"),
        ({"labels": np.array([0.0, 1.0])}, cl.TargetError, r"labels: .* got 0\.0"),
        ({"labels": torch.tensor([False, True])}, cl.TargetError, "labels: .* got False"),
        ({"labels": torch.tensor([[0], [1]])}, cl.TargetError, r"labels: .* got \[0\]"),
        ({"labels": "01"}, cl.TargetError, "labels: .* got '0'"),
        ({"labels": [0, 3]}, cl.TargetError, "labels: expected a class index from 0 to 2, got 3"),
        ({"labels": [0, -1]}, cl.TargetError, "got -1"),
        ({"target": "nearest"}, cl.TargetError, "target: expected one of untargeted, runner-up, .* got 'nearest'"),
        ({"target": 1}, cl.TargetError, "target: expected a class to move to, got 1, the predicted class of input 1"),
        ({"target": [1, 1]}, cl.TargetError, "the predicted class of input 1"),
        ({"target": 3}, cl.TargetError, "target: expected a class index from 0 to 2, got 3"),
        ({"target": [1]}, cl.ShapeError, r"target: expected one per input \(2\), got 1"),
        ({"target": [1.0, 0.0]}, cl.TargetError, "target: expected class indices"),
        ({"target": True}, cl.TargetError, "target: expected class indices .* got True"),
        ({"target": None}, cl.TargetError, "target: .* got None"),
        ({"norm": 0.5}, cl.InputError, r"norm: expected p >= 1, got 0\.5"),
        ({"norm": 0}, cl.InputError, "norm: expected p >= 1, got 0; l0 is no norm: only attack has an l0 distance"),
        ({"norm": True}, cl.InputError, "norm: expected a number >= 1 or inf, such as 2, l2, inf or linf, got True"),
        ({"norm": math.nan}, cl.InputError, "norm: expected p >= 1, got nan"),
        (
            {"norm": "two"},
            cl.InputError,
            "norm: expected a number >= 1 or inf, such as 2, l2, inf or linf, got 'two'",
        ),
        ({"radius": 0}, cl.InputError, "radius: expected a positive finite number or 'auto', got 0"),
        ({"radius": -1.0}, cl.InputError, r"radius: .* got -1\.0"),
        ({"radius": math.inf}, cl.InputError, "radius: .* got inf"),
        ({"radius": "wide"}, cl.InputError, "radius: .* got 'wide'"),
        ({"radius": True}, cl.InputError, "radius: .* got True"),
        ({"sampler": "best"}, cl.InputError, "sampler: expected one of directed, uniform, got 'best'"),
        ({"blocks": 0}, cl.InputError, "blocks: expected a whole number of at least 1 or 'auto', got 0"),
        ({"blocks": 2.5}, cl.InputError, r"blocks: .* got 2\.5"),
        ({"block_size": 0}, cl.InputError, "block_size: expected a whole number of at least 1, got 0"),
        ({"max_blocks": -3}, cl.InputError, "max_blocks: .* got -3"),
        ({"tolerance": 0}, cl.InputError, "tolerance: expected a positive finite number, got 0"),
        ({"clip": "reject"}, cl.InputError, "clip: expected None or 'project', got 'reject'"),
        ({"level": 1.0}, cl.InputError, r"level: expected a number between 0 and 1, got 1\.0"),
        ({"bootstrap": -1}, cl.InputError, "bootstrap: expected 0 or more resamples, got -1"),
        ({"bound": "box"}, cl.InputError, "bound: expected 'profile' or 'ball', got 'box'"),
        ({"bound": "profile", "order": 2}, cl.InputError, "bound: expected 'ball' with order=2"),
        ({"slope": "steep"}, cl.InputError, "slope: expected 'norm' or 'radial', got 'steep'"),
        ({"budget": "huge"}, cl.InputError, "budget: expected one of quick, standard, thorough or a number of passes"),
        ({"budget": 0}, cl.InputError, "budget: .* got 0"),
        ({"budget": True}, cl.InputError, "budget: .* got True"),
        ({"budget": 2.5}, cl.InputError, r"budget: .* got 2\.5"),
        ({"feasible": 1}, cl.InputError, "feasible: expected True or False, got 1"),
        ({"clip": None}, cl.InputError, "clip: expected 'project' with feasible=True, got None"),
    ],
)
def test_options(options: dict[str, Any], kind: type[Exception], message: str):
    refused(kind, message, lambda: cl.clever(cl.Classifier(linear()), X, **options))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sampler", "uniform"),
        ("radius", 4.0),
        ("blocks", 5),
        ("block_size", 7),
        ("tolerance", 0.1),
        ("max_blocks", 6),
        ("racing", False),
    ],
)
def test_what_only_an_estimate_in_one_ball_has_is_refused_for_a_profile(name: str, value: Any):
    assert cl.Settings(bound="ball", **{name: value}).bound == "ball"
    message = f"{name}: only meaningful with bound='ball', got {value!r}"
    with pytest.raises(cl.InputError, match=message):
        cl.clever(cl.Classifier(linear()), X, **{name: value})
    with pytest.raises(cl.InputError, match="slope: only meaningful with bound='profile'"):
        cl.Settings(bound="ball", slope="radial", **{name: value})


@pytest.mark.parametrize(
    ("channels", "hint"), [(1, r"x\[:, None\] gives .* x\[None\] one"), (3, r"picture alone .* x\[None\]")]
)
def test_a_picture_without_a_dimension(channels: int, hint: str):
    network = torch.nn.Sequential(torch.nn.Conv2d(channels, 2, 3), torch.nn.Flatten(), torch.nn.Linear(8, 3))
    model, pictures = cl.Classifier(network, bounds=(0, 1)), torch.rand(2, channels, 4, 4)
    for x in (pictures[0], pictures[:, 0]):
        refused(
            cl.NetworkError, rf"it takes \(batch, {channels}, height, width\).*{hint}", lambda x=x: cl.attack(model, x)
        )
    assert len(cl.attack(model, pictures, budget=50)) == 2


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (lambda x: x[:, :1, None], r"\(1, classes\), or one logit each for two classes, got \(1, 1, 1\)"),
        (lambda x: x.sum(1)[:, None, None], r"expected logits of shape .*, got \(1, 1, 1\)"),
        (lambda x: x[:, :, None], r"got \(1, 3, 1\)"),
        (lambda x: x.repeat(2, 1), r"got \(2, 3\)"),
        (lambda x: x[:, :0], r"got \(1, 0\)"),
        (lambda x: (x * 9).long(), r"expected floating logits, got torch\.int64"),
        (lambda x: x * math.nan, "expected finite logits, got NaN or infinity for input 0$"),
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
        ({"preprocessing": 0}, cl.InputError, "preprocessing: expected a module or a function, got int"),
        ({"bounds": 1}, cl.InputError, r"bounds: expected \(low, high\), got 1"),
        ({"bounds": "01"}, cl.InputError, r"bounds: expected \(low, high\), got '01'"),
        ({"bounds": (0, None)}, cl.InputError, r"bounds: expected \(low, high\), got \(0, None\)"),
        ({"bounds": (torch.zeros(2), torch.ones(3))}, cl.InputError, r"bounds: expected \(low, high\), got \(tensor"),
        ({"bounds": (torch.eye(3), torch.full((3, 3), 0.5))}, cl.InputError, r"equal where fixed, got \(1, 0\.5\)"),
        ({"bounds": (math.nan, 1)}, cl.InputError, r"bounds: expected low < high, .* got \(nan, 1\)"),
        ({"device": "foo"}, cl.InputError, "device: expected a device that torch has here, such as cpu, got 'foo'$"),
        ({"device": "cuda:99"}, cl.InputError, "device: .* got 'cuda:99'$"),
        ({"device": 0.5}, cl.InputError, "device: .* got '0.5'$"),
        ({"bounds": (1, 0)}, cl.InputError, r"bounds: expected low < high, or equal where fixed, got \(1, 0\)"),
        ({"bounds": (0, 0)}, cl.InputError, "bounds: expected low < high"),
        ({"bounds": (0, 1, 2)}, cl.InputError, r"bounds: expected \(low, high\), got \(0, 1, 2\)"),
        ({"dtype": torch.int32}, cl.DtypeError, r"dtype: expected torch\.float32 or torch\.float64, got torch\.int32"),
        ({"micro_batch": 0}, cl.InputError, "micro_batch: expected a whole number of at least 1, got 0"),
        ({"micro_batch": "2"}, cl.InputError, "micro_batch: .* got '2'"),
        ({"memory_budget": 0}, cl.InputError, "memory_budget: expected a whole number of at least 1, got 0"),
        ({"memory_budget": 1e9}, cl.InputError, r"memory_budget: .* got 1000000000\.0"),
    ],
)
def test_classifiers(arguments: dict[str, Any], kind: type[Exception], message: str):
    refused(kind, message, lambda: cl.Classifier(**({"network": linear()} | arguments)))


@pytest.mark.parametrize(
    ("mean", "std", "kind", "message"),
    [
        (0.5, [1.0, 0.0], cl.InputError, r"std: expected positive numbers, got \[1\.0, 0\.0\]"),
        ("a", 1, cl.InputError, "mean: expected a finite number, or a list of one per channel, got 'a'"),
        (0, None, cl.InputError, "std: expected a finite number, .* got None"),
        (math.nan, 1, cl.InputError, "mean: expected a finite number, .* got nan"),
        ([], 1, cl.InputError, r"mean: .* got \[\]"),
        ([0, 1], [1], cl.ShapeError, r"std: expected as many numbers as in mean \(2\), got 1"),
    ],
)
def test_normalisation(mean: Any, std: Any, kind: type[Exception], message: str):
    refused(kind, message, lambda: cl.Normalize(mean, std))


@pytest.mark.parametrize(
    ("mean", "std"), [(0, 2), ([0], [2]), ([0, 0], 2), (0, [2, 2]), (torch.zeros(2, 1, 1), [2, 2])]
)
def test_a_normalisation_takes_one_number_or_one_per_channel(mean: Any, std: Any):
    assert cl.Normalize(mean, std)(torch.ones(3, 2, 4, 4)).unique().tolist() == [0.5]


@pytest.mark.parametrize(("mean", "std", "name"), [([0, 0], [1, 1], "mean"), (0, [1, 1], "std")])
def test_a_normalisation_for_other_channels(mean: Any, std: Any, name: str):
    model = cl.Classifier(nn.Sequential(nn.Conv2d(1, 1, 3), nn.Flatten()), preprocessing=cl.Normalize(mean, std))
    message = rf"^{name}: expected 1 value or one per channel \(1\), got 2 \(the inputs have shape \(1, 4, 4\)\)$"
    refused(cl.ShapeError, message, lambda: model.logits(torch.zeros(1, 1, 4, 4)))


def test_bounds_of_another_shape_than_the_input():
    model = cl.Classifier(lambda x: x.flatten(1), bounds=(torch.zeros(3, 1, 1), torch.ones(3, 1, 1)))
    message = r"bounds: expected numbers, .* over one input \(1, 2, 2\), got shape \(3, 1, 1\)"
    refused(cl.ShapeError, message, lambda: model.check_inputs(torch.zeros(2, 1, 2, 2)))
    assert len(model.check_inputs(torch.zeros(2, 3, 2, 2))) == 2


SCORING = {
    "attack": cl.attack,
    "audit": cl.audit,
    "bracket": cl.bracket,
    "certify": cl.certify,
    "clever": cl.clever,
    "slope_estimate": cl.slope_estimate,
}
each_scoring = pytest.mark.parametrize("score", SCORING.values(), ids=SCORING)


@each_scoring
def test_a_network_is_not_a_classifier(score: Callable[..., object]):
    message = r"^model: expected a clearance\.Classifier, got Sequential; wrap it: cl\.Classifier\(network, bounds=\("
    refused(cl.InputError, message, lambda: score(nn.Sequential(linear()), X))


def test_a_network_is_not_a_classifier_elsewhere():
    message = r"expected a clearance\.Classifier, got Linear; wrap it"
    refused(cl.InputError, f"^classifier: {message}", lambda: cl.eot(linear(), 2))  # pyright: ignore
    refused(cl.InputError, message, lambda: cl.path_integrals(linear(), X, X, predicted=0, target=1))  # pyright: ignore


@each_scoring
@pytest.mark.parametrize("seed", ["a", 0.5, None, True])
def test_a_seed_is_a_whole_number(score: Callable[..., object], seed: Any):
    message = f"seed: expected a whole number, got {seed!r}"
    refused(cl.InputError, message, lambda: score(cl.Classifier(linear()), X, seed=seed))


@each_scoring
def test_labels_are_the_third_argument(score: Callable[..., object]):
    model = cl.Classifier(linear(), bounds=(0, 1))
    refused(cl.TargetError, "labels: .* got 7", lambda: score(model, X, [0, 7]))
    refused(cl.TargetError, "labels: .* got 7", lambda: score(model, X, labels=[0, 7]))
    with pytest.raises(TypeError, match="positional argument"):
        score(model, X, [0, 1], 2.0)


@each_scoring
@pytest.mark.parametrize("norm", [0, 0.0, "0", "l0"])
def test_l0_is_for_attacks_alone(score: Callable[..., object], norm: Any):
    model = cl.Classifier(linear(), bounds=(0, 1))
    if score is cl.attack:
        results = cl.attack(model, X, norm=norm, budget="quick")
        assert all(result.distance == int(result.distance) > 0 for result in results)
        return
    message = f"^norm: expected p >= 1, got {norm!r}; l0 is no norm: only attack has an l0 distance$"
    refused(cl.InputError, message, lambda: score(model, X, norm=norm))


@pytest.mark.parametrize(
    "labels", [(0, 1), torch.tensor([0, 1], dtype=torch.uint8), np.array([0, 1]), list(X.argmax(1))]
)
def test_labels_of_any_integer_type(labels: Any):
    whole = cl.attack(cl.Classifier(linear(), bounds=(0, 1)), X, [0, 1], budget="quick")
    found = cl.attack(cl.Classifier(linear(), bounds=(0, 1)), X, labels, budget="quick")
    assert [result.distance for result in found] == [result.distance for result in whole]


@pytest.mark.parametrize(
    ("score", "options", "message"),
    [
        (cl.certify, {"time_limit": "long"}, "time_limit: expected a positive number of seconds, got 'long'"),
        (cl.slope_estimate, {"radius": "wide"}, "radius: expected a positive number, got 'wide'"),
        (cl.slope_estimate, {"pairs": 2.5}, r"pairs: expected a whole number of at least 1, got 2\.5"),
    ],
)
def test_other_options(score: Callable[..., object], options: dict[str, Any], message: str):
    refused(cl.InputError, message, lambda: score(cl.Classifier(linear()), X, **options))


@pytest.mark.parametrize("error", [ValueError("no\nmore"), RuntimeError("no more"), IndexError("no more")])
@pytest.mark.parametrize("part", ["network", "preprocessing"])
def test_a_forward_pass_that_fails(part: str, error: Exception):
    def fail(x: Tensor) -> Tensor:
        raise error

    model = cl.Classifier(**({"network": linear()} | {part: fail}))
    kind = type(error).__name__
    message = rf"^{part}: its forward pass failed on inputs of shape \(3,\): expected a tensor, got {kind}: no more$"
    refused(cl.NetworkError, message, lambda: cl.clever(model, X))


def test_a_preprocessing_that_returns_no_tensor():
    model = cl.Classifier(linear(), preprocessing=lambda x: (x, x))  # pyright: ignore
    refused(cl.NetworkError, "preprocessing: expected it to return a tensor, got tuple", lambda: model.logits(X))


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


SMALL: dict[str, Any] = {"bound": "ball", "blocks": 4, "block_size": 8}
SHORT: dict[str, Any] = {"budget": 1000}
each_estimate = pytest.mark.parametrize(
    "choices", [SHORT, SMALL, {**SMALL, "sampler": "uniform"}], ids=["profile", "directed", "uniform"]
)


@pytest.mark.parametrize("failing", [False, True])
@each_estimate
def test_the_network_is_left_as_it_was(failing: bool, choices: dict[str, Any]):
    network = Busy()
    before, x, kept = everything(network), X.clone().requires_grad_(True), X.clone()
    model = cl.Classifier(network, bounds=(0, 1))
    if failing:
        with pytest.raises(cl.TargetError):
            cl.clever(model, x, target=9)
    else:
        cl.clever(model, x, **choices)
    assert everything(network) == before and network.calls > 0
    assert torch.equal(x, kept) and x.grad is None and x.requires_grad


@each_estimate
def test_the_network_is_left_as_it_was_when_it_fails_midway(choices: dict[str, Any]):
    network = Busy()

    def give_up(*_: object) -> None:
        if network.calls > 20:
            raise ValueError("no more")

    network.layers[4].register_forward_hook(give_up)
    before = everything(network)
    with pytest.raises(cl.NetworkError, match="got ValueError: no more"):
        cl.clever(cl.Classifier(network), X, **choices)
    assert everything(network) == before


def test_another_precision_works_on_a_copy():
    network = Busy()
    before = everything(network)
    scores = cl.clever(cl.Classifier(network, dtype=torch.float64), X, **SHORT)
    assert everything(network) == before and network.calls == 0 and len(scores) == 2


@pytest.mark.thinned(3)
@pytest.mark.parametrize("target", ["untargeted", "random"])
@each_estimate
def test_global_random_states_are_neither_read_nor_written(choices: dict[str, Any], target: str):
    def score() -> list[float]:
        found = cl.clever(cl.Classifier(Fixed()), X, target=target, bootstrap=5, **choices)
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


def curved() -> nn.Module:
    return nn.Sequential(linear(), nn.Tanh(), linear())


CALLS: dict[str, Callable[[cl.Classifier], list[Any]]] = {
    "profile": lambda model: cl.clever(model, X, budget=1000),
    "directed": lambda model: cl.clever(model, X, bound="ball", blocks=4, block_size=16),
    "second order": lambda model: cl.clever(model, X, order=2, blocks=2, block_size=16),
    "random target": lambda model: cl.clever(
        model, X, target="random", bound="ball", sampler="uniform", blocks=4, block_size=16
    ),
    "attack": lambda model: cl.attack(model, X, budget="quick"),
    "attack inf": lambda model: cl.attack(model, X, norm=math.inf, budget="quick"),
    "audit": lambda model: cl.audit(model, X[:1]),
    "slope": lambda model: cl.slope_estimate(model, X, pairs=16, blocks=4),
    "integral": lambda model: cl.path_integrals(model, X, X.flip(1), predicted=0, target=1),
}
each_call = pytest.mark.parametrize("name", CALLS)


def found(name: str, model: cl.Classifier) -> list[str]:
    """What a call finds, in words, without the seconds that it took."""
    records = [one.as_record() if hasattr(one, "as_record") else vars(one) for one in CALLS[name](model)]
    return [repr({key: value for key, value in record.items() if key != "cost"}) for record in records]


@cache
def found_as_usual(name: str) -> list[str]:
    return found(name, cl.Classifier(curved(), bounds=(0, 1)))


@each_call
@pytest.mark.parametrize("inside", [torch.inference_mode, torch.no_grad])
@pytest.mark.thinned(3)
def test_a_caller_who_switched_gradients_off_gets_the_same(name: str, inside: Callable[[], Any]):
    expected = found_as_usual(name)
    with inside():
        assert found(name, cl.Classifier(curved(), bounds=(0, 1), preprocessing=cl.Normalize(0, 1))) == expected


def test_inputs_and_derivatives_of_inference_mode():
    model = cl.Classifier(lambda x: torch.stack([(x**2).sum(1), x.sum(1)], 1))
    with torch.inference_mode():
        x = X.clone()
        classes = torch.tensor([1])
    for mode in (True, False):
        with torch.inference_mode(mode):
            _, gradient, product = model.hessian(x, lambda logits: logits[:, 0])
            _, _, pull = model.vjp(x, lambda logits: margins(logits, 0, classes))
            assert torch.equal(gradient, 2 * X) and torch.equal(product(x), 2 * X) and torch.equal(pull(0), 2 * X - 1)
            assert not model.check_inputs(x).is_inference()
            assert model.micro_batch(x) == cl.Classifier(model.network).micro_batch(X)


def test_a_goal_of_inference_mode_leads_every_loss():
    with torch.inference_mode():
        goal = make_goal(torch.tensor([0]), [[1]], 4)
    model = cl.Classifier(lambda x: torch.stack([x[:, 0], x[:, 1], -x[:, 2], x[:, 0] - 2], 1))
    for loss in (margin, soft_margin, dlr):
        with torch.inference_mode():
            assert evaluate(model, X[:1], goal, loss=loss).gradient.count_nonzero() > 0


def test_a_network_built_in_inference_mode_is_copied():
    with torch.inference_mode():
        network = linear()
    model = cl.Classifier(network)
    assert found("profile", model) == found("profile", cl.Classifier(linear()))
    assert network.weight.is_inference() and model.network is not network


def test_a_tensor_of_inference_mode_that_no_copy_reaches():
    with torch.inference_mode():
        weight = torch.eye(3)
    message = "network: its forward pass failed .* got RuntimeError: "
    refused(cl.NetworkError, message, lambda: cl.clever(answering(lambda x: x @ weight), X))


@pytest.mark.thinned(3)
@each_call
def test_a_default_device_changes_nothing(name: str):
    model, expected = cl.Classifier(curved(), bounds=(0, 1)), found_as_usual(name)
    with torch.device("meta"):  # not set_default_device(None) afterwards: torch 2.9 then has none to tell
        preprocessing = cl.Normalize([0.0], [1.0])
        assert found(name, model) == expected
        assert model.device.type == "cpu" and preprocessing.get_buffer("mean").device.type == "cpu"


def test_a_micro_batch_for_each_shape():
    network = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3))
    small, large = torch.rand(1, 1, 4, 4), torch.rand(1, 1, 64, 64)
    both = cl.Classifier(network)
    alone = [cl.Classifier(network).micro_batch(x) for x in (small, large)]
    assert [both.micro_batch(x) for x in (small, large)] == alone and alone[0] > alone[1]


class Tight(nn.Module):
    """Asks an allocator for far too much where more than 4 rows come at once."""

    def forward(self, x: Tensor) -> Tensor:
        if len(x) > 4:
            torch.empty(2**55, dtype=torch.uint8, device="cpu")
        return x.flatten(1)[:, :3]


def test_an_allocation_that_fails_halves_the_micro_batch_of_its_shape():
    model = cl.Classifier(Tight(), micro_batch=16)
    (rows,) = model.in_micro_batches(lambda part: (model.vjp(part, lambda logits: logits)[0],), X.repeat(8, 1))
    assert torch.equal(rows, X.repeat(8, 1))
    assert (model.micro_batch(X), model.micro_batch(X[:, None])) == (4, 16)


@pytest.mark.parametrize(
    ("error", "means_it"),
    [
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate"), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("can't allocate memory"), False),
    ],
)
def test_what_running_out_of_memory_looks_like(error: Exception, means_it: bool):
    assert is_out_of_memory(error) is means_it


@pytest.mark.parametrize("score", [cl.clever, cl.audit, cl.bracket])
def test_a_logit_that_is_not_finite_names_its_input(score: Callable[..., object]):
    model = answering(lambda x: torch.where(x[:, :1] < 0.5, torch.nan, x))
    refused(cl.NetworkError, "got NaN or infinity for input 1$", lambda: score(model, X))
    refused(cl.NetworkError, "got NaN or infinity for input 2$", lambda: score(model, X[[0, 0, 1]]))


@pytest.mark.thinned(3)
@pytest.mark.parametrize(
    "target", [2, np.int64(2), torch.tensor(2), [2, 2], torch.tensor([2, 2]), np.array([2, 2]), [np.int64(2)] * 2]
)
def test_targets_of_any_integer_type(target: Any):
    model = cl.Classifier(linear(), bounds=(0, 1))
    assert {score.target for score in cl.clever(model, X, target=target, **SHORT)} == {2}
    assert {row.target for row in cl.slope_estimate(model, X, target=target, pairs=4, blocks=2)} == {2}
    assert [proof.target for proof in cl.certify(model, X, target=target)] == [2, 2]
    asked = target if np.ndim(target) == 0 else target[:1]
    (one,) = cl.bracket(model, X[:1], target=asked, budget=1500, certificate="none")
    assert one.threat.target == "2" and one.estimated.target == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"level": "a"}, "level: expected a number between 0 and 1, got 'a'"),
        ({"level": True}, "level: .* got True"),
        ({"level": math.nan}, "level: .* got nan"),
        ({"bootstrap": "a"}, "bootstrap: expected 0 or more resamples, got 'a'"),
        ({"bootstrap": 2.5}, r"bootstrap: .* got 2\.5"),
        ({"bootstrap": -1}, "bootstrap: .* got -1"),
    ],
)
def test_other_settings(options: dict[str, Any], message: str):
    refused(cl.InputError, message, lambda: cl.Settings(**options))


@pytest.mark.parametrize("choices", [{"budget": "quick"}, SMALL], ids=["profile", "ball"])
@pytest.mark.parametrize("seed", [-1, -(2**70), 2**70])
def test_a_bootstrap_takes_any_seed(seed: int, choices: dict[str, Any]):
    (score,) = cl.clever(cl.Classifier(Fixed()), X[:1], seed=seed, bootstrap=5, **choices)
    assert score.fit is not None and 0 < score.fit.bootstrap_p_value <= 1


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"scores": 3}, cl.InputError, "scores: expected a list of Score, got 3"),
        ({"scores": [3, 4]}, cl.InputError, "scores: expected a list of Score, got .*3, 4"),
        ({"attacks": "ab"}, cl.InputError, "attacks: expected a list of AttackResult, got 'ab'"),
        ({"attacks": []}, cl.ShapeError, r"attacks: expected one per input \(2\), got 0"),
    ],
)
def test_audits_of_something_else(options: dict[str, Any], kind: type[Exception], message: str):
    refused(kind, message, lambda: cl.audit(cl.Classifier(linear()), X, **options))


def test_path_integrals_take_what_the_others_take():
    def measure(starts: Any, ends: Any, norm: Any = 2.0) -> list[PathIntegral]:
        return cl.path_integrals(cl.Classifier(curved(), (0, 1)), starts, ends, predicted=0, target=1, norm=norm)

    assert measure(X.double(), X.flip(1).double(), "inf") == measure(X, X.flip(1), math.inf)
    refused(cl.InputError, r"norm: expected p >= 1, got 0\.5", lambda: measure(X, X, 0.5))
    refused(cl.DtypeError, "expected a floating torch tensor, got list", lambda: measure(X, X.tolist()))
    refused(cl.BoundsError, "expected values in", lambda: measure(X, X + 1))
    refused(cl.ShapeError, r"ends: expected the shape of starts \(2, 3\), got \(1, 3\)", lambda: measure(X, X[:1]))


@pytest.mark.parametrize(("norm", "written"), [(2.0, 2.0), (math.inf, "inf")])
def test_a_record_of_a_bracket_is_strict_json(norm: float, written: object):
    model = cl.Classifier(linear(), bounds=(torch.tensor(-math.inf), torch.tensor(1.0)))
    (one,) = cl.bracket(model, X[:1], norm=norm, budget="quick")
    record = json.loads(json.dumps(one.as_record(), allow_nan=False))
    assert record["threat"]["norm"] == written and record["threat"]["bounds"] == ["-inf", 1.0]


def test_pairs_of_points_are_drawn_in_parts(monkeypatch: pytest.MonkeyPatch):
    most: list[int] = []

    def network(x: Tensor) -> Tensor:
        most.append(len(x))
        return torch.stack([x.square().sum(1), x.sum(1)], 1)

    def estimate() -> SlopeEstimate:
        return cl.slope_estimate(cl.Classifier(network), X[:1], pairs=100, blocks=3)[0]

    whole = estimate()
    most.clear()
    monkeypatch.setattr("clearance.geometry.balls.POINTS_AT_ONCE", 8 * 2 * 3)
    parts = estimate()
    assert max(most) == 16 and whole.lipschitz == pytest.approx(parts.lipschitz, rel=0.1) and whole != parts


@pytest.mark.parametrize("first", [lambda z: z.sub_(0.5), nn.ReLU(inplace=True), lambda z: z.clamp_(0.15, 1)])
def test_a_first_layer_that_works_in_place_is_no_harm(first: Callable[[Tensor], Tensor]):
    network, x = linear(), X.clone()
    model = cl.Classifier(lambda z: network(first(z)), bounds=(0, 1), micro_batch=8)
    plain = cl.Classifier(lambda z: network(first(z.clone())), bounds=(0, 1), micro_batch=8)
    assert torch.equal(model.logits(x), plain.logits(x)) and torch.equal(x, X)
    ours, theirs = (cl.clever(each, x[:1], norm=2, target=1, **SHORT)[0] for each in (model, plain))
    assert ours.radius == theirs.radius and torch.equal(x, X)
