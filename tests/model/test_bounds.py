"""What lies outside its bounds is shown with the digits that say so, and with what may have been meant."""

import math

import pytest
import torch
from torch import Tensor, nn

import clearance as cl

ULP_ABOVE = math.nextafter(1.0, 2.0)


@pytest.mark.parametrize(
    ("value", "dtype", "said"),
    [
        (2.0, torch.float32, "got [0.5, 2] (input 1)"),
        (1 + 2.0**-23, torch.float32, "got [0.5, 1.0000001] (input 1)"),
        (ULP_ABOVE, torch.float64, "got [0.5, 1.000000000000000"),
        (-1e-30, torch.float64, "got [-1e-30, 0.5] (input 1)"),
    ],
)
def test_the_digits_show_what_is_outside(value: float, dtype: torch.dtype, said: str):
    network = nn.Linear(2, 2).to(dtype)
    model, x = cl.Classifier(network, bounds=(0, 1)), torch.full((2, 2), 0.5, dtype=dtype)
    x[1, 1] = value
    with pytest.raises(cl.BoundsError) as caught:
        model.logits(model.check_inputs(x))
    assert said in str(caught.value)


def test_values_that_look_normalised_are_recognised():
    model = cl.Classifier(nn.Linear(2, 2), bounds=(0, 1))
    with pytest.raises(cl.BoundsError, match=r"got \[-1\.5, 2\] \(input 0\); .*preprocessing=clearance.Normalize"):
        model.check_inputs(torch.tensor([[-1.5, 2.0]]))
    with pytest.raises(cl.BoundsError, match=r"\(input 0\)$"):
        model.check_inputs(torch.tensor([[0.0, 200.0]]))
    with pytest.raises(cl.BoundsError, match=r"look like grey levels: x / 255, or bounds=\(0, 255\)$"):
        model.check_inputs(torch.tensor([[[0.0, 200.0]]]))
    assert repr(cl.Normalize([0.4914, 0.5], 0.25)) == "Normalize(mean=[0.4914, 0.5], std=0.25)"


def test_a_bound_of_its_own_is_named():
    high: Tensor = torch.tensor([1.0, 0.5])
    model = cl.Classifier(nn.Linear(2, 2), bounds=(torch.zeros(2), high))
    with pytest.raises(cl.BoundsError, match=r"\[0, 1\], got 0\.7, above its bound of 0\.5 \(input 0\)"):
        model.check_inputs(torch.tensor([[0.9, 0.7]]))


@pytest.mark.parametrize(
    ("shape", "hint"),
    [
        ((2, 8, 8, 3), r"shape \(8, 8, 3\): are channels last\? networks take them first: x\.permute\(0, 3, 1, 2\)"),
        ((3, 8, 8), r"shape \(8, 8\): is it one input\? a batch of it is x\[None\]"),
        ((2, 1, 8, 8), r"shape \(1, 8, 8\); channels=3 of load_data, --channels 3, makes pictures so\)"),
        ((2, 2, 8, 8), r"shape \(2, 8, 8\)\)"),
    ],
)
def test_a_normalisation_that_does_not_go_with_the_channels_says_what_may_be_wrong(shape: tuple[int, ...], hint: str):
    with pytest.raises(
        cl.ShapeError, match=r"mean: expected 1 value or one per channel .*, got 3 \(the inputs .*" + hint
    ):
        cl.Normalize([0.5, 0.5, 0.5], [1.0, 1.0, 1.0])(torch.zeros(shape))
