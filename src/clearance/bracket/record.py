"""The record of one input's bracket, and of the threat model it is for."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from clearance.attacks.result import AttackResult
from clearance.audit import Audit
from clearance.certificates import Certificate
from clearance.estimates.profile.score import without_radius
from clearance.estimates.scores import Score
from clearance.estimates.status import Status
from clearance.model.cost import Cost
from clearance.records import PublicRecord, in_words, name_norm, write_number


@dataclass(frozen=True)
class Threat:
    """What the adversary may do, and how hard it was tried.

    Attributes:
        norm: The norm `p` of distances.
        target: Where an adversarial example would go, in the caller's words.
        bounds: The valid range of an input, `(lowest, highest)`; `None` without bounds.
        access: What the adversary knows: the whole network.
        budget: How hard attacks and estimates try.
        seed: The user's seed.
    """

    norm: float
    target: str
    bounds: tuple[float, float] | None
    access: str
    budget: str
    seed: int


@dataclass(frozen=True, eq=False, repr=False)
class Bracket(PublicRecord):
    """Everything that is known about one input.

    Attributes:
        certified: What is proved; `None` where no certificate was asked for.
        estimated: The CLEVER score. Read `radius`, which is `None` where the score must not be read.
        attacked: The nearest witness.
        audit: The flags.
        status: Its standing: that of the estimate, `refuted` where two parts contradict each other, `masked` where the
            audit warns; of several the one that takes away the most.
        threat: The threat model.
        label: The true class, or the predicted one where no labels were given.
        predicted: The predicted class.
        logits: Of the input.
        witness_logits: Of the witness; empty without one.
        order: Order of the estimate.
        cost: Passes and seconds of all four parts.
        x0: The input, `(*input)`.
    """

    certified: Certificate | None
    estimated: Score
    attacked: AttackResult
    audit: Audit
    status: Status
    threat: Threat
    label: int
    predicted: int
    logits: tuple[float, ...]
    witness_logits: tuple[float, ...]
    order: int
    cost: Cost
    x0: Tensor

    def in_short(self) -> str:
        """Label, norm, the three numbers that may be read, and the standing."""
        said = [f"certified {write_number(self.lower, 'certified')}"] if self.certified is not None else []
        estimate = "estimate below proof" if self.below_proof else f"estimated {write_number(self.radius)}"
        said += [estimate if self.radius is not None else "no estimate"]
        none = "no witness exists" if self.lower == math.inf else "no witness"
        said += [f"attacked {write_number(self.attacked.distance, 'attacked')}" if self.attacked.success else none]
        numbers = f": {', '.join(said)}" if self.status.measured else ""
        return f"label {self.label}, {name_norm(self.threat.norm)}, {self.threat.target}{numbers}, {self.status.value}"

    @property
    def radius(self) -> float | None:
        """The estimated radius, or the certified one where that is larger; `None`: it must not be read."""
        return self.estimated.radius if self.status.has_number else None

    @property
    def below_proof(self) -> bool:
        """Whether more is proved than was estimated: then `radius` is the proof, and the estimate adds nothing."""
        return self.radius is not None and any(flag.code == "below_certificate" for flag in self.audit.flags)

    @property
    def lower(self) -> float:
        """The certified radius; 0 where nothing is proved."""
        proved = self.certified is not None and self.certified.status.has_radius
        return self.certified.radius if self.certified is not None and proved else 0.0

    def as_record(self) -> dict[str, Any]:
        """Plain values for JSON. An estimate that must not be read has no `radius` and no `interval`.

        In the threat, infinity is a word: `"inf"`.
        """
        estimated = self.estimated.as_record()
        if not self.status.has_number:
            estimated = without_radius(estimated)
        return {
            "status": self.status.value,
            "predicted": self.predicted,
            "certified": None if self.certified is None else self.certified.as_record(),
            "estimated": {name: value for name, value in estimated.items() if name != "maxima"},
            "attacked": self.attacked.as_record(),
            "audit": self.audit.as_record(),
            "threat": in_words(asdict(self.threat)),
            "logits": list(self.logits),
            "witness_logits": list(self.witness_logits),
            "cost": asdict(self.cost),
        }

    def as_arrays(self) -> dict[str, NDArray[np.generic]]:
        """What is too large for JSON: `input`, `witness` (if there is one) and the `maxima` of the blocks."""
        arrays = {"input": _as_array(self.x0), "maxima": np.asarray(self.estimated.maxima, dtype=np.float64)}
        if self.attacked.adversarial is not None:
            arrays["witness"] = _as_array(self.attacked.adversarial)
        return arrays


def _as_array(values: Tensor) -> NDArray[np.generic]:
    return values.detach().cpu().numpy()
