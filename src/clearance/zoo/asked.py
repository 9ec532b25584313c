"""What was said of a model and of its inputs, as flags of the command line, and the files that it names."""

from __future__ import annotations

from collections.abc import Sequence

from clearance.data.files import PICTURES
from clearance.data.options import Options, Size
from clearance.zoo.choice import DataOptions
from clearance.zoo.classifiers import ModelOptions

FOLDER_SPEC = "folder:"
"""How a spec of a folder of pictures begins."""


def flags_of(about: ModelOptions, chosen: DataOptions, count: int) -> tuple[str, ...]:
    """The flags that say what these options say.

    Args:
        about: What was said of the model.
        chosen: Which inputs were asked for.
        count: How many inputs these were.

    Returns:
        The words of a command line.

    >>> flags_of(ModelOptions(scale="std"), DataOptions(None, skip_misclassified=True), 5)
    ('--scale', 'std', '--count', '5', '--skip-misclassified')
    """
    return (*_of_model(about), *_of_choice(chosen, count), *_of_reader(chosen.reader))


def files_of(model: str, data: str, weights: object, about: ModelOptions, reader: Options) -> list[tuple[str, str]]:
    """Role and place of everything that a model and its inputs may have been read from.

    Args:
        model: The model spec.
        data: The data spec.
        weights: Where the network's values came from.
        about: What was said of the model.
        reader: What the reader of the data was told.

    Returns:
        Pairs; some places are no files.
    """
    places = [("model", place) for place in _places(model)] + [("data", place) for place in _places(data)]
    places += [(PICTURES, data.partition(":")[2])] if data.startswith(FOLDER_SPEC) else []
    named = (("weights", weights), ("scale", about.scale), ("bounds", reader.bounds_file))
    known = {place for _, place in places}
    return places + [(role, str(place)) for role, place in named if place is not None and str(place) not in known]


def _places(spec: str) -> list[str]:
    """The files that a spec may name: itself, what stands before or after its colon, and each of a list."""
    first, _, last = spec.partition(":")
    return list(dict.fromkeys(part for text in (spec, first, last) for part in text.split(",") if part))


def _of_model(about: ModelOptions) -> list[str]:
    words = _valued("weights", about.weights)
    for name, value in about.model_args.items():
        words += ["--model-args", f"{name}={value}"]
    words += [] if about.bounds is None else ["--bounds", *map(repr, about.bounds)]
    words += _numbers("mean", about.mean) + _numbers("std", about.std)
    dtype = None if about.dtype is None else str(about.dtype).removeprefix("torch.")
    plain = {"preset": about.preset, "scale": about.scale, "device": about.device, "dtype": dtype}
    words += [word for name, value in plain.items() for word in _valued(name, value)]
    words += _valued("micro-batch", about.micro_batch)
    switches = {"no-bounds": about.no_bounds, "trust-pickle": about.trust_pickle, "compile": about.compiled}
    switches |= {"channels-last": about.channels_last}
    return words + [f"--{name}" for name, given in switches.items() if given]


def _of_choice(chosen: DataOptions, count: int) -> list[str]:
    if chosen.indices is not None:
        words = ["--indices", ",".join(map(str, chosen.indices))]
    else:
        words = _valued("per-class", chosen.per_class) or [
            "--count",
            "all" if chosen.count == "all" else str(count),
            *(["--offset", str(chosen.offset)] if chosen.offset else []),
        ]
        classes = chosen.classes
        words += _valued("classes", classes if isinstance(classes, str | None) else ",".join(map(str, classes)))
    return words + (["--skip-misclassified"] if chosen.skip_misclassified else [])


def _of_reader(reader: Options) -> list[str]:
    words = ["--train"] if reader.train else []
    words += _valued("resize", _size(reader.resize)) + _valued("crop", _size(reader.crop))
    words += _valued("channels", reader.channels)
    words += _valued("label", reader.label) + _valued("bounds-file", reader.bounds_file)
    lists = {"class-names": reader.class_names, "fixed": reader.fixed, "movable": reader.movable}
    return words + [word for name, names in lists.items() for word in _valued(name, ",".join(names) or None)]


def _valued(name: str, value: object) -> list[str]:
    return [] if value is None else [f"--{name}", str(value)]


def _numbers(name: str, values: Sequence[float] | None) -> list[str]:
    return [] if values is None else [f"--{name}", ",".join(map(repr, values))]


def _size(size: Size | None) -> str | None:
    return None if size is None else str(size) if isinstance(size, int) else f"{size[0]}x{size[1]}"
