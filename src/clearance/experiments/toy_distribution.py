"""The toy model of Tsipras, Santurkar, Engstrom, Turner and Madry (2019), section 2: accuracy against robust accuracy.

`y` is -1 or +1 with probability 1/2. `X_1 = y` with probability `p`, else `-y`; `X_2, ..., X_d` are independent normal
variables with mean `eta y` and variance 1. A linear classifier predicts the sign of `a X_1 + b (X_2 + ... + X_d)`.

**Accuracy.** The sum of the last `n = d - 1` features is normal with mean `eta n y` and variance `n`. Given `X_1 = y`,
`y` times the activation is normal with mean `a + b eta n` and standard deviation `b sqrt(n)`; given `X_1 = -y`, with
mean `-a + b eta n`. An `l_inf` perturbation of size `eps` lowers `y` times a linear activation `⟨w, x⟩` by at most
`eps ‖w‖_1 = eps (|a| + n b)`, and one does (Hölder's inequality with equality). So, with the distribution function
`Phi` of the standard normal distribution, accuracy under attack is, for `b > 0`,

    p Phi((a + b eta n - eps (|a| + n b)) / (b sqrt(n))) + (1 - p) Phi((-a + b eta n - eps (|a| + n b)) / (b sqrt(n)))

and clean accuracy is this at `eps = 0`. For `b = 0` it is `p` where `eps < 1`, else 0.

**Three classifiers.** `average` has `a = 0, b = 1`: accuracy `Phi(eta sqrt(n))`, robust accuracy
`Phi((eta - eps) sqrt(n))`, below 1/2 from `eps > eta` on. `first` has `a = 1, b = 0`: `p` for both. `bayes` has the log
of the ratio of the densities, `X_1 log(p / (1 - p)) + 2 eta (X_2 + ... + X_d)`: no classifier is more accurate.

**The trade-off.** Let `eps >= 2 eta` and `1/2 <= p < 1`. An adversary can move every one of the last features by
`-2 eta y`, which turns their mean into `-eta y`. Let `u` be the probability that a classifier is right given `X_1 = y`
and `v` given `X_1 = -y`. After the move it is right with the probabilities `1 - v` and `1 - u` (the same features with
the other label). So its robust accuracy is at most `p (1 - v) + (1 - p) (1 - u)`, while its error is
`p (1 - u) + (1 - p) (1 - v)`; term by term the first is at most `p / (1 - p)` times the second: accuracy `1 - delta`
forces robust accuracy `<= delta p / (1 - p)` (their theorem 2.1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from scipy.special import ndtr
from torch import Tensor, nn
from torch.nn.utils import skip_init

from clearance.errors import InputError
from clearance.model.seeds import make_generator


@dataclass(frozen=True)
class ToyModel:
    """The distribution of the toy model. Source: Tsipras et al. (2019), section 2.1.

    Attributes:
        p: Probability that the first feature is the label, in [1/2, 1).
        eta: Mean of the other features, times the label, > 0.
        d: Number of features, at least 2.

    Raises:
        InputError: If a parameter lies outside its range.
    """

    p: float
    eta: float
    d: int

    def __post_init__(self) -> None:
        """Check the parameters."""  # noqa: DOC501
        if not (0.5 <= self.p < 1 and 0 < self.eta < math.inf and self.d >= 2):
            raise InputError(f"toy model: expected 1/2 <= p < 1, eta > 0 and d >= 2, got {self}")

    def sample(self, count: int, seed: int) -> tuple[Tensor, Tensor]:
        """Independent pairs.

        Args:
            count: How many.
            seed: Fixes them.

        Returns:
            Features `(count, d)`, float64, and classes `(count,)`: 1 for the label +1, 0 for -1.
        """
        generator = make_generator("cpu", seed, "toy-model", self.p, self.eta, self.d)
        sign = 2.0 * torch.randint(2, (count,), generator=generator).double() - 1
        kept = torch.rand(count, generator=generator, dtype=torch.float64) < self.p
        rest = torch.randn(count, self.d - 1, generator=generator, dtype=torch.float64) + self.eta * sign[:, None]
        return torch.cat([torch.where(kept, sign, -sign)[:, None], rest], 1), (sign > 0).long()


@dataclass(frozen=True)
class Weights:
    """A linear classifier of the toy model: the sign of `first X_1 + other (X_2 + ... + X_d)`.

    Attributes:
        first: `a`.
        other: `b >= 0`.
    """

    first: float
    other: float

    def accuracy(self, model: ToyModel, eps: float = 0.0) -> float:
        """Accuracy under the worst `l_inf` perturbation of size `eps`, by the formula at the top.

        Args:
            model: The distribution.
            eps: Size of the perturbation, >= 0.

        Returns:
            A probability.

        >>> round(Weights(0, 1).accuracy(ToyModel(0.95, 0.3, 101)), 5)  # Phi(3)
        0.99865
        >>> Weights(1, 0).accuracy(ToyModel(0.95, 0.3, 101), 0.6)
        0.95
        """
        n = model.d - 1
        lost = eps * (abs(self.first) + n * self.other)
        if self.other == 0:
            return model.p * (self.first > lost) + (1 - model.p) * (-self.first > lost)
        spread, mean = self.other * math.sqrt(n), self.other * model.eta * n
        right, wrong = (ndtr((sign * self.first + mean - lost) / spread) for sign in (1, -1))
        return float(model.p * right + (1 - model.p) * wrong)

    def network(self, d: int) -> nn.Module:
        """The classifier with two logits, 0 and the activation, `(batch, d)` to `(batch, 2)`, in float64."""
        weight = torch.zeros(2, d, dtype=torch.float64)
        weight[1, 0], weight[1, 1:] = self.first, self.other
        layer = skip_init(nn.Linear, d, 2, bias=False, dtype=torch.float64)
        layer.load_state_dict({"weight": weight})
        return layer


def linear_accuracy(model: ToyModel, weight: Tensor, bias: float, eps: float = 0.0) -> float:
    """Accuracy of the sign of `⟨w, x⟩ + b` under the worst `l_inf` perturbation, for any weights.

    Given `y` and `X_1 = s y`, `y (⟨w, x⟩ + b)` is normal with mean `s w_1 + eta (w_2 + ... + w_d) + y b` and variance
    `w_2^2 + ... + w_d^2`; the perturbation takes `eps ‖w‖_1` from it. The four cases are weighted by their
    probabilities. Source: as at the top.

    Args:
        model: The distribution.
        weight: `w`, `(d,)`, not all of the last ones 0.
        bias: `b`.
        eps: Size of the perturbation, >= 0.

    Returns:
        A probability.

    >>> weights = Weights(0.5, 1.0)
    >>> model = ToyModel(0.9, 0.1, 3)
    >>> abs(linear_accuracy(model, torch.tensor([0.5, 1.0, 1.0]), 0.0, 0.2) - weights.accuracy(model, 0.2)) < 1e-9
    True
    """
    w = weight.double()
    spread, lost = float(w[1:].norm()), eps * float(w.abs().sum())
    mean = model.eta * float(w[1:].sum()) - lost
    cases = [(p / 2, s * float(w[0]) + y * bias) for s, p in ((1, model.p), (-1, 1 - model.p)) for y in (1, -1)]
    return float(sum(share * ndtr((mean + shift) / spread) for share, shift in cases))


def bayes(model: ToyModel) -> Weights:
    """The most accurate classifier: the logarithm of the ratio of both labels' densities.

    Source: Bayes' rule with the densities of Tsipras et al. (2019), section 2.1.
    """
    return Weights(math.log(model.p / (1 - model.p)), 2 * model.eta)


def classifier_of(name: str, model: ToyModel) -> Weights:
    """The weights of a name of `CLASSIFIERS`. Source: Tsipras et al. (2019), section 2.1."""
    return {"bayes": bayes(model), "average": Weights(0.0, 1.0), "first": Weights(1.0, 0.0)}[name]


def robust_accuracy_limit(model: ToyModel, accuracy: float) -> float:
    """The most robust accuracy at `eps >= 2 eta` that a classifier of this accuracy can have: `p / (1 - p) (1 - acc)`.

    Source: Tsipras et al. (2019), theorem 2.1.

    >>> round(robust_accuracy_limit(ToyModel(0.95, 0.3, 101), 0.99), 9)
    0.19
    """
    return min(1.0, model.p / (1 - model.p) * (1 - accuracy))
