"""The training loop: one for every defence, resumable after a kill, with early stopping on robust accuracy."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from clearance.errors import NetworkError
from clearance.geometry.norms import expand
from clearance.model.seeds import derive_seed, make_generator
from clearance.training.accuracies import accuracy, check_inputs, mode, robust_accuracy
from clearance.training.checkpoints import TrainingState, described, load_state, save_state
from clearance.training.defenses.defense import Defense, TrainingStep
from clearance.training.defenses.standard import Standard
from clearance.training.intervals import proved_share
from clearance.training.settings import Epoch, History, TrainingSettings, TrainingStatus, Validation

STATE_FILE = "training.safetensors"
"""The file of a folder that training goes on from."""
COLLAPSE = 0.5
"""Robust accuracy below this share of the best epoch's is a collapse: catastrophic overfitting takes it from its best
value to near 0 within an epoch (Wong et al. 2020), which no fluctuation does. Only training with an adversary is
watched: other training may well become less robust as it goes on."""
MEANINGFUL = 0.2
"""Robust accuracy that an epoch must have reached before a collapse can be told."""
SHIFT = 4
"""Pixels that augmentation shifts by at most, as in He et al. (2016), section 4.2."""

Report = Callable[[int, Epoch], None]
"""Told after each epoch: how many are done, and what the last one came to."""
Watch = Callable[[float], None]
"""Told before each step: the share of its epoch that is done."""


def train(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    settings: TrainingSettings,
    defense: Defense | None = None,
    validation: Validation | None = None,
    folder: Path | None = None,
    report: Report | None = None,
    watch: Watch | None = None,
) -> History:
    """Train a network in place.

    The same seed, settings and inputs give the same weights on the same kind of device with the same number of threads,
    in one go or resumed. The caller's random state is left alone.

    Args:
        network: Maps `(batch, *input)` to logits `(batch, classes)`. Its mode is put back at the end.
        images: `(count, *input)`, on the network's device.
        labels: `(count,)`, int64 class indices.
        settings: Epochs, batches, optimiser.
        defense: How the losses are made; `None` is `Standard()`.
        validation: Inputs apart from these, to judge each epoch on: the network gets the weights of the best one.
        folder: Where the state is kept after each epoch, to go on from after a kill; `None` keeps none.
        report: Called after each epoch.
        watch: Called before each step.

    Returns:
        What each epoch came to, and how it ended.

    Raises:
        ShapeError: If there is no input, or not one label for each.
        NetworkError: If the loss is no longer finite.
        FileError: If the folder holds the state of other training.
    """
    check_inputs(images, labels)
    chosen, state = defense or Standard(), _begin(network, images, settings)
    belongs = _described(settings, chosen, state, (images, labels), validation)
    if folder is not None and (folder / STATE_FILE).is_file():
        load_state(folder / STATE_FILE, state, belongs)
    status = _ended(state, settings, validation, chosen)
    while status is None:
        with mode(network, training=True), deterministic(images.device, settings.seed, len(state.epochs)):
            loss = _epoch(state, images, labels, settings, chosen, watch or _unwatched)
        state.epochs.append(_judged(network, _finite(loss, len(state.epochs) + 1), validation, settings.seed))
        if _is_best(state, validation, settled=chosen.settled * settings.epochs):
            state.best, state.weights = len(state.epochs) - 1, _values(network)
        status = _ended(state, settings, validation, chosen)
        if folder is not None:
            save_state(folder / STATE_FILE, state, belongs)
        if report is not None:
            report(len(state.epochs), state.epochs[-1])
    network.load_state_dict(state.weights)
    return History(tuple(state.epochs), state.best, status)


def _begin(network: nn.Module, images: Tensor, settings: TrainingSettings) -> TrainingState:
    rate, decay = settings.learning_rate, settings.weight_decay
    if settings.optimiser == "adam":
        optimiser = torch.optim.Adam(network.parameters(), lr=rate, weight_decay=decay)
    else:
        optimiser = torch.optim.SGD(network.parameters(), lr=rate, momentum=0.9, nesterov=True, weight_decay=decay)
    batches = math.ceil(len(images) / settings.batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=settings.epochs * batches)
    return TrainingState(network, optimiser, schedule, make_generator(images.device, settings.seed, "training"))


def _unwatched(share: float) -> None:
    del share


def _epoch(
    state: TrainingState,
    images: Tensor,
    labels: Tensor,
    settings: TrainingSettings,
    defense: Defense,
    watch: Watch,
) -> float:
    """One pass over the inputs; the mean loss."""
    generator, index = state.generator, len(state.epochs)
    batches = torch.randperm(len(images), generator=generator, device=images.device).split(settings.batch_size)
    total, count = torch.zeros((), device=images.device), 0
    for number, chosen in enumerate(batches):
        watch(number / len(batches))
        step = TrainingStep(generator, (index + number / len(batches)) / settings.epochs)
        x = images[chosen] if settings.augmentation == "none" else crop_flip(images[chosen], generator)
        for loss in defense.losses(state.network, x, labels[chosen], step):
            state.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            state.optimiser.step()
            total, count = total + loss.detach() * len(chosen), count + len(chosen)
        state.schedule.step()
    state.optimiser.zero_grad(set_to_none=True)
    return total.item() / count


def crop_flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each picture shifted by up to four pixels each way, zeros coming in, and mirrored or not (He et al. 2016).

    Args:
        images: `(batch, channels, height, width)`.
        generator: On the images' device.

    Returns:
        `(batch, channels, height, width)`.
    """
    count, _, height, width = images.shape

    def draw(high: int) -> Tensor:
        return torch.randint(high, (count,), generator=generator, device=images.device)

    padded = nn.functional.pad(images, (SHIFT,) * 4)
    rows = draw(2 * SHIFT + 1)[:, None] + torch.arange(height, device=images.device)
    columns = draw(2 * SHIFT + 1)[:, None] + torch.arange(width, device=images.device)
    moved = padded[torch.arange(count, device=images.device)[:, None, None], :, rows[:, :, None], columns[:, None]]
    moved = moved.permute(0, 3, 1, 2)
    return torch.where(expand(draw(2) == 1, moved), moved.flip(3), moved)


