"""Expectation over transformation: a random classifier's logits and gradients, averaged over its draws."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from clearance.model.classifier import Classifier, Product, Pull, check_classifier
from clearance.model.seeds import check_seed, derive_seed
from clearance.model.transforms.pixels import check_count
from clearance.model.transforms.randomised import common_draws


def eot(classifier: Classifier, samples: int, *, seed: int | None = None) -> AveragedClassifier:
    """The classifier whose logits are the mean of `samples` forward passes, and so are its gradients.

    For a classifier that draws random numbers, `f(x) = E f(x, w)` is estimated by `1/samples sum_k f(x, w_k)`; the
    variance falls as `1 / samples`. Source: Athalye, Engstrom, Ilyas and Kwok (2018), section 2.1.

    With a `seed`, the draws `w_k` are common random numbers: the same in every call and for every row of a batch, so
    that the average is a deterministic function of `x` whose gradient integrates to it. This reaches the transforms of
    `model.transforms` wherever they are called, and whatever draws from torch's global generator (`dropout`), which
    is put back as it was. A network of the second kind goes row by row, which is slower. Draws of NumPy's or Python's
    generators are not reached.

    Args:
        classifier: The random classifier. Its network is shared, not copied, and so is its count of passes.
        samples: Draws in each pass.
        seed: Fixes the draws; `None` takes fresh ones in each pass.

    Returns:
        A classifier with the same bounds, device and precision. One pass of it counts as `samples` passes.

    Raises:
        InputError: If the classifier is none, `samples` not a whole number of at least 1, or the seed none at all.

    >>> from clearance.model.transforms import GaussianNoise
    >>> average = eot(Classifier(torch.nn.Linear(2, 2), preprocessing=GaussianNoise(1.0)), samples=8, seed=0)
    >>> x = torch.zeros(1, 2)
    >>> bool((average.logits(x) == average.logits(x)).all()), average.meter.forward
    (True, 16)
    """
    check_classifier(classifier, "classifier")
    check_count("samples", samples, 1)
    if seed is not None:
        check_seed(seed)
    return AveragedClassifier(classifier, samples, seed)


class AveragedClassifier(Classifier):
    """See `eot`."""

    def __init__(self, classifier: Classifier, samples: int, seed: int | None) -> None:
        one = classifier.asked_micro_batch
        super().__init__(
            classifier.network,
            classifier.bounds,
            preprocessing=classifier.preprocessing,
            device=classifier.device,
            dtype=classifier.dtype,
            memory_budget=classifier._memory_budget,
            micro_batch=None if one is None else max(1, one // samples),
            scale=classifier.scale,
            fixed=classifier.fixed,
            channels_last=classifier.execution.channels_last,
        )
        self.meter = classifier.meter
        self.samples, self.seed = samples, seed
        self._row_by_row = False

    def vjp(self, x: Tensor, function: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor, Pull]:
        """As `Classifier.vjp`; a backward pass goes through every draw and counts as `samples`.

        Args:
            x: `(batch, *input)`.
            function: Maps logits `(batch, classes)` to values `(batch, k)`, row by row.

        Returns:
            The logits, the values, and `pull(column) -> (batch, *input)`.
        """
        logits, values, pull = super().vjp(x, function)

        def pull_all(column: int) -> Tensor:
            self.meter.backward += (self.samples - 1) * len(x)
            return pull(column)

        return logits, values, pull_all

    def hessian(self, x: Tensor, function: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor, Product]:
        """As `Classifier.hessian`; every pass and every product goes through every draw and counts as `samples`.

        Args:
            x: `(batch, *input)`.
            function: Maps logits `(batch, classes)` to values `(batch,)`, row by row.

        Returns:
            The values, their gradients, and `product(v) -> (batch, *input)`.
        """
        values, gradient, product = super().hessian(x, function)
        self.meter.backward += (self.samples - 1) * len(x)

        def product_of_all(vectors: Tensor) -> Tensor:
            self.meter.hessian_vector += (self.samples - 1) * len(x)
            return product(vectors)

        return values, gradient, product_of_all

    def _forward(self, x: Tensor) -> Tensor:
        return torch.stack([self._draw(x, number) for number in range(self.samples)]).mean(0)

    def _draw(self, x: Tensor, number: int) -> Tensor:
        """Logits of one draw. The first that is seen to use the global generator is done again, row by row."""
        if self.seed is None:
            return super()._forward(x)
        if self._row_by_row and len(x) > 1:
            return torch.cat([self._draw(row, number) for row in x.split(1)])
        with torch.random.fork_rng([x.device] if x.is_cuda else []), common_draws(self.seed, number):
            torch.manual_seed(derive_seed(self.seed, "eot", number))
            before = _global_state(x.device)
            logits = super()._forward(x)
            self._row_by_row |= not torch.equal(_global_state(x.device), before)
        return self._draw(x, number) if self._row_by_row and len(x) > 1 else logits


def _global_state(device: torch.device) -> Tensor:
    """State of torch's global generators that a network on this device may draw from."""
    state = torch.get_rng_state()
    return torch.cat([state, torch.cuda.get_rng_state(device)]) if device.type == "cuda" else state
