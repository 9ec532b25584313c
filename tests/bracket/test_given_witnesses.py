"""Witnesses of a caller's own in a bracket: confirmed, counted as an attack, and no sign about gradients."""

import pytest
import torch
from torch import Tensor, nn

import clearance as cl
from clearance.errors import InputError, ShapeError


def line(**options: object) -> cl.Classifier:
    layer = nn.Linear(2, 2, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
    return cl.Classifier(layer, bounds=(-5, 5), **options)  # type: ignore[arg-type]


X = torch.tensor([[1.0, 1.0], [2.0, 1.0]])


def hidden(x: Tensor) -> Tensor:
    """Class 0 where the values sum to more than 3; its gradient is zero."""
    margin = (x.sum(1) > 3).to(x.dtype) + 0 * x.sum(1) - 0.5
    return torch.stack([margin, -margin], 1)


@pytest.mark.parametrize("norm", [1.0, 2.0, float("inf")])
@pytest.mark.parametrize("scale", [None, torch.tensor([0.5, 2.0])])
def test_a_nearer_witness_is_the_brackets(norm: float, scale: Tensor | None):
    point = torch.tensor([0.9, 0.9] * 4)
    x = torch.full((1, 8), 1.0)
    model = cl.Classifier(lambda t: hidden(t - 0.56), bounds=(0, 2), scale=None if scale is None else scale.repeat(4))
    (found,) = cl.bracket(model, x, norm=norm, budget=2000, witnesses=[point])
    distance = float(torch.linalg.vector_norm((point - x[0]) / (1.0 if scale is None else scale.repeat(4)), norm))
    assert found.attacked.distances["given"] == pytest.approx(distance, rel=1e-6)
    assert found.attacked.distance <= distance * (1 + 1e-6)
    assert found.attacked.zero_gradient  # of the input, whoever met the witness
    assert found.status is cl.Status.MASKED  # what is handed over is no sign that gradients can be followed


def test_a_farther_witness_changes_no_number_of_the_attack():
    model, far = line(), [torch.tensor([-4.0, -4.0]), None]
    plain, told = (cl.bracket(model, X, budget=2000, witnesses=given) for given in (None, far))
    for one, other in zip(plain, told, strict=True):
        assert one.attacked.distance == other.attacked.distance and one.attacked.method == other.attacked.method
        assert other.status is cl.Status.OK
    assert "given" in told[0].attacked.distances and "given" not in told[1].attacked.distances


def test_without_a_gradient_it_is_the_attack():
    model = cl.Classifier(lambda x: hidden(x).detach(), bounds=(0, 2))
    x = torch.full((1, 8), 1.0)
    (found,) = cl.bracket(model, x, budget=2000, witnesses=[torch.full((8,), 0.3)], references=x[:0])
    assert "given" in found.attacked.distances and found.attacked.success


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        (
            [X[0], None],
            InputError,
            "witnesses: the witness of input 0: expected a point that is predicted as class 1, got one of class 0",
        ),
        ([None, torch.tensor([-9.0, 0.0])], InputError, "witnesses: the witness of input 1: "),
        ([None], ShapeError, r"witnesses: expected one per input \(2\), got 1"),
        ([None, torch.zeros(3)], ShapeError, r"witnesses: the witness of input 1: expected shape \(2,\), got \(3,\)"),
        (["near", None], InputError, "witnesses: the witness of input 0: expected a tensor, got str"),
    ],
)
def test_what_is_none_is_refused(given: list[Tensor | None], error: type[Exception], said: str):
    with pytest.raises(error, match=said):
        cl.bracket(line(), X, budget=2000, witnesses=given)
