"""Softmax and normalisations: sandwiches at every value of the graph, brute force in the plane, what is exact."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from clearance import Classifier, certify
from clearance.certificates.operations import Affine, NotSupportedError
from clearance.certificates.translate import translate
from layer_cases import Function, check_graph, check_radius


def weighted(layer: nn.Module) -> nn.Module:
    """A layer with weights of both signs and, where it has them, running statistics of its own."""
    draw = torch.Generator().manual_seed(2)
    for name, value in [*layer.named_parameters(), *layer.named_buffers()]:
        if value.is_floating_point():
            filled = torch.randn(value.shape, generator=draw)
            value.data = filled.abs() + 0.3 if name == "running_var" else filled
    return layer


LAYERS: dict[str, Callable[[], nn.Module]] = {
    "softmax": lambda: nn.Softmax(1),
    "softmax of a side": lambda: Function(lambda x: x.unflatten(1, (2, 2)).softmax(-1)),
    "softmax as a function": lambda: Function(lambda x: functional.softmax(5 * x.unflatten(1, (2, 2)), dim=1)),
    "log softmax inside": lambda: nn.Sequential(nn.LogSoftmax(1), nn.Linear(4, 4)),
    "layer norm": lambda: weighted(nn.LayerNorm(4)),
    "layer norm without weights": lambda: nn.LayerNorm(4, eps=0.1, elementwise_affine=False),
    "layer norm as a function": lambda: Function(
        lambda x: functional.layer_norm(x.unflatten(1, (2, 2)), (2,), eps=0.1)
    ),
    "rms norm": lambda: weighted(nn.RMSNorm(4, eps=1e-3)),
    "group norm": lambda: weighted(nn.GroupNorm(2, 4)),
    "group norm of sequences": lambda: nn.Sequential(nn.Unflatten(1, (2, 2)), weighted(nn.GroupNorm(1, 2))),
    "instance norm": lambda: nn.Sequential(nn.Unflatten(1, (2, 2)), weighted(nn.InstanceNorm1d(2, affine=True))),
    "instance norm as a function": lambda: Function(lambda x: functional.instance_norm(x.unflatten(1, (2, 2)))),
}
each = pytest.mark.parametrize("name", LAYERS)


def network_of(make: Callable[[], nn.Module], inputs: int = 3) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return nn.Sequential(nn.Linear(inputs, 4), make(), nn.Flatten(), nn.Linear(4, 3))


@each
def test_every_bound_holds_at_points(name: str):
    check_graph(network_of(LAYERS[name]), (3,))


@pytest.mark.thinned(3)
@each
@pytest.mark.parametrize("norm", [2.0, math.inf])
def test_no_point_of_the_plane_is_nearer_than_the_radius(name: str, norm: float):
    check_radius(network_of(LAYERS[name], 2), norm, seed=1)


@pytest.mark.parametrize("shape", [(3, 2), (3, 2, 2), (2, 2, 2, 2)])
def test_running_statistics_are_affine(shape: tuple[int, ...]):
    kind = (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)[len(shape) - 2]
    layer = weighted(kind(shape[0], affine=True, track_running_stats=True)).double().eval()
    graph = translate(Classifier(nn.Sequential(layer, nn.Flatten())), shape)
    assert all(isinstance(step.operation, Affine) for step in graph.steps)
    x = torch.randn(5, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert torch.allclose(graph(x), layer(x).flatten(1))


@pytest.mark.parametrize("shift", [0.0, 1e4])
def test_softmax_stays_in_its_range_whatever_the_shift(shift: float):
    graph = translate(Classifier(nn.Softmax(1)), (4,))
    x = shift + torch.tensor([[3.0, -2.0, 0.5, 100.0]], dtype=torch.float64)
    low, high = [x - 0.5], [x + 0.5]
    for step in graph.steps:
        least, most = step.operation.interval([low[i] for i in step.inputs], [high[i] for i in step.inputs])
        low.append(least)
        high.append(most)
    value = x.softmax(1)
    assert ((low[-1] >= 0) & (high[-1] <= 1 + 1e-12) & (low[-1] <= value) & (value <= high[-1])).all()
    assert torch.allclose(graph(x), value, rtol=1e-9)


@pytest.mark.parametrize("last", [nn.LogSoftmax(1), Function(lambda x: functional.log_softmax(x, dim=-1)[:, :])])
def test_log_softmax_as_the_last_layer_is_left_out(last: nn.Module):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)).double()
    x = torch.randn(3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    logs = nn.Sequential(network, last)
    plain, found = (certify(Classifier(model), x, method="crown") for model in (network, logs))
    if isinstance(last, nn.LogSoftmax):
        assert translate(Classifier(logs), (4,)).nonlinear_names == ["ReLU"]
        assert [p.radius for p in found] == pytest.approx([p.radius for p in plain])
    else:  # not the last step: its own bounds, which are wider
        assert all(0 < f.radius <= p.radius * (1 + 1e-3) for f, p in zip(found, plain, strict=True))


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda x: x.softmax(0), "over the batch"),
        (lambda x: functional.log_softmax(x, dim=1, dtype=torch.float16), "in another dtype"),
        (lambda x: functional.rms_norm(x, (3,)), "an eps that depends on the dtype"),
        (lambda x: functional.layer_norm(x, (3,), eps=0.0), "expected eps > 0"),
        (lambda x: functional.instance_norm(x[:, 0]), "expected|used in a way"),
    ],
)
def test_what_is_not_known_is_refused(function: Callable[[Tensor], Tensor], said: str):
    with pytest.raises(NotSupportedError, match=said):
        translate(Classifier(Function(function)), (2, 3))
