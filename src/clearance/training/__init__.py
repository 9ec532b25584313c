"""Training, standard and defended, on plain PyTorch: what the papers' networks and the bundled ones were made with.

loop.py            one loop for every defence: resumable, with early stopping on robust accuracy
defenses/          one file for each way to train, one line each in defenses/table.py
perturbations.py   what the adversary may do, and the inner maximisation (Danskin's theorem)
intervals.py       interval bounds and one CROWN pass that training can differentiate
accuracies.py      accuracy, and robust accuracy under projected gradient ascent
checkpoints.py     the state of training, after each epoch
cards.py           the model card: what a checkpoint is, in its header and as a page

Names are imported when they are first used: `clearance.training.defenses.table` brings in no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clearance.records import on_first_use

if TYPE_CHECKING:
    from clearance.training.accuracies import accuracy, robust_accuracy
    from clearance.training.defenses.adversarial import Adversarial
    from clearance.training.defenses.distillation import Distillation
    from clearance.training.defenses.fast import Fast
    from clearance.training.defenses.free import Free
    from clearance.training.defenses.interval_bounds import IntervalBounds
    from clearance.training.defenses.noise_augmentation import NoiseAugmentation
    from clearance.training.defenses.pseudo_labels import PseudoLabels, guessed_labels
    from clearance.training.defenses.standard import Standard
    from clearance.training.defenses.trades import Trades
    from clearance.training.loop import train
    from clearance.training.perturbations import PerturbationSet
    from clearance.training.settings import History, TrainingSettings, TrainingStatus, Validation

__all__ = [
    "Adversarial",
    "Distillation",
    "Fast",
    "Free",
    "History",
    "IntervalBounds",
    "NoiseAugmentation",
    "PerturbationSet",
    "PseudoLabels",
    "Standard",
    "Trades",
    "TrainingSettings",
    "TrainingStatus",
    "Validation",
    "accuracy",
    "guessed_labels",
    "robust_accuracy",
    "train",
]

_NAMES = {
    "accuracies": (
        "accuracy",
        "robust_accuracy",
    ),
    "defenses.adversarial": ("Adversarial",),
    "defenses.distillation": ("Distillation",),
    "defenses.fast": ("Fast",),
    "defenses.free": ("Free",),
    "defenses.interval_bounds": ("IntervalBounds",),
    "defenses.noise_augmentation": ("NoiseAugmentation",),
    "defenses.pseudo_labels": (
        "PseudoLabels",
        "guessed_labels",
    ),
    "defenses.standard": ("Standard",),
    "defenses.trades": ("Trades",),
    "loop": ("train",),
    "perturbations": ("PerturbationSet",),
    "settings": (
        "History",
        "TrainingSettings",
        "TrainingStatus",
        "Validation",
    ),
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names}


__getattr__ = on_first_use(__name__, _HOMES)
"""Its public names are imported when they are first used."""


def __dir__() -> list[str]:
    """The public names, imported or not."""
    return sorted({*globals(), *__all__})
