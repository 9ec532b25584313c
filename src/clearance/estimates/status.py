"""What a score may be trusted for: one word on every estimate."""

from __future__ import annotations

from clearance.records import Word

CLIFF_FACTOR = 10.0
"""Rise of a Lipschitz profile within the bracket from which it is called a cliff; ordinary ones rise 2 to 5 times."""


class Status(Word):
    """The standing of one estimate, from 'nothing to add' to 'there is no number'.

    Where several apply, the one that takes away the most is reported (the order below, last first). Each member is its
    word, such as `"ok"`, and carries its `meaning` in a sentence.
    """

    OK = "ok", "nothing that was met contradicts the estimate"
    WIDE = "wide", "the interval is wide: a longer search may find a smaller radius"
    NOT_CONVERGED = "not_converged", "the interval is wider than the tolerance; more blocks narrow it"
    POOR_FIT = "poor_fit", "the fit and what was met disagree (K-S p < 0.05, or more met)"
    NO_ENDPOINT = "no_endpoint", "the maxima fix no endpoint: the number rests on a penalised fit"
    AT_RADIUS = "at_radius", "equals the ball's radius: only the ball's size is known"
    PROBABILITIES = "probabilities", "the outputs look like probabilities, not logits"
    REFUTED = "refuted", "something met inside the ball contradicts the estimate"
    NO_GRADIENT = "no_gradient", "every gradient met is zero: nothing can be said"
    MASKED = "masked", "the gradients are in doubt: `clearance docs FLAG` says why"
    NOT_TWICE_DIFFERENTIABLE = "not_twice_differentiable", "the gradient jumps and the Hessian does not show it"
    NON_FINITE = "non_finite", "an output or a gradient in the ball is not finite"
    TARGET_IS_PREDICTED = "target_is_predicted", "the target is the predicted class: nothing to measure"
    MISCLASSIFIED = "misclassified", "the prediction differs from the label: nothing to measure"

    @property
    def severity(self) -> int:
        """Rank in the order above; the larger takes precedence."""
        return list(Status).index(self)

    @property
    def measured(self) -> bool:
        """Whether there is anything to measure: the prediction is the label, and not the target."""
        return self not in (Status.MISCLASSIFIED, Status.TARGET_IS_PREDICTED)

    @property
    def has_number(self) -> bool:
        """Whether a radius with this status may be read as an estimate at all."""
        return self.severity < Status.REFUTED.severity
