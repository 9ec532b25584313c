"""The inputs of one call, checked and prepared once: everything behind a public function takes this record.

A public function hands its arguments to `prepare`; from then on nobody checks, hashes or predicts them again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from clearance.geometry.exponents import as_distance, as_norm
from clearance.geometry.norms import vector_norm
from clearance.model.classifier import Classifier, check_classifier
from clearance.model.margins import Target, check_labels, resolve_targets
from clearance.model.measured import around, measured, moving_scale, scaled
from clearance.model.seeds import check_seed, content_key

DRIFT_SLACK = 1e-9
"""Share by which a drift is enlarged, for the rounding of its own sum in float64."""


@dataclass(frozen=True)
class CheckedInputs:
    """A batch of inputs with everything that is known of them before any search.

    Attributes:
        model: The classifier, in the units that distances are measured in (`model.measured`).
        x: The inputs in those units, on its device, in its precision, `(batch, *input)`.
        logits: Their logits, `(batch, classes)`.
        norm: The norm `p` of distances; 0, the number of coordinates that differ, for attacks alone.
        seed: The user's seed.
        predicted: Predicted class of each.
        labels: True class of each; the predicted one where no labels were given.
        keys: Content key of each: the root of its random streams.
        targets: The classes that each may move to.
        untargeted: Whether any other class counts as adversarial; else the one target alone does.
        given: The inputs as they were given, in the caller's units; `x` itself without a scale.
        drift: How far each of `x` lies from the input that was given, in units of the scale, as those are rounded:
            what a proof about `x` has to give away. Empty without a scale.
    """

    model: Classifier
    x: Tensor
    logits: Tensor
    norm: float
    seed: int
    predicted: tuple[int, ...]
    labels: tuple[int, ...]
    keys: tuple[str, ...]
    targets: tuple[tuple[int, ...], ...]
    untargeted: bool
    given: Tensor
    drift: tuple[float, ...] = ()

    def __len__(self) -> int:
        """How many inputs there are."""
        return len(self.x)

    @property
    def misclassified(self) -> tuple[bool, ...]:
        """Whether the prediction of each differs from its label: then it is not judged."""
        return tuple(label != own for label, own in zip(self.labels, self.predicted, strict=True))

    @property
    def judged(self) -> tuple[int, ...]:
        """Places of the inputs that are not misclassified."""
        return tuple(place for place, wrong in enumerate(self.misclassified) if not wrong)

    def rows(self, places: Sequence[int]) -> CheckedInputs:
        """Some of the inputs, in the order of `places`; one alone keeps its fixed coordinates."""
        chosen = torch.tensor(places, device=self.x.device, dtype=torch.int64)
        x = self.x[chosen]
        return replace(
            self,
            model=around(self.model, x) if len(places) == 1 else self.model,
            x=x,
            given=x if self.given is self.x else self.given[chosen],
            logits=self.logits[chosen],
            predicted=tuple(self.predicted[place] for place in places),
            labels=tuple(self.labels[place] for place in places),
            keys=tuple(self.keys[place] for place in places),
            targets=tuple(self.targets[place] for place in places),
            drift=tuple(self.drift[place] for place in places) if self.drift else (),
        )

    def groups(self, places: Sequence[int], most: int) -> list[Sequence[int]]:
        """Places in groups that may be computed together, in order; with fixed coordinates each input alone.

        Args:
            places: Places of inputs.
            most: Inputs of a group at most.

        Returns:
            The groups.
        """
        size = most if self.model.fixed is None else 1
        return [places[start : start + size] for start in range(0, len(places), size)]

    def each(self) -> list[CheckedInputs]:
        """Every input as a batch of its own, in order."""
        return [self.rows([place]) for place in range(len(self))]


def prepare(
    model: Classifier,
    x: Tensor,
    labels: Tensor | Sequence[int] | None,
    *,
    target: Target,
    norm: float | str,
    seed: int,
    one_by_one: bool = False,
    l0: bool = False,
) -> CheckedInputs:
    """Check the arguments that most public functions share, and predict the inputs, before anything is computed.

    Args:
        model: The classifier.
        x: `(batch, *input)`, in input units.
        labels: True classes, `(batch,)`; `None`: predictions are right.
        target: Where to go: as `model.margins.resolve_targets` takes it.
        norm: The norm `p` of distances, from 1 to infinity.
        seed: The user's seed.
        one_by_one: Predict every input in a pass of its own: the same bits whatever else is in the batch.
        l0: Whether `norm` may be 0 as well (`geometry.norms.as_distance`).

    Returns:
        The record.

    Raises:
        ClearanceError: If an argument or the network's answer cannot be used; the subclass and the message say which
            and why.

    >>> model = Classifier(torch.nn.Identity())
    >>> found = prepare(model, torch.tensor([[3.0, 1.0, 2.0]]), None, target="untargeted", norm="inf", seed=0)
    >>> found.predicted, found.targets, found.norm
    ((0,), ((2, 1),), inf)
    """
    check_classifier(model)
    p, x, seed = (as_distance if l0 else as_norm)(norm), model.check_inputs(x), check_seed(seed)
    keys = [content_key(row) for row in x]
    given = x
    model, x, drift = _in_units(model, x, p)
    logits = model.logits_of_each(x) if one_by_one else model.logits(x)
    predicted: list[int] = logits.argmax(1).tolist()
    known = predicted if labels is None else check_labels(labels, *logits.shape)
    wrong = [label != own for label, own in zip(known, predicted, strict=True)]
    return CheckedInputs(
        model=model,
        x=x,
        logits=logits,
        norm=p,
        seed=seed,
        predicted=tuple(predicted),
        labels=tuple(known),
        keys=tuple(keys),
        targets=tuple(map(tuple, resolve_targets(logits, target, seed=seed, keys=keys, skip=wrong))),
        untargeted=isinstance(target, str) and target == "untargeted",
        given=given,
        drift=drift,
    )


def _in_units(model: Classifier, x: Tensor, norm: float) -> tuple[Classifier, Tensor, tuple[float, ...]]:
    """Classifier and inputs in the units of its scale, and how far rounding has moved each of them."""
    if (scale := moving_scale(model)) is None:
        return model, x, ()
    z = scaled(model, x)
    shift = x.double() / scale.double() - z.double()
    drift = vector_norm(shift, max(norm, 1.0)) * (1 + DRIFT_SLACK)
    return measured(model), z, tuple(drift.tolist())
