"""Whether the network answers as its graph throughout the ball that is about to be claimed.

A proof is about the graph, and the function that runs is the network. So before a radius is returned, the two are
compared at points of its ball, within the bounds:

    at the input                    before anything is proved
    random directions               dense ones, corners of the ball and sparse ones, from near the input to the sphere
    adversarial directions          a few steps of steepest descent of the margins, of the graph's and of the network's

One difference `|(f_c - f_t) - (f_c - f_t of the graph)|` above the rounding of the two logits compared, or one point
within the radius at which the network predicts a target, and there is no proof. Some points are evaluated in passes of
their own and with gradients enabled, for a network that looks at either; numbers that a module keeps and that have
changed after all passes are named. Points prove nothing: they test what `torch.fx` recorded, and can only refute it.

Source: this project. The descent is the step of Frank and Wolfe (1956): to the point of the ball where the linearised
margin is least.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from clearance.certificates.ball_points import CutBall, lowest_in_ball, random_points
from clearance.certificates.graph import Graph
from clearance.certificates.overrides import plain_name
from clearance.errors import NetworkError
from clearance.geometry.norms import vector_norm
from clearance.model.gradients import margin_gradients
from clearance.model.inputs import CheckedInputs
from clearance.model.placement import rounds_to_tf32
from clearance.model.seeds import make_generator

AGREEMENT = 1e-4
"""Share of the two logits compared by which a margin of the network may differ from the graph's, in float32 or less: on
the public MNIST and CIFAR-10 networks and on random ones of up to 100 layers the largest share was 2e-5."""
TF32_AGREEMENT = 2e-2
"""The same on a CUDA device that may multiply in TensorFloat-32, torch's default for convolutions: 11 bits, not 24.
Reasoned from the digits and not measured."""
DOUBLE_AGREEMENT = 1e-8
"""The same in float64: above what torch's softplus is cut off by (2e-9), far below anything that matters."""
INSIDE = 0.999
"""Share of the radius at which the outermost points lie: a prediction on the sphere itself is a matter of rounding."""
FAR = 100.0
"""For an infinite radius without bounds: how many times the input's size the points go out."""
WALKED_TARGETS = 4
"""Targets whose margins are descended: those with the smallest margins at the input."""
RATES = (1.0, 0.5, 0.5)
"""How far each step of the descent goes to the point of the ball where the linearised margin is least."""


