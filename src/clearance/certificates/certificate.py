"""The record of one certified radius, and the words for its standing."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from clearance.model.cost import Cost
from clearance.records import PublicRecord, Word, name_norm, plain, write_number


class CertificateStatus(Word):
    """The standing of one certificate: each member is its word and carries its `meaning` in a sentence."""

    CERTIFIED = "certified", "proved: no adversarial example lies within the radius"
    UNPROVEN = "unproven", "the method proves nothing about this input"
    TIME_LIMIT = "time_limit", "the time was up: what was proved until then"
    TOO_LARGE = "too_large", "the network is larger than the exact solver takes"
    UNSUPPORTED = "unsupported", "the network has something the method has no proof for"
    TARGET_IS_PREDICTED = "target_is_predicted", "the target is the predicted class: nothing to measure"
    MISCLASSIFIED = "misclassified", "the prediction differs from the label: nothing to measure"

    @property
    def has_radius(self) -> bool:
        """Whether a radius with this status is proved."""
        return self in {CertificateStatus.CERTIFIED, CertificateStatus.TIME_LIMIT}


@dataclass(frozen=True, eq=False, repr=False)
class Certificate(PublicRecord):
    """What is proved about one input.

    Source: the method's own, which its line of the table names.

    Attributes:
        radius: Proved: no adversarial example lies nearer than this, in input units. Infinite where none lies within
            the bounds at all; 0 where nothing is proved; NaN where the input is misclassified or the network
            unsupported.
        method: The method that proved it, a name of `certificates.table.CERTIFICATES`;
            the one that was asked for where none did.
        status: Its standing.
        reason: In words what the status does not say, such as the name of the layer that is not supported.
        predicted: The predicted class.
        target: The class that limits the radius (untargeted), or the target; -1 where there is none.
        norm: The `p` of the distance.
        gap: `exact` and `branch-and-bound` only: the distance of a point of another class that the method itself met,
            less the radius; NaN otherwise.
        cost: Passes and seconds, this input's share. Bounds are no passes: their work shows in the seconds alone.
    """

    radius: float
    method: str
    status: CertificateStatus
    reason: str
    predicted: int
    target: int
    norm: float
    gap: float
    cost: Cost

    def in_short(self) -> str:
        """The radius, or why there is none, and who proved it.

        >>> Certificate(0.25, "crown", CertificateStatus.CERTIFIED, "", 3, 5, 2.0, 0.0, Cost())
        Certificate(certified 0.250, crown, l2, 3 -> 5)
        """
        moves = f"{self.predicted} -> {self.target}" if self.target not in (-1, self.predicted) else f"{self.predicted}"
        said = f"certified {write_number(self.radius, 'certified')}" if self.status.has_radius else self.status.value
        return f"{said}, {self.method}, {name_norm(self.norm)}, {moves}"

    def as_record(self) -> dict[str, Any]:
        """The certificate as plain values for JSON: an infinite radius is `"inf"`, NaN is `None`."""
        names = [field.name for field in fields(self) if field.name != "cost"]
        return {name: plain(getattr(self, name), infinity="inf") for name in names} | {"cost": asdict(self.cost)}
