"""Metrics for validation loops: `update(x, labels)`, `compute()`, `reset()`, as those of torchmetrics behave.

In a loop:

    metric = clearance.metrics.RobustAccuracyMetric(network, radius=8 / 255, norm="inf", bounds=(0, 1))
    for x, labels in loader:
        metric.update(x, labels)
    metric.compute()  # {"clean": tensor(0.9500), "not_broken": tensor(0.4100)}
    metric.reset()

Nothing of torchmetrics is needed. What is the same: a call updates and returns the value of that batch alone;
`compute` is over everything since the last `reset`, in all processes of `torch.distributed`; before the first `update`
it warns.
What differs: a metric is no `nn.Module`, so that a network that holds one is not stored twice; it attacks the network
that it was given, wherever that has been moved to, and leaves it as it was (mode, gradients, random state).
"""

from __future__ import annotations

import copy
import warnings
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Self

import torch
from torch import Tensor, distributed, nn

from clearance.attacks.best import attack
from clearance.bracket.robust_accuracy import robust_accuracy
from clearance.certificates.best import certify
from clearance.errors import InputError
from clearance.estimates.clever import clever
from clearance.geometry.exponents import as_norm
from clearance.model.bounds import Bound
from clearance.model.classifier import Classifier
from clearance.model.robustness import Robustness, RobustShares

WRONG = Robustness.MISCLASSIFIED.value
"""What attacks and certificates say of an input whose prediction is not its label."""
Labels = Tensor | Sequence[int]
"""The true class of each input."""
Shares = dict[str, Tensor]
"""What a metric computes: a name for each number, each a tensor without dimensions."""