@contextmanager
def deterministic(device: torch.device, seed: int, epoch: int) -> Generator[None]:
    """Let layers that only know the global generator draw from a fork of it, and cuDNN choose algorithms that repeat.

    Args:
        device: Where training runs.
        seed: Of training.
        epoch: Which one: each has its own stream, so that a resumed run draws what an unbroken one draws.

    Yields:
        Nothing.
    """
    backend = torch.backends.cudnn
    before = backend.deterministic, backend.benchmark
    backend.deterministic, backend.benchmark = True, False
    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            own = derive_seed(seed, "layers", epoch)
            torch.default_generator.manual_seed(own)  # torch.manual_seed seeds every device's, and one is forked
            if device.type == "cuda":
                with torch.cuda.device(device):
                    torch.cuda.manual_seed(own)
            yield
    finally:
        backend.deterministic, backend.benchmark = before


def _judged(network: nn.Module, loss: float, validation: Validation | None, seed: int) -> Epoch:
    if validation is None:
        return Epoch(loss)
    x, y = validation.images, validation.labels
    clean = accuracy(network, x, y)
    if validation.perturbations is None:
        return Epoch(loss, clean)
    perturbations = validation.perturbations
    robust = robust_accuracy(network, x, y, perturbations=perturbations, steps=validation.steps, seed=seed)
    if not validation.by_intervals:
        return Epoch(loss, clean, robust)
    with mode(network, training=False):
        return Epoch(loss, clean, robust, proved_share(network, *perturbations.box(x), y))


def _is_best(state: TrainingState, validation: Validation | None, *, settled: float) -> bool:
    """Whether the last epoch is the best so far: epochs before the radius is full give way to any later one."""
    if validation is None or state.best + 1 < settled:
        return True
    return state.epochs[-1].score >= state.epochs[state.best].score


def _ended(
    state: TrainingState, settings: TrainingSettings, validation: Validation | None, defense: Defense
) -> TrainingStatus | None:
    """Why training is over; `None` while it is not."""
    if not state.epochs:
        return None
    best, last = state.epochs[state.best].robust or 0.0, state.epochs[-1].robust
    watched = hasattr(getattr(defense, "defense", defense), "perturbations")
    if watched and last is not None and best >= MEANINGFUL and last < COLLAPSE * best:
        return TrainingStatus.OVERFITTED
    waited = len(state.epochs) - 1 - _first_best(state, settled=defense.settled * settings.epochs)
    if validation is not None and settings.patience is not None and waited >= settings.patience:
        return TrainingStatus.STOPPED_EARLY
    return TrainingStatus.FINISHED if len(state.epochs) >= settings.epochs else None


def _first_best(state: TrainingState, *, settled: float) -> int:
    """The first epoch as good as the best one, of those whose radius is full: patience waits for a better one."""
    top, start = state.epochs[state.best].score, max(math.ceil(settled) - 1, 0)
    equal = (index for index, epoch in enumerate(state.epochs) if index >= start and epoch.score == top)
    return min(next(equal, state.best), state.best)


def _described(
    settings: TrainingSettings,
    defense: Defense,
    state: TrainingState,
    data: tuple[Tensor, Tensor],
    validation: Validation | None,
) -> dict[str, str]:
    """What a state of training belongs to: all that its values depend on."""
    return {name: str(value) for name, value in asdict(settings).items()} | {
        "defense": described(defense) if is_dataclass(defense) else defense.label,
        "start": described(state.network),
        "inputs": described(data[0]),
        "labels": described(data[1]),
        "validation": described(validation),
    }


def _values(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def _finite(loss: float, epoch: int) -> float:
    if not math.isfinite(loss):
        raise NetworkError(f"training: the loss of epoch {epoch} is {loss}; try a smaller learning rate")
    return loss
