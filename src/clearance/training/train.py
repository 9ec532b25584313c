"""Training, standard and adversarial: just enough for the papers' networks and the bundled ones.

**Adversarial training** (Madry, Makelov, Schmidt, Tsipras and Vladu 2018, equation 2.1) minimises the loss at the worst
point that projected gradient descent (PGD) finds in an `l_inf` ball around each input, instead of at the input.

All randomness comes from `seed`. The order of the inputs and PGD's starts use explicit generators; layers that draw
from the global generator (dropout) see a forked one, and the caller's is put back.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from clearance.errors import InputError, NetworkError, ShapeError
from clearance.geometry.norms import expand
from clearance.model.seeds import derive_seed, make_generator


@dataclass(frozen=True)
class PgdSettings:
    """Projected gradient descent in an `l_inf` ball, from a uniform random start.

    Attributes:
        radius: Radius of the ball, in input units.
        step_size: Length of one signed gradient step, in input units.
        steps: How many steps.
        bounds: The valid range of an input, `(low, high)`; `None` for no limit.
    """

    radius: float
    step_size: float
    steps: int
    bounds: tuple[float, float] | None = (0.0, 1.0)

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InputError: If one is not positive, or the bounds are not in order.
        """
        if not (self.radius > 0 and self.step_size > 0 and self.steps > 0):
            raise InputError(f"PGD: expected a positive radius, step size and number of steps, got {self}")
        if self.bounds is not None and not self.bounds[0] < self.bounds[1]:
            raise InputError(f"PGD: expected bounds low < high, got {self.bounds}")


