"""What a score may be trusted for: one word on every estimate."""

from enum import StrEnum


class Status(StrEnum):
    """The standing of one estimate, from 'nothing to add' to 'there is no number'.

    Where several apply, the one that takes away the most is reported (the order below, last first).
    """

    OK = "ok"
    """The endpoint was identified and nothing that was met contradicts the estimate."""
    NOT_CONVERGED = "not_converged"
    """`blocks="auto"` reached `max_blocks` with the interval still wider than `tolerance`."""
    POOR_FIT = "poor_fit"
    """The block maxima do not look like a reverse Weibull sample (K-S p below 0.05)."""
    NO_ENDPOINT = "no_endpoint"
    """The likelihood has no interior maximum: the radius rests on a penalised estimate of the endpoint."""
    AT_RADIUS = "at_radius"
    """The score equals the radius of the ball: only the ball's size is known."""
    PROBABILITIES = "probabilities"
    """The outputs look like probabilities, not logits: margins and gradients are squashed."""
    REFUTED = "refuted"
    """A slope, a gradient norm or a witness inside the ball contradicts the estimate."""
    NO_GRADIENT = "no_gradient"
    """Every gradient that was met is exactly zero: the score says nothing."""
    MASKED = "masked"
    """Every gradient that was met is exactly zero and yet the margin moves: the gradients are hidden."""
    NON_FINITE = "non_finite"
    """A gradient or a logit inside the ball is not finite: there is no number."""
    MISCLASSIFIED = "misclassified"
    """The prediction differs from the label: skipped, there is no number."""

    @property
    def severity(self) -> int:
        """Rank in the order above; the larger takes precedence."""
        return list(Status).index(self)

    @property
    def has_number(self) -> bool:
        """Whether a radius with this status may be read as an estimate at all."""
        return self.severity < Status.REFUTED.severity
