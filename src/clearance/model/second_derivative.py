"""Whether a network has a second derivative that says anything: asked of its Hessian-vector products."""

from __future__ import annotations

import torch
from torch import Tensor

from clearance.model.classifier import Classifier
from clearance.model.memory import is_out_of_memory
from clearance.model.seeds import make_generator
from clearance.records import Word

PROBED_POINTS = 4
"""Points at which products are taken: a smooth function has one that is not zero at almost every point."""
NO_CURVATURE = 256.0
"""Units of rounding of the gradient below which its change along a product counts as none."""


class SecondDerivative(Word):
    """What the Hessian-vector products of a network's margins are.

    Source: this project.
    """

    CURVED = "curved", "Hessian-vector products exist and are not zero"
    ZERO = "zero", "the Hessian is zero where tested, as that of a piecewise linear network is"
    FLAT = "flat", "the network passes no gradient to its input"
    NONE = "none", "the network has no second derivative"


def second_derivative(model: Classifier, x: Tensor, *, seed: int = 0) -> tuple[SecondDerivative, str]:
    """Take one Hessian-vector product of a random margin at a few points.

    With weights `w` that sum to zero, the function is `<w, f(x)>`: constants that all logits share, such as those of a
    LogSoftmax, cancel. The Hessian counts as zero where `max |H v| max |x| <= NO_CURVATURE eps max |∇|` for a random
    `v` of entries of unit variance. A layer that hides its second derivative from autograd counts as zero. The network
    may have kinks besides: those are looked for around each input by the estimate of second order itself.

    Source: this project; that a piecewise linear network has no Hessian: Weng et al. (2018b), section 3.3.

    Args:
        model: The classifier.
        x: Points, `(batch, *input)`; the first `PROBED_POINTS` are taken.
        seed: For the weights and the directions.

    Returns:
        The kind, and what the network said where it has no second derivative.

    Raises:
        NetworkError: If the network fails without derivatives as well.
        RuntimeError: If memory runs out.
    """
    points = model.check_inputs(x)[:PROBED_POINTS]
    classes = model.logits(points[:1]).shape[1]
    generator = make_generator("cpu", seed, "second derivative")
    weights = torch.randn(classes, generator=generator, dtype=torch.float64)
    weights = (weights - weights.mean()).to(points)
    shifts = torch.randn(points.shape, generator=generator, dtype=torch.float64).to(points)

    def part(rows: Tensor) -> tuple[Tensor, Tensor]:
        _, gradients, product = model.hessian(rows, lambda logits: (logits * weights).sum(1))
        return gradients, product(shifts[: len(rows)])

    try:
        gradients, images = model.in_micro_batches(part, points)
    except RuntimeError as error:  # a network's own error, or an operator of torch that has no such derivative
        if is_out_of_memory(error):
            raise
        return SecondDerivative.NONE, str(error)
    largest = float(gradients.abs().max())
    if largest == 0:
        return SecondDerivative.FLAT, ""
    spread = float(points.abs().max()) or 1.0
    noise = NO_CURVATURE * torch.finfo(points.dtype).eps * largest
    curved = float(images.abs().max()) * spread > noise
    return (SecondDerivative.CURVED if curved else SecondDerivative.ZERO), ""
