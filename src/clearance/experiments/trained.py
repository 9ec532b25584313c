"""Networks that experiments train for themselves: kept in a folder by name, so that a network is trained once."""

from __future__ import annotations

from dataclasses import dataclass

from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from clearance.experiments.session import Session
from clearance.training import Standard, TrainingSettings, train
from clearance.training.defenses.defense import Defense

JUDGING_STEPS = 20
"""Of projected gradient ascent, by which the robust accuracy of a trained network is measured on many inputs."""


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes:
        name: What it is called; with the scale and the seed, what its file is called.
        epochs: Passes over the inputs.
        batch_size: Inputs in one step.
        learning_rate: Adam's, at the start.
    """

    name: str
    epochs: int
    batch_size: int = 128
    learning_rate: float = 1e-3


def trained(
    session: Session, network: nn.Module, images: Tensor, labels: Tensor, recipe: Recipe, defense: Defense | None = None
) -> nn.Module:
    """A network with its weights: from the folder of networks, or trained now and kept there.

    It is trained on the session's device and comes back on the CPU.

    Args:
        session: Where networks are kept, the device, and the seed.
        network: With its first weights; filled in place.
        images: Training inputs, `(count, *input)`.
        labels: Their classes, `(count,)`.
        recipe: How long it is trained.
        defense: How; `None` as usual. A recipe's name says which.

    Returns:
        The network, in evaluation mode.
    """
    path = (
        session.networks / f"{recipe.name}-{recipe.epochs}-epochs-{len(images)}-inputs-seed-{session.seed}.safetensors"
    )
    if path.is_file():
        network.load_state_dict(load_file(path))
        return network.eval()
    session.say(f"training {recipe.name}: {len(images)} inputs, {recipe.epochs} epochs")
    settings = TrainingSettings(recipe.epochs, recipe.batch_size, recipe.learning_rate, session.seed)
    network.to(session.device)
    data = images.to(session.device), labels.to(session.device)
    train(network, *data, settings=settings, defense=defense or Standard())
    network.cpu()
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(network.state_dict(), path)
    return network.eval()
