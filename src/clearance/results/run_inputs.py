"""Models and data of a run from Python: specs as on the command line, or what is in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from clearance.data.dataset import Dataset
from clearance.errors import InputError
from clearance.model.classifier import Classifier, check_classifier
from clearance.results.setup import name_of
from clearance.runs.names import IN_MEMORY
from clearance.zoo.choice import DataOptions
from clearance.zoo.classifiers import LoadedClassifier, ModelOptions, load_model
from clearance.zoo.inputs import Inputs, load_data, read_inputs
from clearance.zoo.loaded import LoadedNetwork

Count = int | Literal["all"] | None
"""How many inputs of a set: a number, all, or the default of the command line."""
ModelLike = str | Classifier
"""A model spec, or a classifier."""
DataLike = str | Path | Dataset | tuple[Tensor, Tensor | Sequence[int]]
"""A data spec, a set, or inputs with their labels."""


class InMemory(nn.Module):
    """A network with the choices of a classifier that its digest must see, such as the draws of an average.

    Args:
        network: The network.
        choices: Plain values by name.
    """

    def __init__(self, network: Any, choices: Mapping[str, Any]) -> None:
        super().__init__()
        self.network, self.choices = network, dict(choices)


def run_inputs(model: ModelLike, data: DataLike, *, name: str | None = None, count: Count = None) -> Inputs:
    """A model and its inputs, read as the command line reads them where they are specs.

    Args:
        model: A spec, or a classifier.
        data: A spec, a set, or inputs with their labels.
        name: What a classifier that was made in memory is called; `None`: the kind of its network.
        count: How many inputs of a data spec; `None`: the command line's default.

    Returns:
        Both.

    Raises:
        InputError: If they are something else, or `count` is given for inputs in memory.
    """
    if isinstance(model, str) and isinstance(data, str | Path):
        return read_inputs(model, str(data), ModelOptions(), DataOptions(count))
    if isinstance(data, str | Path):
        check_classifier(model)  # pyright: ignore[reportArgumentType]
        chosen = load_data(data, model=model, count=count)  # pyright: ignore[reportArgumentType]
    elif count is not None:
        raise InputError(f"count: expected None with inputs that are in memory, got {count!r}; choose among them")
    else:
        chosen = as_dataset(data)
    classifier = load_model(model, data=chosen) if isinstance(model, str) else model
    check_classifier(classifier)
    network = known_network(classifier, name)
    names = chosen.class_names or network.class_names
    return Inputs(
        network,
        classifier,
        replace(chosen, class_names=names),
        chosen.source or f"{chosen.name.removesuffix(IN_MEMORY)}{IN_MEMORY}",
        micro_batch=classifier.asked_micro_batch,
        unit=unit_of(classifier),
    )


def unit_of(model: Classifier) -> str | None:
    """What a distance is measured in, in words; `None`: the units of the inputs."""
    if isinstance(model, LoadedClassifier):
        return model.unit
    return None if model.scale is None else "units of the classifier's scale"


def known_network(model: Classifier, name: str | None) -> LoadedNetwork:
    """What is known of a classifier's network: all that its spec says, or its name alone."""
    if isinstance(model, LoadedClassifier):
        return model.loaded
    network: Any = model.network
    if type(model) is not Classifier:  # an average: its draws are choices of the classifier
        plain = {key: value for key, value in vars(model).items() if isinstance(value, bool | int | float | str)}
        network = InMemory(network, {"kind": type(model).__qualname__, **plain})
    called = name_of(model) if name is None else f"{name}{IN_MEMORY}"
    return LoadedNetwork(network, called)


def as_dataset(data: Any) -> Dataset:
    """A set from what is in memory.

    Args:
        data: A set, or a pair of inputs `(count, *input)` and labels.

    Returns:
        The set.

    Raises:
        InputError: If it is neither.
    """
    if isinstance(data, Dataset):
        return data
    if not (isinstance(data, tuple) and len(data) == 2 and isinstance(data[0], Tensor)):
        raise InputError(f"data: expected a spec, a Dataset or (inputs, labels), got {type(data).__name__}")
    images, labels = data[0].detach().cpu(), torch.as_tensor(data[1]).cpu()
    if labels.shape != images.shape[:1]:
        raise InputError(f"data: expected a label for each of {len(images)} inputs, got {tuple(labels.shape)}")
    return Dataset(images, labels.long(), f"inputs{IN_MEMORY}", None)
