"""How far a linear activation grows under a perturbation of fixed size in each coordinate: with the dimension.

`max over ‖eta‖_inf <= eps of ⟨w, eta⟩ = eps ‖w‖_1`, reached at `eta = eps sign(w)` (Hölder's inequality with equality).
With `n` weights of mean absolute value `m` that is `eps m n`: it grows with the dimension while `‖eta‖_inf` does not.
Random signs of the same size give about `eps ‖w‖_2`, which grows as the square root. Source: Meyer (2017), section 2,
after Goodfellow, Shlens and Szegedy (2015), section 3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

from clearance.experiments.outcome import PaperTable
from clearance.model.classifier import Classifier
from clearance.model.gradients import margin_gradients
from clearance.model.seeds import make_generator

GROWTH_EPS = 0.007
"""Size of the perturbation in the table of growth: that of the notes' figure 1."""
DIMENSIONS = (1, 10, 100, 1000, 10_000)
"""Of the linear models whose activation grows."""
RANDOM_SIGNS = 200
"""Random perturbations beside the worst one: their mean size is known to within 5 %."""
GROWTH_ROUNDING = 1e-3
"""Share by which measured growth may differ from the exact one: a difference of two float32 logits of about 10, with a
growth of about .1, is off by 1e-5 of it at most a few dozen times over."""


@dataclass(frozen=True)
class Growth:
    """How far a linear activation grows under a perturbation of size `GROWTH_EPS` in each coordinate.

    Attributes:
        name: Of the model.
        n: Weights.
        m: Their mean absolute value.
        measured: Growth under one signed step along the gradient.
        random: Mean growth, in absolute value, under random signs.
        expected: `eps ‖w‖_2 sqrt(2 / pi)`: that mean for many weights (central limit theorem).
    """

    name: str
    n: int
    m: float
    measured: float
    random: float
    expected: float

    @property
    def exact(self) -> float:
        """`eps m n = eps ‖w‖_1`."""
        return GROWTH_EPS * self.m * self.n


def growth(n: int, seed: int) -> Growth:
    """The growth of a linear model with `n` standard normal weights.

    Args:
        n: Dimension.
        seed: Fixes the weights.

    Returns:
        The growth, theory and measurement.
    """
    weight = torch.zeros(2, n, dtype=torch.float64)
    weight[0] = torch.randn(n, generator=make_generator("cpu", seed, "growth", n), dtype=torch.float64)
    layer = skip_init(nn.Linear, n, 2, bias=False, dtype=torch.float64)
    layer.load_state_dict({"weight": weight})
    return grown_by(f"normal weights, n = {n}", Classifier(layer), torch.zeros(n, dtype=torch.float64), 0, 1, seed)


def weights_growth(model: Classifier, x: Tensor) -> Growth:
    """The growth of a linear network's margin of its best class over its second one, at an input `(*input)`."""
    best, second = model.logits(x[None])[0].topk(2).indices.tolist()
    return grown_by("trained linear network, margin", model, x, best, second, 0)


def grown_by(name: str, model: Classifier, x: Tensor, first: int, second: int, seed: int) -> Growth:
    """The growth of the difference of two logits of a linear network.

    Source: Meyer (2017), section 2.

    Args:
        name: Of the model.
        model: A linear classifier. Its bounds are not kept to.
        x: An input, `(*input)`.
        first: The class whose logit grows.
        second: The class whose logit is subtracted.
        seed: Fixes the random signs.

    Returns:
        The growth.
    """
    before, gradient = margin_gradients(model, x[None], first, second)
    step = x + GROWTH_EPS * gradient[0].sign()
    generator = make_generator("cpu", seed, "signs", x.numel())
    signs = torch.randint(2, (RANDOM_SIGNS, *x.shape), generator=generator).to(x) * 2 - 1
    worst, _ = margin_gradients(model, step[None], first, second)
    others, _ = margin_gradients(model, x + GROWTH_EPS * signs, first, second)
    return Growth(
        name=name,
        n=x.numel(),
        m=float(gradient.abs().mean()),
        measured=float(worst - before),
        random=float((others - before).abs().mean()),
        expected=GROWTH_EPS * float(gradient.norm()) * math.sqrt(2 / math.pi),
    )


def growth_table(rows: Sequence[Growth], data: str) -> PaperTable:
    """The growth of each model, formula beside measurement."""
    columns = ("model", "n", "m", "eps m n", "measured", "random signs", "eps ‖w‖_2 sqrt(2 / pi)")
    cells = tuple(
        (
            row.name.replace("trained", f"{data}, trained"),
            row.n,
            row.m,
            row.exact,
            row.measured,
            row.random,
            row.expected,
        )
        for row in rows
    )
    note = f"eps = {GROWTH_EPS:g}. The notes give the formula only; the step is one of the fast gradient sign method."
    return PaperTable("Section 2: growth of a linear activation", columns, cells, note)