@dataclass(frozen=True)
class Claim:
    """One input and the radius that is about to be claimed for it.

    Source: this project.

    Attributes:
        inputs: The input, as a batch of one.
        graph: The graph that the proof is about.
        radius: The radius; infinite where everything within the bounds is claimed.
    """

    inputs: CheckedInputs
    graph: Graph
    radius: float

    def at_input(self) -> str:
        """What differs at the input itself, from logits that are known; empty where nothing does."""
        return self._difference(self.inputs.x, self.inputs.logits)

    def in_ball(self) -> str:
        """What differs at points of the ball, in one line; empty where nothing does."""
        try:
            with torch.no_grad():
                return self._in_ball()
        except NetworkError as error:
            return f"the network's answer cannot be used within the radius of {self.radius:.4g} ({error})"

    @cached_property
    def _ball(self) -> CutBall:
        x, bounds = self.inputs.x.double(), self.inputs.model.bounds
        box = None if bounds is None else (bounds[0].double().expand_as(x), bounds[1].double().expand_as(x))
        farthest = FAR * (1 + float(x.abs().max())) * x[0].numel() ** (1 / self.inputs.norm)
        if box is not None:
            farthest = min(farthest, float(vector_norm(torch.maximum(box[1] - x, x - box[0]), self.inputs.norm)))
        radius = min(self.radius, farthest) if box is not None else self.radius
        return CutBall(x, INSIDE * radius if math.isfinite(radius) else farthest, self.inputs.norm, box)

    @property
    def _own(self) -> int:
        return self.inputs.predicted[0]

    @property
    def _targets(self) -> list[int]:
        return list(self.inputs.targets[0])

    @property
    def _compared(self) -> list[int]:
        """The classes that every other is compared with: the predicted one, and the target where there is one."""
        return [self._own] if self.inputs.untargeted else [self._own, *self._targets]

    def _in_ball(self) -> str:
        """As `in_ball`, where the network's answers can be used."""
        inputs, model = self.inputs, self.inputs.model
        draw = make_generator("cpu", inputs.seed, "agreement", inputs.keys[0], str(inputs.norm))
        points = random_points(self._ball, draw).to(inputs.x.dtype)
        if torch.equal(points, inputs.x.expand_as(points)):
            return ""  # the ball holds no other point of this precision
        by_graph, said = self._walk(self._graph_gradient, points), list[str]()
        try:
            by_network = self._walk(lambda x, targets: self._network_gradient(x, targets, said), points)
        except NetworkError:  # a network without a backward pass
            by_network = by_graph[:0]
        if said:
            return said[0]
        points = model.clip(torch.cat([points, by_graph, by_network]))
        alone = torch.cat([points[[0, -1]], inputs.x])
        return self._difference(points, model.logits(points)) or self._difference(alone, model.logits_of_each(alone))

    def _walk(self, gradient: Callable[[Tensor, Tensor], Tensor], points: Tensor) -> Tensor:
        """Points of a few steps of steepest descent, from the input and from random points, for a few targets."""
        x = self.inputs.x
        logits = self.inputs.logits[0].double()
        nearest = sorted(self._targets, key=lambda t: float(logits[self._own] - logits[t]))[:WALKED_TARGETS]
        targets = torch.tensor(nearest * 2, device=x.device)
        at = torch.cat([x.expand(len(nearest), *x.shape[1:]), points[: len(nearest)]])
        met: list[Tensor] = []
        for rate in RATES:
            lowest = lowest_in_ball(self._ball, gradient(at, targets).double())
            at = self.inputs.model.clip((at + rate * (lowest - at)).to(x.dtype))
            met.append(at)
        return torch.cat(met)

    def _graph_gradient(self, x: Tensor, targets: Tensor) -> Tensor:
        leaf = x.double().requires_grad_(True)
        with torch.enable_grad():
            logits = self.graph(leaf)
            margin = (logits[:, self._own] - logits.gather(1, targets[:, None])[:, 0]).sum()
            return torch.autograd.grad(margin, leaf)[0]

    def _network_gradient(self, x: Tensor, targets: Tensor, said: list[str]) -> Tensor:
        """The network's gradients; its margins there are compared on the way, as they are with gradients enabled."""
        values, gradient = margin_gradients(self.inputs.model, x, self._own, targets)
        logits = self.graph(x.double())
        own, other = logits[:, self._own], logits.gather(1, targets[:, None])[:, 0]
        difference, slack = (values.double() - (own - other)).abs(), self._tolerance * (own.abs() + other.abs())
        wrong = ~(difference <= torch.maximum(slack, self._slack_at_input[targets]))
        if bool(wrong.any()):
            row = int(wrong.nonzero()[0])
            said.append(self._say(float(difference[row]), int(targets[row]), x[row]))
        return gradient.detach().nan_to_num()

    @property
    def _tolerance(self) -> float:
        if self.inputs.x.dtype == torch.float64:
            return DOUBLE_AGREEMENT
        return TF32_AGREEMENT if rounds_to_tf32(self.inputs.x) else AGREEMENT

    @cached_property
    def _slack_at_input(self) -> Tensor:
        """The tolerance times the predicted class's and each class's logit at the input, `(classes,)`."""
        logits = self.graph(self.inputs.x.double())[0].abs()
        return self._tolerance * (logits[self._own] + logits)

    def _difference(self, points: Tensor, logits: Tensor) -> str:
        """What the network's logits at some points have that the graph's do not allow, in one line."""
        found, expected = logits.double(), self.graph(points.double())
        off, size = found - expected, expected.abs()
        for own in self._compared:
            difference = (off[:, own, None] - off).abs()
            least = self._slack_at_input if own == self._own else self._slack_at_input[own]
            wrong = ~(difference <= torch.maximum(self._tolerance * (size[:, own, None] + size), least))
            if bool(wrong.any()):
                row, other = wrong.nonzero()[0].tolist()
                return self._say(float(difference[row, other]), other if own == self._own else own, points[row])
        distance = vector_norm(points.double() - self.inputs.x.double(), self.inputs.norm)
        reached = torch.isin(logits.argmax(1), torch.tensor(self._targets, device=logits.device))
        inside = (reached & (distance < self.radius)).nonzero().flatten()
        if len(inside):
            row = int(inside[distance[inside].argmin()])
            place = f"a distance of {float(distance[row]):.4g}, within the radius of {self.radius:.4g}"
            return f"the network predicts class {int(logits[row].argmax())} at {place} that was proved for its graph"
        return ""

    def _say(self, difference: float, target: int, point: Tensor) -> str:
        distance = float(vector_norm((point.double() - self.inputs.x[0].double())[None], self.inputs.norm))
        if not math.isfinite(difference):
            return f"the network's answer is not finite, {distance:.4g} from the input"
        margin = f"by {difference:.3g} in the margin against class {target}"
        return f"the traced network's logits differ from the network's {margin}, {distance:.4g} from the input"


def kept_numbers(network: object) -> dict[str, object]:
    """The numbers, texts and buffers that a network's modules keep, by name: what must not change from call to call.

    Args:
        network: The network, a module or another callable.

    Returns:
        The values; of buffers, copies.
    """
    modules = network.named_modules() if isinstance(network, nn.Module) else [("", network)]
    kept: dict[str, object] = {}
    for name, module in modules:
        values = {key: value for key, value in getattr(module, "__dict__", {}).items() if key != "training"}
        kept |= {f"{plain_name(name)}: {key}": v for key, v in values.items() if isinstance(v, int | float | str)}
        if isinstance(module, nn.Module):
            buffers = module.named_buffers(recurse=False)
            kept |= {f"{plain_name(name)}: {key}": value.detach().clone() for key, value in buffers}
    return kept


def changed(before: dict[str, object], after: dict[str, object]) -> str:
    """The first value that differs, by name; empty where none does.

    >>> changed({"0: calls": 1}, {"0: calls": 2})
    '0: calls'
    """
    for name, value in after.items():
        old = before.get(name)
        if isinstance(value, Tensor) and isinstance(old, Tensor):
            same = value.shape == old.shape and torch.equal(value.nan_to_num(), old.nan_to_num())
        else:
            same = type(value) is type(old) and (value == old or value != value)  # noqa: PLR0124
        if not same:
            return name
    return ""
