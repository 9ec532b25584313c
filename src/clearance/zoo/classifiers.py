"""A classifier from a model spec: the network, with its bounds, normalisation, device, precision and scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from clearance.data import datasets
from clearance.data.dataset import Bounds, Dataset, Source
from clearance.data.options import Options
from clearance.data.presets import PRESETS
from clearance.data.scales import choose_scale
from clearance.errors import InputError
from clearance.model.bounds import write_bounds
from clearance.model.classifier import Classifier
from clearance.model.preprocessing import Normalize
from clearance.records import count
from clearance.zoo import specs
from clearance.zoo.fit import check_features
from clearance.zoo.loaded import LoadedNetwork, ModelArgument
from clearance.zoo.requests import check_bounds, check_normalisation


@dataclass(frozen=True)
class ModelOptions:
    """What is said of a model beside its name; each is an option of the command line and an argument of `load_model`.

    Attributes:
        weights: File with the values of a factory's network.
        model_args: Arguments for what makes the network.
        trust_pickle: Load files that can run code.
        bounds: The valid range of an input; `None`: what the model, else the data, are known to have.
        no_bounds: Inputs have no valid range, whatever is known.
        mean: Subtracted per channel before the network.
        std: Divided by per channel, after `mean`.
        preset: Name of a known pair of `mean` and `std`.
        scale: What distances are measured in: a name of `data.scale_names.UNIT_NAMES`, or a CSV file; `None`: the units
            of the data.
        device: Where to compute.
        dtype: Precision to compute in; `None`: the network's.
        micro_batch: Inputs per pass; `None`: as many as fit.
        compiled: Compute with torch.compile.
        channels_last: Keep the channels of images last in memory.
    """

    weights: str | Path | None = None
    model_args: Mapping[str, ModelArgument] = field(default_factory=dict[str, ModelArgument])
    trust_pickle: bool = False
    bounds: tuple[float, float] | None = None
    no_bounds: bool = False
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    preset: str | None = None
    scale: str | None = None
    device: str | None = None
    dtype: str | torch.dtype | None = None
    micro_batch: int | None = None
    compiled: bool = False
    channels_last: bool = False


class LoadedClassifier(Classifier):
    """A classifier that was made from a spec, with what is known of it.

    Attributes:
        loaded: The network with its name, its weights file, its class names and what it wants pictures to be.
        unit: What a distance is measured in, in words; `None`: the units of the inputs.
        given_bounds: The bounds that were asked for, other than those that were known.
    """

    loaded: LoadedNetwork
    unit: str | None = None
    given_bounds: tuple[float, float] | None = None

    def __repr__(self) -> str:
        """Its name and its bounds."""
        return f"{type(self).__name__}({self.loaded.name}, {write_bounds(self.bounds)})"


def load_model(
    spec: str,
    *,
    data: str | Path | Dataset | None = None,
    weights: str | Path | None = None,
    model_args: Mapping[str, ModelArgument] | None = None,
    trust_pickle: bool = False,
    bounds: tuple[float, float] | None = None,
    no_bounds: bool = False,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    preset: str | None = None,
    scale: str | None = None,
    device: str | None = None,
    dtype: str | torch.dtype | None = None,
    micro_batch: int | None = None,
    compiled: bool = False,
    channels_last: bool = False,
) -> LoadedClassifier:
    """The classifier that MODEL on the command line names, with the same options.

    Args:
        spec: A name of `zoo.table.BUNDLED`, such as `"digits-robust"`, or of a form of `zoo.table.SPECS`, such as
            `"net.py:make"`, `"net.pt2"` or `"hf:folder"`.
        data: The data that it will be evaluated on, as `load_data` takes or returns them. They say the bounds where
            neither the model nor `bounds` does, which coordinates cannot move, and what `scale` is about. Without data
            and without bounds of its own the model is unbounded.
        weights: File with the values of a factory's network.
        model_args: Keyword arguments for the factory or the architecture.
        trust_pickle: Load files that can run code: whole pickled networks, TorchScript.
        bounds: The valid range of an input, `(low, high)`.
        no_bounds: Inputs have no valid range, whatever is known.
        mean: Subtracted per channel before the network; takes the place of the model's own normalisation.
        std: Divided by per channel, after `mean`.
        preset: Name of a known pair of `mean` and `std` (`data.presets.PRESETS`).
        scale: What distances are measured in: a name of `data.scale_names.UNIT_NAMES` or a CSV file of feature and
            scale; needs `data`.
        device: Where to compute: `"cpu"`, `"cuda"`, `"mps"`, or `"auto"`.
        dtype: Precision to compute in, such as `"float64"`.
        micro_batch: Inputs per pass.
        compiled: Compute with `torch.compile`.
        channels_last: Keep the channels of images last in memory.

    Returns:
        The classifier.

    Raises:
        InputError: If the spec names nothing that can be made, or an argument cannot be used.
        FileError: If a file is missing, damaged, or belongs to another network.
        PickleRefusedError: If a file is a pickle and not trusted.

    >>> model = load_model("digits-robust")
    >>> model
    LoadedClassifier(digits-robust, bounds 0 to 1)
    """
    options = ModelOptions(
        weights,
        dict(model_args or {}),
        trust_pickle,
        bounds,
        no_bounds,
        mean,
        std,
        preset,
        scale,
        device,
        dtype,
        micro_batch,
        compiled,
        channels_last,
    )
    if scale is not None and data is None:
        raise InputError(f"scale: expected data with it, got none; data= takes what load_data takes, for {scale!r}")
    network = read_network(spec, options)
    source = None if data is None else as_source(data)
    if source is not None:
        check_features(network, source, source.name)
    return make_classifier(network, options, source)


def as_source(data: str | Path | Dataset) -> Source:
    """The whole set that data are of: of a set in memory that does not know it, the set itself."""
    if isinstance(data, Dataset):
        return data.whole or data.as_source()
    return datasets.open_source(data, Options())


def read_network(spec: str, options: ModelOptions) -> LoadedNetwork:
    """The network that a spec names, once the bounds have been checked.

    Args:
        spec: A model spec.
        options: What is said of it.

    Returns:
        The network.
    """
    check_bounds(options.bounds, no_bounds=options.no_bounds)
    return specs.load_model(
        spec, weights=options.weights, model_args=options.model_args, trust_pickle=options.trust_pickle
    )


def make_classifier(network: LoadedNetwork, options: ModelOptions, source: Source | None = None) -> LoadedClassifier:
    """The classifier: network, bounds, normalisation, device, precision, inputs per pass, fixed coordinates, scale.

    A normalisation that is given takes the place of the model's own.

    Args:
        network: The network.
        options: What is said of it.
        source: The data that it will be evaluated on.

    Returns:
        The classifier.

    Raises:
        InputError: If coordinates are fixed and there are no bounds, or the bounds are not those that the model's own
            normalisation is for.
    """
    fixed = None if source is None else source.fixed
    scale, unit = (None, None) if source is None else choose_scale(options.scale, source)
    bounds = choose_bounds(options, network.bounds or (None if source is None else source.bounds))
    if fixed is not None and bounds is None:
        held = count(int(fixed.sum()), "fixed coordinate")
        raise InputError(f"no-bounds: expected bounds with {held}, got none; movable: all lets all of them move")
    given = _normalisation(options)
    if given is None and network.preprocessing is not None and not _within(bounds, network.bounds):
        wanted = "none" if network.bounds is None else f"{network.bounds[0]:g} {network.bounds[1]:g}"
        raise InputError(
            f"bounds: {network.name} has a normalisation of its own, for inputs within {wanted}; give mean and std "
            "with other bounds"
        )
    found = LoadedClassifier(
        network.network,
        bounds,
        preprocessing=network.preprocessing if given is None else given,
        device=options.device,
        dtype=_precision(options.dtype),
        micro_batch=options.micro_batch,
        compiled=options.compiled,
        channels_last=options.channels_last,
        fixed=fixed,
        scale=scale,
    )
    found.loaded, found.unit = network, unit
    found.given_bounds = None if options.no_bounds else options.bounds
    return found


def choose_bounds(options: ModelOptions, known: Bounds | None) -> Bounds | None:
    """The bounds that were given, else those that the model or the data are known to have.

    Args:
        options: What is said of a model.
        known: The bounds of the model, else of the data.

    Returns:
        The bounds.
    """
    check_bounds(options.bounds, no_bounds=options.no_bounds)
    return None if options.no_bounds else options.bounds or known


def _precision(dtype: str | torch.dtype | None) -> torch.dtype | None:
    """The floating type of a name."""  # noqa: DOC501
    found: object = getattr(torch, dtype, None) if isinstance(dtype, str) else dtype
    if found is None and dtype is None:
        return None
    if not isinstance(found, torch.dtype):
        raise InputError(f"dtype: expected a floating type such as float32 or float64, got {dtype!r}")
    return found


def _within(bounds: Bounds | None, known: tuple[float, float] | None) -> bool:
    """Whether bounds lie within those that are known; no bounds lie within any."""
    if bounds is None or known is None:
        return True
    low, high = (torch.as_tensor(bound) for bound in bounds)
    return known[0] <= float(low.min()) and float(high.max()) <= known[1]


def _normalisation(options: ModelOptions) -> Normalize | None:
    """What is subtracted and divided by per channel, as numbers or by a name."""
    check_normalisation(options.mean, options.std, options.preset)
    if options.preset is not None:
        preset = PRESETS[options.preset]
        return Normalize(preset.mean, preset.std)
    return None if options.mean is None or options.std is None else Normalize(options.mean, options.std)
