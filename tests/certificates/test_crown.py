"""CROWN: sampled balls, witnesses, and what is left of it when the time is up."""

import math

import pytest
import torch
from torch import Tensor, nn

from certificate_cases import IMAGE, NETWORKS, NO_TIME, images, make_problem, margin_bounds, model_of
from clearance import Classifier, certify
from clearance.attacks import attack
from clearance.certificates.crown import crown, linear_guess
from clearance.certificates.crown_search import CrownSearch
from clearance.certificates.relaxation import Relaxation
from clearance.certificates.rows import Rows
from clearance.geometry.balls import sample_ball
from clearance.geometry.norms import dual_norm
from closed_forms import as_module, random_inputs, random_linear, random_network

each = pytest.mark.parametrize("name", NETWORKS)


@each
@pytest.mark.parametrize("norm", [1.0, 1.7, 2.0, math.inf])
@pytest.mark.parametrize("method", ["crown", "operator-norms"])
@pytest.mark.thinned(10)
def test_no_point_of_the_ball_changes_the_class(name: str, norm: float, method: str):
    bounds = None if norm == 1.7 else (0.0, 1.0)
    model, x = model_of(name, bounds=bounds), images(3)
    proofs = certify(model, x, norm=norm, method=method)
    assert all(proof.status == "certified" and proof.radius > 0 for proof in proofs)
    draw = torch.Generator().manual_seed(2)
    for i, proof in enumerate(proofs):
        if math.isinf(proof.radius):
            continue
        points = sample_ball(300, IMAGE, norm=norm, radius=proof.radius, generator=draw).double() + x[i]
        assert (model.logits(model.clip(points)).argmax(1) == proof.predicted).all()
    if method == "crown":
        for proof, witness in zip(proofs, attack(model, x, norm=norm, budget="quick"), strict=True):
            assert proof.radius <= witness.distance


@pytest.mark.parametrize("name", ["convolution", "max pooling", "functional", "shapes"])
def test_small_chunks_change_nothing(name: str, monkeypatch: pytest.MonkeyPatch):
    model, x = model_of(name), images(2)
    whole = certify(model, x, method="crown")
    monkeypatch.setattr("clearance.certificates.graph.LARGEST_TENSOR", 3000)
    parts = certify(model, x, method="crown")
    assert [proof.radius for proof in parts] == pytest.approx([proof.radius for proof in whole], rel=1e-9)


def test_crown_tightens_nothing_when_the_time_is_up(monkeypatch: pytest.MonkeyPatch):
    network, x = random_network(1, (6, 20, 20, 3), nn.ReLU), random_inputs(1, 2, 6)
    rows: list[int] = []
    bound_backward = Relaxation.bound_backward

    def counted(self: Relaxation, index: int, given: Rows, *, stop: int = 0) -> tuple[Rows, Tensor]:
        rows.append(given.values.shape[1])
        return bound_backward(self, index, given, stop=stop)

    monkeypatch.setattr(Relaxation, "bound_backward", counted)
    proofs = certify(Classifier(network), x, method="crown", time_limit=NO_TIME)
    assert all(proof.status == "time_limit" for proof in proofs)
    assert rows == [2]  # the two margins of one trial with intervals, and no unit before


@pytest.mark.parametrize("norm", [1.0, 2.0, math.inf])
def test_margins_of_an_affine_network_are_bounded_exactly(norm: float):
    """`min over the ball of g_t = g_t(x) - r ||w_c - w_t||_q`."""
    line, x = random_linear(4), random_inputs(4, 3, 6)
    problem, radius = make_problem(as_module(line), x, norm), torch.tensor([0.1, 0.5, 2.0], dtype=torch.float64)
    found = margin_bounds(problem, radius, problem.rows)
    for i in range(3):
        rows = line.weight[problem.source[i]] - line.weight[problem.targets[i]]
        lengths = torch.linalg.vector_norm(rows, dual_norm(norm), dim=1)
        assert torch.allclose(found[i], problem.gaps()[i] - radius[i] * lengths, atol=1e-12)


@pytest.mark.parametrize("norm", [1.0, 2.0, math.inf])
def test_the_first_radius_is_the_distance_of_a_linear_network(norm: float):
    line, x = random_linear(5), random_inputs(5, 3, 6)
    problem = make_problem(as_module(line), x, norm)
    own, nearest = problem.source, problem.gaps().argmin(1)
    rows = line.weight[own] - line.weight[problem.targets[torch.arange(3), nearest]]
    wanted = problem.gaps().amin(1) / torch.linalg.vector_norm(rows, dual_norm(norm), dim=1)
    assert torch.allclose(linear_guess(problem), wanted)


def test_a_short_gap_in_the_bounds_does_not_end_the_search():
    """The bounds are not monotone in the radius; here they fail somewhere below the radius that they prove."""
    network, x = random_network(275, (6, 8, 8, 8, 3), nn.ReLU), random_inputs(275, 1, 6)
    problem = make_problem(network, x, math.inf, bounds=(0, 1))
    (proof,) = crown(problem)
    shares = torch.linspace(0.9, 1 - 1e-6, 100, dtype=torch.float64)
    copies = problem.part(torch.zeros(100, dtype=torch.long))
    holds = CrownSearch(copies, True).lowest(shares * proof.radius).amin(1) > 0
    assert bool(holds[-1]) and not bool(holds.all())
    (exact,) = certify(Classifier(network, bounds=(0, 1)), x, norm=math.inf, method="exact")
    assert proof.radius < exact.radius
