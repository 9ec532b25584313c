"""The estimate in one ball: the nearest class, candidates that are dropped, what blocks cost."""

import pytest
import torch
from torch import nn

from clearance.estimates.clever import clever
from clearance.estimates.status import Status
from clearance.model.classifier import Classifier
from score_cases import deep_mlp, normal, small_mlp

SMALL = {"bound": "ball", "blocks": 8, "block_size": 64}


@pytest.mark.parametrize("radius", ["auto", 0.4])
@pytest.mark.parametrize("sampler", ["directed", "uniform"])
@pytest.mark.slow
def test_racing_finds_the_plain_minimum(sampler: str, radius: float):
    model, x = Classifier(small_mlp(2), dtype=torch.float64), normal(6, 6, seed=1)
    settings = {"bound": "ball", "sampler": sampler, "radius": radius, "blocks": 48, "block_size": 64}
    raced, plain = (clever(model, x, racing=racing, **settings) for racing in (True, False))
    for fast, full in zip(raced, plain, strict=True):
        assert fast.target == full.target
        assert fast.radius == pytest.approx(full.radius, rel=0.03)
    assert sum(s.cost.backward for s in raced) < sum(s.cost.backward for s in plain)


def test_untargeted_without_racing_is_the_minimum_over_targets():
    model, x = Classifier(small_mlp(3), dtype=torch.float64), normal(2, 6, seed=2)
    settings = {"bound": "ball", "sampler": "uniform", "radius": 0.3, "blocks": 10, "block_size": 50}
    for row in x:
        best = int(model.logits(row[None]).argmax())
        singles = [clever(model, row[None], target=t, **settings)[0].radius for t in range(4) if t != best]
        untargeted = clever(model, row[None], racing=False, **settings)[0]
        assert untargeted.radius == pytest.approx(min(singles), rel=1e-9)


def test_costs_count_samples():
    model, x = Classifier(small_mlp(), dtype=torch.float64), normal(1, 6)
    score = clever(model, x, target="runner-up", bound="ball", sampler="uniform", radius=0.5, blocks=7, block_size=50)[
        0
    ]
    assert score.cost.forward == score.cost.backward == 7 * 50 + 1  # the gradient at the input is one more
    many = clever(model, x, bound="ball", sampler="uniform", radius=0.5, blocks=7, block_size=50, racing=False)[0]
    assert many.cost.forward == 7 * 50 + 1  # shared by the three targets
    assert many.cost.backward == 3 * (7 * 50 + 1)
    searched = clever(model, x, target="runner-up", bound="ball", radius=0.5, blocks=5, block_size=37)[0]
    assert searched.cost.backward == 5 * 37 + 1
    assert searched.cost.seconds > 0


def test_the_default_stays_below_twenty_thousand_gradients():
    model, x = Classifier(small_mlp(), dtype=torch.float64), normal(3, 6)
    assert all(score.cost.backward <= 20_000 for score in clever(model, x, target="runner-up", bound="ball"))


def test_racing_and_targets():
    model, x = Classifier(deep_mlp(nn.Tanh(), seed=2), dtype=torch.float64), normal(2, 8, seed=1)
    labels = model.logits(x).argmax(1)
    labels[1] = (labels[1] + 1) % 4
    raced, plain = (clever(model, x, labels=labels, order=2, racing=racing, blocks=12) for racing in (True, False))
    assert raced[0].target == plain[0].target
    assert raced[0].radius == pytest.approx(plain[0].radius, rel=0.03)
    assert raced[1].status is Status.MISCLASSIFIED and raced[1].order == 2
