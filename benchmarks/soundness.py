"""Certificates held against attacks: random networks of every form in `network_forms.py`.

    python benchmarks/soundness.py                       340 networks, some minutes
    python benchmarks/soundness.py --networks 2000 --seed 0

Each network is certified by every method that applies and by `best`, for one norm (p = 1, 1.5, 2, 3 and inf in turn),
with and without bounds, with and without `Normalize`. Then 10,000 points inside the largest certified ball of each
input and a gradient attack look for another class. A violation is a certified radius larger than the distance of a
point at which the network predicts another class (or the target), by more than the rounding of the two logits;
distances and margins are computed in float64. A network in float32 counts as one with real numbers: a point at which
its copy in float64 does not predict the other class is no violation. A form that must be certified and is refused
counts as a failure too, and so does one that must be refused and is certified: whoever refuses everything does not
pass.

Prints a table and exits with status 1 on a violation or a failure.
"""

from __future__ import annotations

import argparse
import copy
import functools
import math
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from network_forms import FORMS
from network_parts import Form
from torch import Tensor

from clearance import Classifier, Normalize, certify
from clearance.certificates.auto_lirpa import import_auto_lirpa
from clearance.certificates.certificate import Certificate
from clearance.certificates.table import CERTIFICATES
from clearance.errors import InputError
from clearance.geometry.balls import sample_directions, sample_shifts
from clearance.geometry.norms import expand, project, steepest, vector_norm
from clearance.model.gradients import margin_gradients
from clearance.model.inputs import CheckedInputs, prepare

NORMS = (1.0, 1.5, 2.0, 3.0, math.inf)
"""Norms, in turn."""
POINTS = 10_000
"""Points inside the ball of one input."""
INPUTS = 2
"""Inputs of one network."""
STARTS, STEPS, HALVINGS = 32, 30, 40
"""Of the gradient attack: points it starts from, steps, and halvings of the segment from a witness to the input."""
UNBOUNDED = 100.0
"""Where to look for witnesses when a radius is infinite and there are no bounds."""
EXACT_SECONDS = 1.0
"""Time limit of the exact solver; other methods need no limit here."""
ROUNDING = {torch.float32: 1e-6, torch.float64: 1e-12}
"""Share of the two logits by which another class must lead before it counts, above the rounding of each dtype."""


@dataclass(frozen=True)
class Problem:
    """One random network with its inputs and what is asked about them.

    Attributes:
        name: Name of the form.
        model: The network, its bounds and its preprocessing.
        x: Inputs, `(batch, *input)`.
        norm: `p`.
        target: As `certify` takes it.
        seed: Its number.
    """

    name: str
    model: Classifier
    x: Tensor
    norm: float
    target: str
    seed: int

    @property
    def form(self) -> Form:
        """The form."""
        return FORMS[self.name]


@dataclass
class Line:
    """What became of the networks of one form."""

    networks: int = 0
    certified: int = 0
    refused: int = 0
    violations: list[str] = field(default_factory=list[str])
    reasons: list[str] = field(default_factory=list[str])


