"""What the tests of single attacks share: small classifiers, and the promises that every method makes.

A file of `tests/attacks` names its method's variants, `{name: (norm, method)}`, and asks for the checks below.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from clearance.attacks import Goal, Witnesses, bisect_radius, fgsm, make_goal
from clearance.attacks.linear_model import linear_distance
from clearance.geometry.norms import vector_norm
from clearance.model.classifier import Classifier
from clearance.model.margins import resolve_targets
from clearance.zoo.networks import digits_cnn
from closed_forms import Linear, exact_linear, random_inputs, random_linear, random_relu

INF = math.inf
Method = Callable[[Classifier, Tensor, Goal], Witnesses]
Variants = dict[str, tuple[float, Method]]
RADII = {1.0: (0.25, 0.5, 1, 2, 4, 8), 2.0: (0.1, 0.2, 0.4, 0.8, 1.6, 3.2), INF: (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)}


def classifier(network: Callable[[Tensor], Tensor], bounds: tuple[float, float] | None = None) -> Classifier:
    return Classifier(network, bounds=bounds, dtype=torch.float64)


def goal_of(model: Classifier, x: Tensor, target: str = "untargeted") -> Goal:
    logits = model.logits(x)
    return make_goal(logits.argmax(1), resolve_targets(logits, target), logits.shape[1])


def relu_network(seed: int, classes: int) -> Callable[[Tensor], Tensor]:
    return random_relu(seed, classes=classes, size=6, hidden=16)


def small_inputs(seed: int, count: int = 4) -> Tensor:
    return random_inputs(seed, count, 6).float().reshape(count, 2, 3)


@dataclass(frozen=True)
class LinearCase:
    """Inputs of a linear classifier, whose minimum distortion is known exactly."""

    network: Linear
    x: Tensor
    bounds: tuple[float, float] | None = None

    @property
    def model(self) -> Classifier:
        return classifier(self.network, self.bounds)

    @property
    def goal(self) -> Goal:
        return goal_of(self.model, self.x)

    def exact(self, norm: float) -> Tensor:
        return self.network.distance(self.x, norm)

    def toward(self, rank: int) -> Goal:
        """The goal of the class with that rank in logits, alone."""
        ranked = self.model.logits(self.x).argsort(dim=1, descending=True)
        return make_goal(ranked[:, 0], ranked[:, rank : rank + 1].tolist(), len(self.network.weight))


def linear_case(seed: int = 0, *, classes: int = 2, size: int = 12, count: int = 8) -> LinearCase:
    return LinearCase(random_linear(seed, classes=classes, size=size), random_inputs(seed, count, size))


def bisected(method: Callable[..., Witnesses], norm: float) -> Method:
    """A fixed-radius method, as one of minimum distance."""

    def run(model: Classifier, x: Tensor, goal: Goal) -> Witnesses:
        def within(epsilon: Tensor, start: Tensor) -> Witnesses:
            return method(model, x, goal, norm=norm, epsilon=epsilon, steps=40)

        return bisect_radius(within, x, norm=norm, first=2 * linear_distance(model, x, goal, norm), rounds=14)

    return run


def far_witnesses(case: LinearCase, norm: float) -> Witnesses:
    """Beyond the plane, in a direction that is not the shortest."""
    found = Witnesses(case.x, norm)
    away = fgsm(case.model, case.x, case.goal, norm=INF, epsilon=3 * case.exact(INF)).adversarial
    found.offer(away, torch.ones(len(case.x), dtype=torch.bool))
    return found


def assert_near(distance: Tensor, exact: Tensor, share: float = 0.05) -> None:
    """Never below the exact distance, and at most a share above it."""
    assert (distance >= exact * (1 - 1e-12)).all()  # a distance is rounded once
    assert (distance <= (1 + share) * exact).all(), (distance / exact).max()


def assert_above_the_program(norm: float, method: Method) -> None:
    """With bounds: witnesses lie in them, at their stated distances, none below the linear program's optimum."""
    network, x = random_linear(3), random_inputs(3, 8, 6)
    model = classifier(network, (0, 1))
    goal = goal_of(model, x)
    found = method(model, x, goal)
    assert found.success.any()
    assert (found.adversarial >= 0).all() and (found.adversarial <= 1).all()
    assert torch.equal(vector_norm(found.adversarial - x, norm)[found.success], found.distance[found.success])
    if norm in (1.0, INF):
        for row in range(8):
            targets = goal.wanted[row].nonzero().flatten().tolist()
            exact = exact_linear(network, x[row], norm, targets, 0.0, 1.0)
            assert found.distance[row] >= exact - 1e-7  # the tolerance of the program itself