def train(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    adversarial: PgdSettings | None = None,
) -> tuple[float, ...]:
    """Train a network in place with Adam and cross-entropy; the learning rate falls to zero along a half cosine.

    Args:
        network: Maps `(batch, *input)` to logits `(batch, classes)`. Its mode is put back at the end.
        images: `(count, *input)`, on the network's device.
        labels: `(count,)`, int64 class indices.
        epochs: How many passes over the inputs.
        batch_size: Inputs in one step.
        learning_rate: Adam's, at the start.
        seed: Fixes the order of the inputs, PGD's starts, and dropout.
        adversarial: Train at the points that PGD finds; `None` trains at the inputs themselves.

    Returns:
        The mean loss of each epoch.

    Raises:
        ShapeError: If there is no input, or not one label for each.
        InputError: If a setting is not positive.
        NetworkError: If the loss is no longer finite.
    """
    _check(images, labels, epochs=epochs, batch_size=batch_size, learning_rate=learning_rate)
    generator = make_generator(images.device, seed, "training")
    optimiser = torch.optim.Adam(network.parameters(), lr=learning_rate)
    batches = -(-len(images) // batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=epochs * batches)
    losses: list[float] = []
    with _mode(network, training=True), _isolated_randomness(images.device, seed):
        for _ in range(epochs):
            total = torch.zeros((), device=images.device)
            for chosen in torch.randperm(len(images), generator=generator, device=images.device).split(batch_size):
                x, y = images[chosen], labels[chosen]
                if adversarial is not None:
                    x = perturb(network, x, y, settings=adversarial, generator=generator)
                optimiser.zero_grad(set_to_none=True)
                loss = cross_entropy(network(x), y)
                loss.backward()
                optimiser.step()
                schedule.step()
                total += loss.detach() * len(chosen)
            losses.append(_finite(total.item() / len(images), epoch=len(losses)))
    return tuple(losses)


def perturb(
    network: nn.Module, images: Tensor, labels: Tensor, *, settings: PgdSettings, generator: torch.Generator
) -> Tensor:
    """The points that PGD reaches: signed gradient ascent on the cross-entropy inside the ball (and the bounds).

    Args:
        network: Maps `(batch, *input)` to logits. It is used in the mode it is in (training mode is usual in training),
            and its parameters' gradients are left alone.
        images: `(batch, *input)`, the centres.
        labels: `(batch,)`, the classes to move away from.
        settings: The ball and the steps.
        generator: Where the random start comes from; on the images' device.

    Returns:
        `(batch, *input)`, each within `radius` of its centre in every coordinate.
    """
    centre = images.detach()
    low, high = centre - settings.radius, centre + settings.radius
    if settings.bounds is not None:
        low, high = low.clamp(*settings.bounds), high.clamp(*settings.bounds)
    uniform = torch.rand(centre.shape, generator=generator, device=centre.device, dtype=centre.dtype)
    x = low + (high - low) * uniform
    for _ in range(settings.steps):
        with torch.enable_grad():
            x.requires_grad_(True)
            (gradient,) = torch.autograd.grad(cross_entropy(network(x), labels, reduction="sum"), x)
        x = torch.clamp(x.detach() + settings.step_size * gradient.sign(), low, high)
    return x


def accuracy(network: nn.Module, images: Tensor, labels: Tensor, *, batch_size: int = 1024) -> float:
    """The share of inputs whose predicted class is their label, in evaluation mode.

    Args:
        network: Maps `(batch, *input)` to logits. Its mode is put back at the end.
        images: `(count, *input)`.
        labels: `(count,)`.
        batch_size: Inputs in one forward pass.

    Returns:
        A number in [0, 1].

    Raises:
        ShapeError: If there is no input, or not one label for each.
    """
    _check(images, labels, batch_size=batch_size)
    return _share_correct(network, images, labels, batch_size, lambda x, _: x)


def adversarial_accuracy(
    network: nn.Module, images: Tensor, labels: Tensor, *, settings: PgdSettings, seed: int, batch_size: int = 1024
) -> float:
    """The share of inputs still classified right after PGD. An upper bound: a better attack may find more.

    Args:
        network: Maps `(batch, *input)` to logits. Its mode is put back at the end.
        images: `(count, *input)`.
        labels: `(count,)`.
        settings: The ball and the steps.
        seed: Fixes PGD's starts.
        batch_size: Inputs attacked at once.

    Returns:
        A number in [0, 1].

    Raises:
        ShapeError: If there is no input, or not one label for each.
    """
    _check(images, labels, batch_size=batch_size)
    generator = make_generator(images.device, seed, "evaluation")

    def attacked(x: Tensor, y: Tensor) -> Tensor:
        moved = perturb(network, x, y, settings=settings, generator=generator)
        right = network(x).argmax(1) == y  # no random start may correct what is wrong already
        return torch.where(expand(right, x), moved, x)

    return _share_correct(network, images, labels, batch_size, attacked)


def _share_correct(
    network: nn.Module, images: Tensor, labels: Tensor, size: int, change: Callable[[Tensor, Tensor], Tensor]
) -> float:
    correct = 0
    with _mode(network, training=False), torch.no_grad():
        for x, y in zip(images.split(size), labels.split(size), strict=True):
            correct += int((network(change(x, y)).argmax(1) == y).sum())
    return correct / len(images)


@contextmanager
def _mode(network: nn.Module, *, training: bool) -> Generator[None]:
    """Set the mode of every module, and put each one's own back."""
    before = [(module, module.training) for module in network.modules()]
    network.train(training)
    try:
        yield
    finally:
        for module, mode in before:
            module.training = mode


@contextmanager
def _isolated_randomness(device: torch.device, seed: int) -> Generator[None]:
    """Let layers that only know the global generator draw from a fork of it, seeded by `seed`."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(derive_seed(seed, "layers"))
        yield


def _finite(loss: float, *, epoch: int) -> float:
    if not abs(loss) < float("inf"):
        raise NetworkError(f"training: the loss of epoch {epoch} is {loss}; try a smaller learning rate")
    return loss


def _check(images: Tensor, labels: Tensor, **positive: float) -> None:
    if len(images) == 0 or labels.shape != (len(images),):
        raise ShapeError(f"training: expected one label for each input, got {len(images)} and {tuple(labels.shape)}")
    for name, value in positive.items():
        if not value > 0:
            raise InputError(f"{name}: expected a positive number, got {value}")
