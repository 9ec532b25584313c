"""What evaluated points say about radii, at first and second order."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from clearance.estimates.evidence import Evidence, MarginProblem, Observation
from clearance.geometry.norms import dual_norm, vector_norm
from clearance.model.classifier import Classifier
from clearance.model.gradients import margin_gradient_norms
from closed_forms import random_linear
from score_cases import deep_mlp, half_hidden, margin_problem, normal, pose


def test_evidence_of_slopes_and_witnesses():
    model = Classifier(half_hidden, dtype=torch.float64)
    zero = torch.zeros(2, dtype=torch.float64)
    problem = pose(model, zero, 0, 1, torch.tensor([2.0], dtype=torch.float64), torch.ones(1))
    evidence = Evidence()
    points = torch.tensor([[-3.0, 0.0], [-2.0, 0.0], [1.0, 0.0]], dtype=torch.float64)
    evidence.add(problem, 0, points, 2 + points.sum(1), torch.full((3,), 0.1, dtype=torch.float64))
    assert evidence.secant.value == pytest.approx(1.0)
    assert -evidence.witness.value == pytest.approx(2.0)
    assert evidence.refuted_above == pytest.approx(20.0)
    assert evidence.within(1.5).secant.value in (0.0, pytest.approx(1.0))


def test_a_witness_refutes():
    network = deep_mlp(nn.Tanh())
    model, x = Classifier(network, dtype=torch.float64), normal(1, 8)
    where = margin_problem(model, x[0], order=2)
    evidence = Evidence()
    points = x + 0.1 * normal(1, 8, seed=2)
    evidence.add(where, 0, points, torch.tensor([-1.0], dtype=torch.float64), torch.tensor([0.0], dtype=torch.float64))
    assert -evidence.witness.value == pytest.approx(float((points - x).norm()))
    secant = evidence.secant.value  # the fall that no line explains needs at least this curvature
    assert where.taylor is not None
    linear = float(((points - x) * where.taylor.gradients).sum())
    fall = float(where.margins) + linear + 1.0
    assert secant == pytest.approx(2 * fall / float((points - x).norm()) ** 2, rel=1e-6)


def test_secant_curvatures_never_exceed_the_curvature_between():
    network = deep_mlp(nn.Tanh())
    model, x = Classifier(network, dtype=torch.float64), normal(1, 8)
    where, values = margin_problem(model, x[0], order=2), []
    for point in x[0] + normal(20, 8, seed=3):
        evidence = Evidence()
        logits = network(point[None])[0].detach()
        margin = (logits[where.predicted] - logits[int(where.targets[0])]).reshape(1)
        evidence.add(where, 0, point[None], margin, torch.zeros_like(margin))

        def value(at: Tensor) -> Tensor:
            output = network(at[None])[0]
            return output[where.predicted] - output[int(where.targets[0])]

        between = [
            float(torch.linalg.eigvalsh(torch.func.hessian(value)(x[0] + share * (point - x[0]))).abs().max())
            for share in np.linspace(0, 1, 11)
        ]
        values.append(evidence.secant.value / max(between))
    assert 0.05 < max(values) <= 1.0


def met(value: float, distance: float) -> Observation:
    return Observation(value, torch.full((1,), distance), distance)


def test_within_a_radius_only_derivatives_and_secants_from_farther_out_are_dropped():
    """The nearest witness says something about every radius, and is kept whatever its distance."""
    whole = Evidence(
        derivative=met(9.0, 3.0),
        secant=met(4.0, 2.5),
        witness=met(-2.0, 2.0),
        refuted_above=1.5,
        refuting=met(5.0, 1.0),
    )
    whole.samples, whole.finite = 7, False
    part = whole.within(1.0)
    assert part.derivative.value == 5.0 and part.secant.value == 0.0  # the one at `refuting` lies in the ball
    assert part.witness is whole.witness and part.refuted_above == 1.5
    assert (part.samples, part.finite) == (7, False)
    assert whole.within(3.0) == whole
    assert whole.within(0.5).derivative.value == -math.inf


def test_of_equal_observations_the_nearer_one_is_kept():
    near, far, larger = met(2.0, 1.0), met(2.0 * (1 + 1e-8), 5.0), met(2.1, 5.0)
    assert far.larger_of(near) is near and near.larger_of(far) is near
    assert near.larger_of(larger) is larger and larger.larger_of(near) is larger


def test_merged_evidence_is_that_of_all_points_together():
    network = random_linear(0, size=3)
    problem = margin_problem(Classifier(network, dtype=torch.float64), normal(3))
    points = problem.x0 + normal(20, 3, seed=1)
    margins, norms = margins_and_norms(problem, points)
    parts, whole = [Evidence(), Evidence()], Evidence()
    whole.add(problem, 0, points, margins, norms)
    for part, rows in zip(parts, (slice(0, 8), slice(8, 20)), strict=True):
        part.add(problem, 0, points[rows], margins[rows], norms[rows])
    both = parts[0].merged(parts[1])
    assert (both.samples, both.refuted_above, both.finite) == (whole.samples, whole.refuted_above, whole.finite)
    assert both.derivative.distance == whole.derivative.distance and both.secant.value == whole.secant.value
    assert both.witness.value == whole.witness.value


def margins_and_norms(problem: MarginProblem, points: Tensor) -> tuple[Tensor, Tensor]:
    margins, norms = margin_gradient_norms(
        problem.model, points, problem.predicted, problem.targets, problem.directions.support
    )
    return margins[:, 0], norms[:, 0]


@pytest.mark.parametrize("norm", [1.0, 2.0, math.inf])
def test_a_linear_margin_refutes_exactly_the_radii_beyond_its_boundary(norm: float):
    """`g / ||w||_q` is the distance, whichever points were met; no slope is above `||w||_q` (Hölder)."""
    network = random_linear(1, size=4)
    problem = margin_problem(Classifier(network, dtype=torch.float64), normal(4), norm)
    points = problem.x0 + 1e-3 * normal(10, 4, seed=2)
    evidence = Evidence()
    evidence.add(problem, 0, points, *margins_and_norms(problem, points))
    weight = network.weight[problem.predicted] - network.weight[int(problem.targets[0])]
    exact = float(vector_norm(weight[None], dual_norm(norm)))
    assert evidence.refuted_above == pytest.approx(float(problem.margins[0]) / exact, rel=1e-9)
    assert 0 < evidence.secant.value <= exact


def test_points_that_are_not_finite_are_counted_and_not_used():
    problem = margin_problem(Classifier(random_linear(0, size=2), dtype=torch.float64), normal(2))
    evidence, nan = Evidence(), torch.tensor([math.nan, 1.0], dtype=torch.float64)
    evidence.add(problem, 0, problem.x0 + normal(2, 2), nan, nan.flip(0))
    assert evidence.samples == 2 and not evidence.finite and evidence.derivative.point is None
