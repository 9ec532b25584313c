"""CROWN with all units of a layer bounded together, on l_p balls with `p <= 2`.

CROWN bounds each unit by its own interval, as if all of them could be at an end of it at once. On an l2 ball they
cannot: `deviations` says how far a layer moves as a whole, `deviation_bounds` what its steps lose then, and
`deviation_ascent` chooses coefficients. The search begins at CROWN's radius.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from clearance.certificates.bisection import ProvenRadius, confirmed, largest_proven
from clearance.certificates.certificate import CertificateStatus
from clearance.certificates.crown import DOUBLE_COST, WORTH_SINGLE, crown
from clearance.certificates.deviation_ascent import Coefficients, ascended, narrowed
from clearance.certificates.deviations import two_pieces
from clearance.certificates.graph import Graph
from clearance.certificates.operations import NotSupportedError
from clearance.certificates.problem import Proof, VerificationProblem, make_proof
from clearance.certificates.region import Region
from clearance.certificates.relaxation import Relaxation, relax
from clearance.certificates.rows import Rows
from clearance.certificates.translate import translate

LARGEST_NORM = 2.0
"""The largest `p` of a ball that lies in the l2 ball of the same radius."""
WORTH_TOGETHER = (256, 20_000)
"""Units between which `best` bounds them together: of few CROWN loses little, and of more a trial takes a minute."""
WORTH_SECONDS = 10.0
"""Time limit for an input from which on `best` does: it takes some seconds, ten times what CROWN takes."""
MARGIN_STEPS = 20
"""Steps of ascent on the margins' bounds in a trial; it may begin where the best trial ended."""
TRIAL_GROWTH = 1.3
"""By what the radius grows at the first trial."""
TOGETHER_TOLERANCE = 1e-2
"""Relative width of the search's last bracket."""
TRIED_IN_DOUBLE = (1.0, 1 - 1e-2, 1 - 3e-2)
"""Shares of a radius found in float32 at which float64 tries to prove it."""


def sdp_crown(problem: VerificationProblem) -> list[Proof]:
    """Certify each input by CROWN's bounds of all units of a layer together, for `1 <= p <= 2`.

    The radius is never smaller than that of `crown`, which is where it begins.

    Source: SDP-CROWN (Chiu, Chen, Zhang and Zhang 2025); the intervals kept beside the ball, and how far each layer
    moves: this project.

    Args:
        problem: What to prove, with inputs `(batch, *input)`.

    Returns:
        One proof per input.

    Raises:
        NotSupportedError: For larger `p`, or if no step of the network is ReLU or LeakyReLU.
    """
    check_two_pieces(problem.graph)
    if problem.norm > LARGEST_NORM:
        raise NotSupportedError(f"expected a norm of at most 2, got {problem.norm:g}")
    proofs, single = crown(problem), None
    if problem.graph.neurons >= WORTH_SINGLE:
        single = translate(problem.model, problem.graph.input_shape, torch.float32)
    return [_enlarged(one, proof, single) for one, proof in zip(problem.each(), proofs, strict=True)]


def check_two_pieces(graph: Graph) -> None:
    """Check that some step of a network is ReLU or LeakyReLU.

    Args:
        graph: The network.

    Raises:
        NotSupportedError: If none is.
    """
    if not two_pieces(graph):
        names = ", ".join(graph.nonlinear_names) or "affine steps alone"
        raise NotSupportedError(f"expected a network with ReLU or LeakyReLU, found {names}")


def worth_together(problem: VerificationProblem) -> bool:
    """Whether bounding a network's units together says more than CROWN of this norm within the time limit."""
    fewest, most = WORTH_TOGETHER
    fits = problem.norm <= LARGEST_NORM and fewest <= problem.graph.neurons <= most
    return fits and problem.seconds >= WORTH_SECONDS


def _enlarged(problem: VerificationProblem, proof: Proof, single: Graph | None) -> Proof:
    """A proof of a larger radius for one input, or the one that is given; `single` is the network in float32."""
    if not 0 < proof.radius < math.inf or problem.time_is_up():
        return proof
    known = torch.full_like(problem.x.flatten(1)[:, 0], proof.radius)
    rough = problem if single is None else problem.single(single)
    search = _Search(rough, keep=0.0 if single is None else DOUBLE_COST)
    found = search.largest(known.to(rough.x))
    radius, timed_out = found.proven.double(), bool(found.timed_out)
    if single is not None:
        double = _Search(problem, coefficients={place: each.double() for place, each in search.coefficients.items()})
        limit = Region(problem.x, known, problem.norm, problem.bounds).covered()
        radius = confirmed(double.lowest, radius, known, limit, TRIED_IN_DOUBLE, problem.time_is_up)
    if not bool(radius > known):
        return replace(proof, status=CertificateStatus.TIME_LIMIT) if timed_out else proof
    return make_proof(float(radius), int(problem.targets[0, found.limiting]), timed_out=timed_out)


@dataclass
class _Search:
    """Trials on balls of growing or shrinking radius around one input.

    Attributes:
        problem: The network and the input, `(1, *input)`.
        keep: How many times the longest trial is kept of the time, for what comes after.
        coefficients: Those of the largest radius proved so far, or of the first trial.
    """

    problem: VerificationProblem
    keep: float = 0.0
    coefficients: Coefficients = field(default_factory=dict[int, Tensor])
    _proven: float = 0.0
    _longest: float = 0.0

    def __post_init__(self) -> None:
        """What every trial needs."""
        self._at, self._rows = self.problem.graph.values(self.problem.x), self.problem.rows
        self._slack = self.problem.slack()

    def largest(self, known: Tensor) -> ProvenRadius:
        """The largest radius proved, from one that is known, `(1,)`.

        Its bracket begins with the margins at the input: they are larger than those at the known radius, and cost
        nothing.
        """
        problem = self.problem
        limit = Region(problem.x, known, problem.norm, problem.bounds).covered()
        return largest_proven(
            self.lowest,
            TRIAL_GROWTH * known,
            limit,
            proven=known,
            at_proven=(problem.gaps() - self._slack).amin(1),
            tolerance=TOGETHER_TOLERANCE,
            stop=self._time_is_up,
        )

    def lowest(self, radius: Tensor) -> Tensor:
        """Lower bounds of all margins on a ball, less their slack: `(1,)` to `(1, targets)`."""
        began, graph = time.perf_counter(), self.problem.graph
        relaxed = narrowed(self._relaxed(radius), self._at, self._time_is_up)
        bounds, coefficients = ascended(relaxed, graph.last, Rows(self._rows), MARGIN_STEPS, self.coefficients)
        found = bounds - self._slack
        if not self.coefficients or (float(radius) > self._proven and bool((found > 0).all())):
            self.coefficients, self._proven = coefficients, float(radius)
        self._longest = max(self._longest, time.perf_counter() - began)
        return found

    def _relaxed(self, radius: Tensor) -> Relaxation:
        problem = self.problem
        region = Region(problem.x, radius, problem.norm, problem.bounds)
        return relax(problem.graph, region, stop=self._time_is_up)

    def _time_is_up(self) -> bool:
        return time.perf_counter() > self.problem.deadline - self.keep * self._longest
