"""A network may mask the classes that it does not use, with a logit of -1e9 or the lowest number: nothing changes."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import clearance as cl
from clearance.attacks.table import ATTACKS
from clearance.geometry.norms import vector_norm
from closed_forms import random_inputs, random_linear

MASKS = [-1e6, -1e7, -1e8, -1e9, -1e20, torch.finfo(torch.float32).min]
LINEAR = random_linear(3, classes=3, size=6)
X = random_inputs(5, 3, 6).float()


def masked(value: float, *, curved: bool = False) -> cl.Classifier:
    """A classifier with one more class, which is never used; linear, or a smooth function of a linear one."""

    def network(x: Tensor) -> Tensor:
        logits = LINEAR(x)
        logits = logits.tanh() if curved else logits
        return torch.cat([logits, torch.full_like(logits[:, :1], value)], 1)

    return cl.Classifier(network)


@pytest.mark.thinned(8)
@pytest.mark.parametrize("norm", [1.0, 2.0, float("inf")])
@pytest.mark.parametrize("value", MASKS)
def test_the_attack_finds_the_closed_form_distance(value: float, norm: float):
    exact = LINEAR.distance(X.double(), norm)
    found = cl.attack(masked(value), X, norm=norm, budget="quick")
    assert [result.distance for result in found] == pytest.approx(exact.tolist(), rel=2e-3)


@pytest.mark.parametrize("value", [-1e9, MASKS[-1]])
@pytest.mark.parametrize("method", ATTACKS)
@pytest.mark.thinned(8)
def test_each_attack_ends_at_the_same_bits(method: str, value: float):
    norm = next(p for p in (2.0, 1.0, float("inf"), 0.0) if ATTACKS[method].is_for(p))

    def distances(model: cl.Classifier) -> list[float]:
        return [a.distance for a in cl.attack(model, X, norm=norm, method=method, budget="quick", target="runner-up")]

    assert distances(masked(value)) == distances(masked(-50.0))


@pytest.mark.parametrize("value", MASKS)
def test_the_estimate_is_the_closed_form(value: float):
    exact = LINEAR.distance(X.double(), 2.0)
    scores = cl.clever(masked(value), X, bound="ball", blocks=4, block_size=16)
    assert [score.radius for score in scores] == pytest.approx(exact.tolist(), rel=1e-4)


@pytest.mark.parametrize("value", MASKS)
@pytest.mark.parametrize("reach", [None, 1.5])
def test_what_refutes_a_profile_is_seen(value: float, reach: float | None):
    """Nine tenths of the margin's fall have no gradient, with a witness and without one within the bounds."""

    def network(x: Tensor) -> Tensor:
        hidden = 0.9 * x.sum(1).detach()
        hidden = hidden if reach is None else hidden.clamp(-reach, reach)
        margin = 2 + 0.1 * x.sum(1) + hidden
        return torch.stack([margin, torch.zeros_like(margin), torch.full_like(margin, value)], 1)

    (score,) = cl.clever(cl.Classifier(network, bounds=(-1, 1)), torch.zeros(1, 3), budget="quick")
    assert score.status is cl.Status.REFUTED and score.excess > 2 and (score.witness is None) is (reach is not None)


@pytest.mark.parametrize("value", MASKS)
def test_slopes_are_trusted_as_far_as_their_own_logits_are(value: float):
    """A slope between two points of a linear margin is at most its gradient norm; a slack of 1e9 leaves nothing."""
    (score,) = cl.clever(masked(value), X[:1], bound="ball", blocks=4, block_size=16)
    gradient = LINEAR.weight[score.predicted] - LINEAR.weight[score.target]
    norm = float(vector_norm(gradient[None], 2.0))
    assert 0.1 * norm < score.largest_slope <= norm * (1 + 1e-6)


SCORES: dict[str, Callable[[cl.Classifier], list[float]]] = {
    "uniform": lambda model: [
        s.radius for s in cl.clever(model, X, bound="ball", sampler="uniform", radius=1.0, blocks=5, block_size=16)
    ],
    "profile": lambda model: [end for s in cl.clever(model, X, budget="quick") for end in (s.radius, *s.interval)],
    "second order": lambda model: [s.radius for s in cl.clever(model, X, order=2, blocks=4, block_size=16)],
    "one-sided": lambda model: [
        s.radius for s in cl.clever(model, X, order=2, curvature="one-sided", blocks=4, block_size=16)
    ],
}


@pytest.mark.parametrize("value", [-1e9, MASKS[-1]])
@pytest.mark.parametrize("name", SCORES)
@pytest.mark.thinned(3)
def test_every_estimate_ends_at_the_same_bits(name: str, value: float):
    found, expected = SCORES[name](masked(value, curved=True)), SCORES[name](masked(-50.0, curved=True))
    assert found == expected and all(radius > 0 for radius in found)
