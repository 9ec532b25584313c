"""Bounds for training against the network itself, the certificates, and by hand."""

import math

import pytest
import torch
from torch import nn

from clearance.certificates import certify
from clearance.errors import InputError
from clearance.model.classifier import Classifier
from clearance.training.intervals import interval_margins, linear_margins, proved_share
from clearance.zoo.networks import seven_layer_cnn, strided_cnn

NETWORKS = {
    "strided": ((2, 9, 11), lambda: strided_cnn((2, 9, 11), 5)),
    "pooled, bounded": ((1, 16, 16), lambda: seven_layer_cnn((1, 16, 16), 5, activation="bounded-relu")),
    "tanh, averages": ((1, 16, 16), lambda: seven_layer_cnn((1, 16, 16), 5, activation="tanh", pooling="average")),
    "no bias": ((6,), lambda: nn.Sequential(nn.Linear(6, 8, bias=False), nn.ReLU(), nn.Linear(8, 5, bias=False))),
}


@pytest.fixture(params=NETWORKS)
def case(request):
    shape, make = NETWORKS[request.param]
    network = make().double().eval()
    x = torch.rand(3, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return request.param, network, x, network(x).argmax(1)


def test_no_point_of_the_box_lies_below_the_bounds(case):
    name, network, x, y = case
    radius, generator = 0.02, torch.Generator().manual_seed(1)
    noise = torch.rand(500, *x.shape, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        logits = network((x + radius * (2 * noise - 1)).flatten(0, 1)).unflatten(0, (500, len(x)))
    least = (logits.gather(2, y[None, :, None].expand(500, -1, 1)) - logits).amin(0)
    found = [interval_margins(network, x - radius, x + radius, y)]
    if name in ("strided", "no bias"):
        found.append(linear_margins(network, x - radius, x + radius, y))
    for bounds in found:
        assert (bounds <= least + 1e-12).all()
        assert bounds.gather(1, y[:, None]).abs().max() < 1e-12


def test_a_box_of_one_point_has_the_margins_themselves(case):
    name, network, x, y = case
    logits = network(x)
    exact = logits.gather(1, y[:, None]) - logits
    torch.testing.assert_close(interval_margins(network, x, x, y), exact)
    if name in ("strided", "no bias"):
        torch.testing.assert_close(linear_margins(network, x, x, y), exact)


def test_intervals_by_hand():
    # h = relu(a - b) over [1, 2] x [0, 3]: a - b in [-2, 2], h in [0, 2]; the margin h - 1 - (0) is at least -1.
    network = nn.Sequential(nn.Linear(2, 1), nn.ReLU(), nn.Linear(1, 2))
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([[1.0, -1.0]]))
        network[0].bias.zero_()
        network[2].weight.copy_(torch.tensor([[1.0], [0.0]]))
        network[2].bias.copy_(torch.tensor([-1.0, 0.0]))
    low, high, y = torch.tensor([[1.0, 0.0]]), torch.tensor([[2.0, 3.0]]), torch.tensor([0])
    assert interval_margins(network, low, high, y).tolist() == [[0.0, -1.0]]
    # CROWN: u = 2 is not larger than -l = 2, so relu(z) >= 0 and the same bound.
    assert linear_margins(network, low, high, y).tolist() == [[0.0, -1.0]]


def test_one_pass_over_intervals_is_no_better_than_the_certificate():
    network = strided_cnn((1, 8, 8), 4)
    x = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    y = network(x).argmax(1)
    for row, label, proof in zip(x, y, certify(Classifier(network), x, norm=math.inf, method="crown"), strict=True):
        radius = proof.radius * 1.05
        margins = linear_margins(network, row[None] - radius, row[None] + radius, label[None])
        assert margins.min() < 0


def test_the_share_counts_boxes_whose_label_no_bound_excludes():
    network = nn.Sequential(nn.Linear(1, 2))
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([[0.0], [1.0]]))
        network[0].bias.zero_()
    x, y = torch.tensor([[0.2], [0.05], [-0.2]]), torch.tensor([1, 1, 1])
    assert proved_share(network, x - 0.1, x + 0.1, y) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (nn.Sequential(nn.Linear(2, 2), nn.GELU(), nn.Linear(2, 2)), "expected a chain of known layers, got GELU"),
        (nn.Sequential(nn.Linear(2, 2), nn.ReLU()), "expected a network that ends in nn.Linear"),
        (nn.Sequential(), "expected a network that ends in nn.Linear"),
    ],
)
def test_other_networks_are_refused(network, message):
    x = torch.zeros(1, 2)
    with pytest.raises(InputError, match=message):
        interval_margins(network, x, x, torch.tensor([0]))


def test_a_layer_that_crown_does_not_know_is_refused():
    network = nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 2))
    x = torch.zeros(1, 2)
    with pytest.raises(InputError, match=r"CROWN-IBP: knows the layers .*, got Tanh; set crown to 0"):
        linear_margins(network, x, x, torch.tensor([0]))