class ValidationMetric(ABC):
    """What every metric of this module does; see the module's text.

    Args:
        network: A network, `(batch, *input)` to logits, or a `Classifier`.
        bounds: The valid range of an input; of a `Classifier` its own.
        preprocessing: Applied before the network; of a `Classifier` its own.

    Attributes:
        update_count: How many batches there were since the last `reset`.
    """

    higher_is_better = True
    is_differentiable = False

    def __init__(
        self,
        network: nn.Module | Classifier,
        *,
        bounds: tuple[Bound, Bound] | None = None,
        preprocessing: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        if isinstance(network, Classifier) and (bounds is not None or preprocessing is not None):
            raise InputError("bounds: expected none with a Classifier, which has its own; got bounds or preprocessing")
        self.network, self.bounds, self.preprocessing = network, bounds, preprocessing
        self.classifier()  # says at once what cannot be used
        self.update_count = 0
        self._computed: Shares | None = None
        self._state = self._empty()

    @abstractmethod
    def _empty(self) -> list[Any]:
        """What is kept before the first batch."""

    @abstractmethod
    def _seen(self, x: Tensor, labels: Labels) -> list[Any]:
        """What one batch adds."""

    @abstractmethod
    def _value(self, state: list[Any]) -> Shares:
        """The numbers that what is kept amounts to."""

    def update(self, x: Tensor, labels: Labels) -> None:
        """Take in a batch.

        Args:
            x: `(batch, *input)`, in input units.
            labels: True classes, `(batch,)`.
        """
        found = self._seen(x, labels)
        self._state, self._computed = self._state + found, None
        self.update_count += 1

    def compute(self) -> Shares:
        """The numbers of all batches since the last `reset`, those of other processes as well.

        Returns:
            A tensor without dimensions for each name; NaN where there is nothing to compute from.
        """
        if not self.update_count:
            name = type(self).__name__
            warnings.warn(f"compute() of {name} was called before update(): there is nothing to compute", stacklevel=2)
        if self._computed is None:
            self._computed = self._value(_of_all_processes(self._state))
        return dict(self._computed)

    def reset(self) -> None:
        """Forget every batch."""
        self._state, self._computed, self.update_count = self._empty(), None, 0

    def __call__(self, x: Tensor, labels: Labels) -> Shares:
        """Take in a batch, and return the numbers of this batch alone.

        Args:
            x: `(batch, *input)`, in input units.
            labels: True classes, `(batch,)`.

        Returns:
            As `compute`, of this batch in this process.
        """
        before = len(self._state)
        self.update(x, labels)
        return self._value(self._state[before:])

    @property
    def update_called(self) -> bool:
        """Whether there was a batch since the last `reset`."""
        return self.update_count > 0

    def clone(self) -> Self:
        """Another metric of the same network, with what this one has seen."""
        found = copy.copy(self)
        found._state = list(self._state)
        return found

    def __repr__(self) -> str:
        """Its kind and its network."""
        name = type(self.network).__name__
        return f"{type(self).__name__}({name}, {self.update_count} batches)"

    def classifier(self) -> Classifier:
        """The network as it is now: it may have been moved since the last batch."""
        if isinstance(self.network, Classifier):
            return self.network
        return Classifier(self.network, self.bounds, preprocessing=self.preprocessing)


class RobustAccuracyMetric(ValidationMetric):
    """Robust accuracy at one radius, from both ends: the share proved is never more, the share not broken never less.

    `compute` gives `clean`, the accuracy; `not_broken`, the share of inputs that are classified correctly and for which
    the attacks found no witness within the radius: robust accuracy is that **or less**; and with a certificate
    `proved`: robust accuracy is that or more. A misclassified input counts as broken (`bracket.robust_accuracy`).

    Args:
        network: A network, `(batch, *input)` to logits, or a `Classifier`.
        radius: The radius in input units.
        norm: The norm `p` of distances, from 1 to infinity.
        budget: How hard the attacks try, as in `robust_accuracy`; a number of passes such as 50 is quick.
        certificate: Method of `certify`, or `"none"`.
        time_limit: Seconds that the certificate of one input may take, on average.
        seed: With each input's content, fixes every random number.
        bounds: The valid range of an input; of a `Classifier` its own.
        preprocessing: Applied before the network; of a `Classifier` its own.

    >>> line = nn.Linear(2, 2, bias=False)
    >>> _ = line.weight.data.copy_(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
    >>> metric = RobustAccuracyMetric(line, radius=0.5, norm=2, certificate="linear")
    >>> metric.update(torch.tensor([[1.0, 0.5], [0.1, 0.1], [-1.0, 0.0]]), torch.tensor([0, 0, 0]))
    >>> {name: round(float(share), 3) for name, share in metric.compute().items()}
    {'clean': 0.667, 'not_broken': 0.333, 'proved': 0.333}
    """

    def __init__(
        self,
        network: nn.Module | Classifier,
        *,
        radius: float,
        norm: float | str = 2.0,
        budget: str | int = "quick",
        certificate: str = "none",
        time_limit: float = 5.0,
        seed: int = 0,
        bounds: tuple[Bound, Bound] | None = None,
        preprocessing: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self.radius, self.norm, self.certificate = radius, as_norm(norm), certificate
        self._choices: dict[str, Any] = {"budget": budget, "time_limit": time_limit, "seed": seed}
        super().__init__(network, bounds=bounds, preprocessing=preprocessing)

    def _empty(self) -> list[Robustness]:
        return []

    def _seen(self, x: Tensor, labels: Labels) -> list[Robustness]:
        found = robust_accuracy(
            self.classifier(), x, labels, self.radius, self.norm, certificate=self.certificate, **self._choices
        )
        return list(found.statuses)

    def _value(self, state: list[Robustness]) -> Shares:
        counts, of = Counter(state), len(state)
        proved, held = counts[Robustness.PROVED], counts[Robustness.PROVED] + counts[Robustness.NOT_BROKEN]
        shares = {"clean": of - counts[Robustness.MISCLASSIFIED], "not_broken": held}
        shares |= {} if self.certificate == "none" else {"proved": proved}
        return {name: torch.tensor(count / of if of else torch.nan) for name, count in shares.items()}

    def shares(self, *, level: float = 0.95) -> RobustShares:
        """The same as a record, with Clopper-Pearson intervals for all inputs that these were drawn from.

        Args:
            level: Confidence level of the intervals.

        Returns:
            The shares of everything since the last `reset`.
        """
        state = tuple(_of_all_processes(self._state))
        return RobustShares(self.radius, self.norm, state, self.certificate != "none", level)


class MedianRadiusMetric(ValidationMetric):
    """The median of one number of the bracket, over the correctly classified inputs that have one.

    `compute` gives the median under its own name and `share`, the share of the correctly classified inputs that it
    rests on: inputs whose estimate must not be read, or without a witness, have no number.

    Args:
        network: A network, `(batch, *input)` to logits, or a `Classifier`.
        of: `"estimated"`: the estimated radius, an estimate and **no bound** (`clever`); `"attacked"`: the distance of
            the nearest witness found (`attack`); `"certified"`: the proved radius, 0 where nothing is proved
            (`certify`).
        norm: The norm `p` of distances, from 1 to infinity.
        budget: How hard estimate or attack try, as there.
        time_limit: Seconds that a certificate of one input may take, on average.
        seed: With each input's content, fixes every random number.
        bounds: The valid range of an input; of a `Classifier` its own.
        preprocessing: Applied before the network; of a `Classifier` its own.

    Raises:
        InputError: If `of` is none of these.

    >>> line = nn.Linear(2, 2, bias=False)
    >>> _ = line.weight.data.copy_(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
    >>> metric = MedianRadiusMetric(line, of="certified")
    >>> found = metric(torch.tensor([[1.0, 0.5], [0.5, 0.25], [-1.0, 0.0]]), [0, 0, 0])
    >>> round(float(found["certified"]), 3), float(found["share"])
    (0.75, 1.0)
    """

    def __init__(
        self,
        network: nn.Module | Classifier,
        *,
        of: str = "estimated",
        norm: float | str = 2.0,
        budget: str | int = "quick",
        time_limit: float = 5.0,
        seed: int = 0,
        bounds: tuple[Bound, Bound] | None = None,
        preprocessing: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        if of not in QUANTITIES_OF_METRICS:
            raise InputError(f"of: expected one of {', '.join(QUANTITIES_OF_METRICS)}, got {of!r}")
        self.of, self.norm, self.budget, self.time_limit, self.seed = of, as_norm(norm), budget, time_limit, seed
        super().__init__(network, bounds=bounds, preprocessing=preprocessing)

    def _empty(self) -> list[float | None]:
        return []

    def _seen(self, x: Tensor, labels: Labels) -> list[float | None]:
        """A number, or nothing, for each correctly classified input."""
        return QUANTITIES_OF_METRICS[self.of](self, x, labels)

    def _value(self, state: list[float | None]) -> Shares:
        known = [value for value in state if value is not None]
        share = len(known) / len(state) if state else torch.nan
        middle = float(torch.tensor(known, dtype=torch.float64).quantile(0.5)) if known else torch.nan
        return {self.of: torch.tensor(middle), "share": torch.tensor(share)}


def _estimated(metric: MedianRadiusMetric, x: Tensor, labels: Labels) -> list[float | None]:
    scores = clever(metric.classifier(), x, labels, norm=metric.norm, budget=metric.budget, seed=metric.seed)
    return [score.radius if score.status.has_number else None for score in scores if score.status.measured]


def _attacked(metric: MedianRadiusMetric, x: Tensor, labels: Labels) -> list[float | None]:
    found = attack(metric.classifier(), x, labels, norm=metric.norm, budget=metric.budget, seed=metric.seed)
    return [one.distance if one.success else None for one in found if one.method != WRONG]


def _certified(metric: MedianRadiusMetric, x: Tensor, labels: Labels) -> list[float | None]:
    limit = {"time_limit": metric.time_limit, "seed": metric.seed}
    proofs = certify(metric.classifier(), x, labels, norm=metric.norm, **limit)  # pyright: ignore
    judged = [proof for proof in proofs if proof.status.value != WRONG]
    return [proof.radius if proof.status.has_radius else 0.0 for proof in judged]


QUANTITIES_OF_METRICS: dict[str, Callable[[MedianRadiusMetric, Tensor, Labels], list[float | None]]] = {
    "estimated": _estimated,
    "attacked": _attacked,
    "certified": _certified,
}
"""What a median may be of -> how a batch is measured."""


def _of_all_processes(state: list[Any]) -> list[Any]:
    """What all processes of `torch.distributed` have kept, in the order of their ranks; alone, what this one has."""
    if not (distributed.is_available() and distributed.is_initialized()) or distributed.get_world_size() == 1:
        return state
    parts: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(parts, state)
    return [one for part in parts for one in part]