def assert_scales_with_units(norm: float, method: Method) -> None:
    """Inputs in other units, from 1e-4 to 1e4: the same distance in those units."""
    network, x = random_linear(1, classes=2), random_inputs(1, 4, 6)
    for scale in (1e-4, 1e4):
        stretched = classifier(lambda z, scale=scale: network(z / scale))
        found = method(stretched, x * scale, goal_of(stretched, x * scale))
        assert_near(found.distance, scale * network.distance(x, norm))


def assert_aimed_is_near(norm: float, method: Callable[..., Witnesses], seed: int) -> None:
    """Aimed at each class in turn: left to itself a method may head for a class that is not the nearest."""
    case = linear_case(seed, classes=4)
    model, goal = case.model, case.goal
    ranked = model.logits(case.x).argsort(dim=1, descending=True)
    runs = [method(model, case.x, goal, aim=goal.to_class(ranked[:, rank])).distance for rank in (1, 2, 3)]
    assert_near(torch.stack(runs).amin(0), case.exact(norm))


def assert_targeted_is_near(norm: float, method: Method) -> None:
    case = linear_case(0, classes=4, count=6)
    found = torch.stack([method(case.model, case.x, case.toward(rank)).distance for rank in (1, 2, 3)])
    assert_near(found.amin(0), case.exact(norm))


def assert_confidence_is_kept(method: Callable[..., Witnesses]) -> None:
    network, x = random_linear(2), random_inputs(2, 6, 6)
    model = classifier(network)
    goal = goal_of(model, x)
    found, plain = method(model, x, goal, confidence=2.0), method(model, x, goal)
    top = model.logits(found.adversarial).topk(2, dim=1)
    assert found.success.all()
    assert (top.values[:, 0] - top.values[:, 1] > 0).all() and (top.indices[:, 0] != goal.source).all()
    own = model.logits(found.adversarial).gather(1, goal.source[:, None])[:, 0]
    assert (top.values[:, 0] - own >= 2.0).all()
    assert (found.distance > plain.distance).all()


def assert_success_grows_with_the_radius(norm: float, method: Callable[..., Witnesses]) -> None:
    """On a linear classifier, for every input; on a network, for the rate over inputs."""
    straight = Classifier(random_linear(0, classes=2).__call__, dtype=torch.float64)
    curved = Classifier(digits_cnn(seed=1), (0, 1))
    x = random_inputs(0, 20, 6)
    images = random_inputs(1, 20, 64).float().reshape(20, 1, 8, 8)
    for model, points, each in ((straight, x, True), (curved, images, False)):
        goal = goal_of(model, points)
        runs = [method(model, points, goal, norm=norm, epsilon=epsilon).success for epsilon in RADII[norm]]
        assert runs[-1].any() and not runs[0].all()
        for narrow, wide in pairwise(runs):
            assert wide.sum() >= narrow.sum()
            assert not each or (wide >= narrow).all()


def assert_exact_radius(norm: float, method: Callable[..., Witnesses], *, share: float = 1e-3) -> None:
    """On two classes split by a plane: no witness inside the exact distance, one just outside."""
    case = linear_case()
    model, goal, exact = case.model, case.goal, case.exact(norm)
    assert not method(model, case.x, goal, norm=norm, epsilon=exact * (1 - 1e-9)).success.any()
    found = method(model, case.x, goal, norm=norm, epsilon=exact * (1 + share))
    assert found.success.all()
    assert_near(found.distance, exact, share * (1 + 1e-9))