def problems(count: int, seed: int) -> Iterator[Problem]:
    """Random networks, the forms in turn.

    Yields:
        One problem for each number from `seed * count` on.
    """
    names = list(FORMS)
    for place in range(count):
        yield make_problem(names[place % len(names)], place // len(names), seed * count + place)


def make_problem(name: str, turn: int, seed: int, *, inputs: int = INPUTS) -> Problem:
    """One random network: norm, bounds, preprocessing and target from its turn, weights and inputs from its seed."""
    form, dtype = FORMS[name], torch.float32 if FORMS[name].single else torch.float64
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # weight norm as a hook
        torch.manual_seed(seed)
        network = form.make().to(dtype).eval()
        x = torch.rand(inputs, *form.shape, dtype=dtype)
    place = turn + list(FORMS).index(name)
    bounds = (0.0, 1.0) if (place // len(NORMS)) % 2 else None
    if bounds is not None:
        x = (1.5 * x - 0.25).clamp(*bounds)  # some entries at a bound
    channels = form.shape[0]
    means, stds = [0.3 + 0.1 * k for k in range(channels)], [0.2 + 0.15 * k for k in range(channels)]
    scaling = (None, Normalize(0.4, 0.5), Normalize(means, stds))[(place // 2) % 3]
    target = ("untargeted", "untargeted", "untargeted", "runner-up", "least-likely")[(place // 3) % 5]
    model = Classifier(network, bounds, preprocessing=scaling)
    return Problem(name, model, x, NORMS[place % len(NORMS)], target, seed)


def methods() -> list[str]:
    """The methods of the table that can run here, and `best`."""
    names = ["best", *CERTIFICATES]
    try:
        import_auto_lirpa()
    except InputError:
        names.remove("auto-lirpa")
    return names


def judge(problem: Problem, names: list[str], line: Line, used: Counter[str]) -> None:
    """Certify one network by each method and hold the radii against what is found."""
    with problem.form.around():
        proofs = {name: _certify(problem, name) for name in names}
        line.networks += 1
        statuses = {proof.status.value for proof in proofs["best"]}
        line.refused += "unsupported" in statuses
        line.certified += any(proof.radius > 0 for proof in proofs["best"])
        line.reasons += [proof.reason for proof in proofs["best"] if proof.status == "unsupported"]
        inputs = prepare(
            problem.model, problem.x, None, target=problem.target, norm=problem.norm, seed=0, one_by_one=True
        )
        for row, one in enumerate(inputs.each()):
            radii = {name: found[row].radius for name, found in proofs.items() if found[row].radius > 0}
            used.update(list(radii))
            distance = nearest_witness(one, max(radii.values())) if radii else math.inf
            for name, radius in radii.items():
                if distance < radius:
                    line.violations.append(_say(problem, row, name, radius, distance))


def _certify(problem: Problem, method: str) -> list[Certificate]:
    seconds = EXACT_SECONDS if method in {"exact", "branch-and-bound"} else 60.0
    return certify(
        problem.model, problem.x, norm=problem.norm, target=problem.target, method=method, time_limit=seconds
    )


def _say(problem: Problem, row: int, name: str, radius: float, distance: float) -> str:
    where = "with bounds" if problem.model.bounds is not None else "without bounds"
    scaling = "Normalize" if problem.model.preprocessing is not None else "no Normalize"
    said = f"{name} certified {radius:.6g}, a witness lies at {distance:.6g}"
    return f"{problem.name}, seed {problem.seed}, input {row}, p = {problem.norm:g}, {where}, {scaling}: {said}"


def nearest_witness(inputs: CheckedInputs, radius: float) -> float:
    """The distance of the nearest point of another class (or the target) that is found within a radius.

    Args:
        inputs: One input.
        radius: Where to look; infinite for everything within the bounds.

    Returns:
        The distance, in float64; infinite where nothing was found.
    """
    radius = min(radius, _covered(inputs))
    points = _points(inputs, radius)
    margins = _leads(inputs, points)
    starts = torch.cat([points[margins.topk(min(STARTS, len(points))).indices], inputs.x])
    found = torch.cat([points, *_descend(inputs, starts, radius)])
    found = found[_leads(inputs, found) > 0]
    return float(_distance(inputs, _towards_input(inputs, found)).min()) if len(found) else math.inf


def _covered(inputs: CheckedInputs) -> float:
    """The radius at which the ball holds everything within the bounds."""
    if inputs.model.bounds is None:
        return UNBOUNDED
    low, high = inputs.model.bounds
    return float(vector_norm(torch.maximum(high - inputs.x, inputs.x - low).double(), inputs.norm))


def _points(inputs: CheckedInputs, radius: float) -> Tensor:
    """Points inside the ball: uniform ones, on spheres, corners, and shifts of a few entries."""
    draw, quarter = torch.Generator().manual_seed(int(inputs.keys[0][:12], 16)), POINTS // 4
    like = inputs.x[0].double()
    inner = sample_shifts(like, quarter, norm=inputs.norm, radius=radius, generator=draw)
    sphere = sample_directions(like, quarter, norm=inputs.norm, generator=draw)
    corners = torch.randn(quarter, *like.shape, generator=draw, dtype=torch.float64).sign()
    few = torch.rand(corners.shape, generator=draw) < 2 / like.numel()
    sparse = torch.where(few, torch.randn(corners.shape, generator=draw, dtype=torch.float64), 0.0)
    shifts = torch.cat([sphere, corners, sparse])
    length = vector_norm(shifts, inputs.norm).clamp_min(1e-300)
    scale = radius * torch.rand(len(shifts), generator=draw, dtype=torch.float64).pow(0.25)
    shifts = torch.cat([inner, shifts * expand(scale / length, shifts)])
    return inputs.model.clip((like + shifts).to(inputs.x.dtype))


def _descend(inputs: CheckedInputs, at: Tensor, radius: float) -> Iterator[Tensor]:
    """Projected steps down the margin against the class that leads the others, from `radius` down to a fiftieth.

    Yields:
        The points of each step, `(starts, *input)`.
    """
    own = inputs.predicted[0]
    for step in range(STEPS):
        logits = inputs.model.logits(at).double()
        logits[:, [k for k in range(logits.shape[1]) if k not in inputs.targets[0]]] = -math.inf
        _, gradient = margin_gradients(inputs.model, at, own, logits.argmax(1))
        shift = (at - inputs.x).double() - radius * 0.02 ** (step / STEPS) * steepest(gradient.double(), inputs.norm)
        at = inputs.model.clip((inputs.x.double() + project(shift, inputs.norm, radius)).to(at.dtype))
        yield at


def _towards_input(inputs: CheckedInputs, found: Tensor) -> Tensor:
    """Witnesses moved towards the input as far as they stay witnesses, by bisection."""
    near = inputs.x.expand_as(found)
    for _ in range(HALVINGS):
        middle = ((near.double() + found.double()) / 2).to(found.dtype)
        holds = expand(_leads(inputs, middle) > 0, found)
        found, near = torch.where(holds, middle, found), torch.where(holds, near, middle)
    return found


def _distance(inputs: CheckedInputs, points: Tensor) -> Tensor:
    return vector_norm(points.double() - inputs.x.double(), inputs.norm)


def _leads(inputs: CheckedInputs, points: Tensor) -> Tensor:
    """By how much a target leads all other classes, beyond rounding: positive at a witness, `(batch,)`."""
    leads = _leads_by(inputs, inputs.model.logits(points).double())
    if inputs.x.dtype == torch.float64:
        return leads
    return torch.minimum(leads, _leads_by(inputs, _in_double(inputs.model).logits(points.double())))


@functools.lru_cache(maxsize=1)
def _in_double(model: Classifier) -> Classifier:
    """A copy of a classifier in float64."""
    parts = [copy.deepcopy(part) for part in (model.network, model.preprocessing)]
    for part in parts:
        if isinstance(part, torch.nn.Module):
            part.double()
    return Classifier(parts[0], None, preprocessing=parts[1], dtype=torch.float64)


def _leads_by(inputs: CheckedInputs, logits: Tensor) -> Tensor:
    """As `_leads`, from logits."""
    own = inputs.predicted[0]
    targets = torch.tensor(inputs.targets[0])
    goal = logits[:, targets].amax(1)
    others = torch.full_like(logits, -math.inf)
    kept = [own] if inputs.untargeted else [k for k in range(logits.shape[1]) if k != int(targets[0])]
    others[:, kept] = logits[:, kept]
    rest = others.amax(1)
    return goal - rest - ROUNDING[inputs.x.dtype] * (goal.abs() + rest.abs())


def failures(name: str, line: Line) -> list[str]:
    """What a form's networks should have been, and were not."""
    if FORMS[name].certified and line.refused:
        return [f"{name}: {line.refused} of {line.networks} refused ({line.reasons[0]})"]
    if FORMS[name].certified and line.networks and not line.certified:
        return [f"{name}: nothing was certified"]
    if not FORMS[name].certified and line.certified:
        return [f"{name}: {line.certified} of {line.networks} certified, a refusal was expected"]
    return []


def run(count: int, seed: int) -> tuple[dict[str, Line], Counter[str]]:
    """Judge random networks.

    Returns:
        What became of each form, and how many radii each method certified.
    """
    lines, used, names = {name: Line() for name in FORMS}, Counter[str](), methods()
    for problem in problems(count, seed):
        judge(problem, names, lines[problem.name], used)
    return lines, used


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", type=int, default=340)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    lines, used = run(options.networks, options.seed)
    print(f"{'form':46}{'expected':>11}{'networks':>10}{'certified':>11}{'unsupported':>13}{'violations':>12}")
    for name, line in lines.items():
        expected = "certified" if FORMS[name].certified else "refused"
        numbers = f"{line.networks:>10}{line.certified:>11}{line.refused:>13}{len(line.violations):>12}"
        print(f"{name:46}{expected:>11}{numbers}")
    total = [sum(getattr(line, part) for line in lines.values()) for part in ("networks", "certified", "refused")]
    violations = [said for line in lines.values() for said in line.violations]
    failed = [said for name, line in lines.items() for said in failures(name, line)]
    print(f"{f'{len(FORMS)} forms':57}{total[0]:>10}{total[1]:>11}{total[2]:>13}{len(violations):>12}")
    print("radii certified: " + ", ".join(f"{name} {used[name]}" for name in methods()))
    print("\n".join([*violations, *failed]) or "no violation, and every form is as expected")
    return 1 if violations or failed else 0


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(main())