def assert_promises(norm: float, method: Method, model: Classifier, x: Tensor, goal: Goal) -> None:
    """What every method promises of its witnesses."""
    found = method(model, x, goal)
    success, y = found.success, found.adversarial
    assert torch.equal(success, found.distance < INF)
    assert torch.equal(model.clip(y), y)
    assert torch.equal(vector_norm(y - x, norm)[success], found.distance[success])
    assert torch.equal(y[~success], x[~success])
    assert (found.distance > 0).all()
    alone = torch.cat([model.logits(row[None]).argmax(1) for row in y])
    assert goal.wanted.gather(1, alone[:, None])[:, 0][success].all()


def assert_begins_at_its_start(method: Callable[..., Witnesses], case: LinearCase) -> None:
    """One iteration looks at its start alone: a witness there is found, and nothing else."""
    far = case.x + 2 * (method(case.model, case.x, case.goal).adversarial - case.x)
    found = method(case.model, case.x, case.goal, steps=1, start=far)
    assert torch.equal(found.adversarial, far)
    assert (method(case.model, case.x, case.goal, steps=1).distance == INF).all()


def assert_most_have_a_witness(method: Method) -> None:
    """Without this, an attack that finds nothing would keep every promise."""
    model, x = Classifier(random_linear(0, classes=3).__call__), small_inputs(0, 12)
    for target in ("untargeted", "least-likely"):
        assert method(model, x, goal_of(model, x, target)).success.float().mean() >= 0.75


bounds_of = st.sampled_from(
    [None, (0.0, 1.0), (-1.0, 2.0), (torch.full((2, 3), -0.25), torch.tensor([[1.0, 1.5, 2.0], [1.0, 1.0, 3.0]]))]
)
targets_of = st.sampled_from(["untargeted", "runner-up", "random", "least-likely"])


def on_any_network(examples: int = 8) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Random ReLU networks, bounds and targets, as the argument `threat`."""
    drawn = st.tuples(st.integers(0, 10_000), st.integers(2, 5), bounds_of, targets_of)

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        return settings(max_examples=examples, deadline=None, derandomize=True)(given(threat=drawn)(test))

    return decorate


def threatened(threat: tuple[int, int, object, str]) -> tuple[Classifier, Tensor, Goal]:
    """The classifier, the inputs and their goals."""
    seed, classes, bounds, target = threat
    model, x = Classifier(relu_network(seed, classes), bounds), small_inputs(seed)
    return model, x, goal_of(model, x, target)


def constant(x: Tensor) -> Tensor:
    return torch.tensor([1.0, 0.0, -1.0], dtype=x.dtype).repeat(len(x), 1)


def flat(x: Tensor) -> Tensor:
    """Depends on its input, with a gradient that is zero everywhere."""
    return constant(x) + 0.0 * x.flatten(1).sum(1, keepdim=True)


def staircase(x: Tensor) -> Tensor:
    """Moves with its input, but only in steps."""
    return torch.stack([x.flatten(1).sum(1).round().abs() + 1, torch.zeros(len(x))], 1)


def undefined(x: Tensor) -> Tensor:
    """Finite logits whose gradient is NaN: the square root of zero."""
    nothing = x.flatten(1).sum(1, keepdim=True) * 0.0
    return constant(x) + nothing.square().sqrt()


def undefined_around(x: Tensor) -> Tensor:
    """Finite logits with honest gradients at the inputs themselves, NaN everywhere else."""
    away = torch.cdist(x.flatten(1), small_inputs(0, 2).flatten(1), p=INF).amin(1, keepdim=True) > 0
    return torch.where(away, torch.nan, constant(x) + x.flatten(1)[:, :3])


each_dead = pytest.mark.parametrize("dead", [constant, flat, undefined, undefined_around])


def assert_finds_nothing(method: Method, dead: Callable[[Tensor], Tensor]) -> None:
    x = small_inputs(0, 2)
    for bounds in (None, (0.0, 1.0)):
        model = Classifier(dead, bounds)
        found = method(model, x, make_goal(torch.zeros(2, dtype=torch.long), [[1, 2]] * 2, 3))
        assert not found.success.any() and torch.equal(found.adversarial, x)


def each(variants: Variants) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("name", variants)
