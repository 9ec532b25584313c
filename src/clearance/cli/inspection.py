"""`clearance inspect`: what a model is, what it takes, how fast it is, and what will work with it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, fx, nn

from clearance.certificates.applicability import applicable_methods
from clearance.certificates.onnx_file import to_onnx
from clearance.cli.cost import BRACKET_BATCH, bracket_cost, own_step, typical_speed
from clearance.cli.flag_values import InputFlags
from clearance.cli.inputs import model_options, read_inputs, read_model, say_classes
from clearance.cli.inspection_record import THREADS, Inspection
from clearance.cli.inspection_table import print_inspection
from clearance.data.selection import consecutive
from clearance.errors import ClearanceError, InputError
from clearance.model.bounds import points_between
from clearance.model.budgets import BUDGETS
from clearance.model.classifier import Classifier
from clearance.model.outputs import look_like_probabilities
from clearance.model.second_derivative import second_derivative
from clearance.model.seeds import make_generator
from clearance.model.speed import measure_speed
from clearance.records import in_words
from clearance.runs.engines.threads import limit_threads
from clearance.zoo.choice import check_classes
from clearance.zoo.classifiers import make_classifier
from clearance.zoo.inputs import Inputs
from clearance.zoo.loaded import LoadedNetwork
from clearance.zoo.specs import kind_of

DEFAULT_COUNT = 100
"""Inputs on which the accuracy is measured where `--count` says nothing: enough for a first look, quick to read."""
MEASURED_SECONDS = 1.0
"""How long the speed is measured: long enough for two digits."""
RANDOM_INPUTS = 4
"""Random inputs that stand for the data where there are none."""


def run_inspect(given: InputFlags, *, input_shape: tuple[int, ...] | None, as_json: bool) -> None:
    """Inspect a model, and data where they are given; print a table or a JSON document.

    Args:
        given: The model and the inputs; `data` is empty where there are none.
        input_shape: Shape of one input, where neither the model nor data say it.
        as_json: Print JSON.
    """
    found = inspect_model(given, input_shape)
    if as_json:
        print(json.dumps(in_words(found.as_document()), indent=2, allow_nan=False))
    else:
        print_inspection(found)


def inspect_model(given: InputFlags, input_shape: tuple[int, ...] | None = None) -> Inspection:
    """Load a model, and data where they are given, and look at them.

    Args:
        given: The model and the inputs.
        input_shape: Shape of one input, where neither the model nor data say it.

    Returns:
        What was found.
    """
    with limit_threads(THREADS):
        return _with_data(given) if given.data else _without_data(given, input_shape)


def _with_data(given: InputFlags) -> Inspection:
    """The model on the data."""
    chosen = given.given & {"count", "indices", "per_class"}
    given = given if chosen else replace(given, count=DEFAULT_COUNT)
    inputs = read_inputs(given)
    x = inputs.model.check_inputs(inputs.data.images)
    logits = inputs.model.logits(x)
    say_classes(inputs, logits.shape[1])
    data = _describe_data(inputs, logits)
    return _inspect(inputs.network, inputs.model, x, logits, given, data, names=inputs.data.class_names)


def _without_data(given: InputFlags, input_shape: tuple[int, ...] | None) -> Inspection:
    """The model on random inputs within its bounds."""  # noqa: DOC501
    network = read_model(given)
    shape = input_shape or network.input_shape
    if shape is None:
        said = "as the model's file does not say it"
        raise InputError(f"--input-shape: expected the shape of one input, such as 3,224,224, {said}; or give DATA")
    model = make_classifier(network, model_options(given))
    x = model.check_inputs(random_inputs(model, shape))
    return _inspect(network, model, x, model.logits(x), given, None, names=network.class_names)


def random_inputs(model: Classifier, shape: tuple[int, ...]) -> Tensor:
    """Uniform within the bounds, standard normal where there are none; the same each time.

    Args:
        model: The classifier.
        shape: Shape of one input.

    Returns:
        `(RANDOM_INPUTS, *shape)`.
    """  # noqa: DOC501
    generator, whole = make_generator("cpu", 0, "inspect"), (RANDOM_INPUTS, *shape)
    if model.bounds is None:
        return torch.randn(whole, generator=generator).to(model.device, model.dtype)
    low, _ = model.bounds
    try:
        uniform = torch.rand(whole, generator=generator).to(low)
        normal = torch.randn(whole, generator=generator).to(low)
        return model.clip(points_between(model.bounds, uniform, normal))
    except RuntimeError as error:
        raise InputError(
            f"bounds: expected a shape that goes with inputs of {shape}, got {tuple(low.shape)}"
        ) from error


def _inspect(
    network: LoadedNetwork,
    model: Classifier,
    x: Tensor,
    logits: Tensor,
    given: InputFlags,
    data: dict[str, Any] | None,
    *,
    names: tuple[str, ...],
) -> Inspection:
    some = x[:RANDOM_INPUTS]
    speed = measure_speed(model, some, seconds=MEASURED_SECONDS)
    typical = speed if speed.batch <= BRACKET_BATCH else typical_speed(model, some, seconds=MEASURED_SECONDS / 3)
    step = own_step(model)
    return Inspection(
        model=_describe_model(network, given.model),
        input=_describe_input(network, model, x, given, data is not None),
        output={
            "classes": logits.shape[1],
            "class_names": list(names),
            "probabilities": look_like_probabilities(logits),
        },
        data=data,
        speed=speed,
        second_order=second_derivative(model, some),
        certificates=applicable_methods(model, x[:1]),
        export=_why_no_export(model, x[:1]),
        brackets=tuple(bracket_cost(name, typical, step) for name in BUDGETS),
    )


def _describe_model(network: LoadedNetwork, spec: str) -> dict[str, Any]:
    parameters = list(network.network.parameters())
    return {
        "name": network.name,
        "kind": kind_of(spec),
        "weights": None if network.weights is None else str(network.weights),
        "parameters": sum(value.numel() for value in parameters),
        "bytes": sum(value.nbytes for value in parameters),
        "layers": dict(count_layers(network.network)),
        "image_size": network.image_size,
        "crop": network.crop,
        "notes": list(network.notes),
    }


def count_layers(network: nn.Module) -> Mapping[str, int]:
    """How many layers of each kind, in the order in which they first come.

    A layer is a module without modules of its own; of a traced or exported program, a step.

    Args:
        network: The network.

    Returns:
        Counts by the kind's name.

    >>> count_layers(nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2)))
    Counter({'Linear': 2, 'ReLU': 1})
    """
    return Counter(_layers(network))


def _layers(network: nn.Module) -> Iterator[str]:
    for module in network.modules():
        if isinstance(module, fx.GraphModule):
            calls = (node.target for node in module.graph.nodes if node.op in ("call_function", "call_method"))
            yield from (str(getattr(target, "__name__", target)).partition(".")[0] for target in calls)
        elif next(module.children(), None) is None and type(module) is not nn.Module:
            yield str(getattr(module, "original_name", type(module).__name__))


def _describe_input(
    network: LoadedNetwork, model: Classifier, x: Tensor, given: InputFlags, with_data: bool
) -> dict[str, Any]:
    preprocessing = model.preprocessing
    return {
        "shape": list(x.shape[1:]),
        "shape_from": "data"
        if with_data
        else "model"
        if tuple(x.shape[1:]) == network.input_shape
        else "--input-shape",
        "bounds": None if model.bounds is None else [float(model.bounds[0].min()), float(model.bounds[1].max())],
        "bounds_differ": model.bounds is not None and model.bounds[0].numel() > 1,
        "bounds_from": _bounds_from(network, given, model.bounds is not None),
        "preprocessing": None if preprocessing is None else " ".join(repr(preprocessing).split()),
        "device": str(model.device),
        "dtype": str(model.dtype).removeprefix("torch."),
        **model.execution.settings,
        "micro_batch": model.micro_batch(x),
    }


def _bounds_from(network: LoadedNetwork, given: InputFlags, bounded: bool) -> str:
    if given.no_bounds:
        return "--no-bounds"
    if given.bounds is not None:
        return "--bounds"
    if network.bounds is not None:
        return "model"
    return "data" if bounded else "nowhere"


def _describe_data(inputs: Inputs, logits: Tensor) -> dict[str, Any]:
    """What the data are, and how many of the inputs are classified correctly."""
    data = inputs.data
    check_classes(data, logits.shape[1])
    correct = int((logits.argmax(1).cpu() == data.labels).sum())
    return {
        "source": inputs.source,
        "name": data.name,
        "unit": inputs.units,
        "count": len(data),
        "total": data.total,
        **({"offset": data.indices[0]} if consecutive(data.indices) else {"indices": list(data.indices)}),
        "class_counts": {str(label): count for label, count in sorted(Counter(data.labels.tolist()).items())},
        "feature_names": list(data.feature_names),
        "fixed": [] if data.fixed is None else data.fixed.flatten().nonzero().flatten().tolist(),
        "correct": correct,
        "accuracy": correct / len(data),
        "notes": list(data.notes),
    }


def _why_no_export(model: Classifier, x: Tensor) -> str:
    """Why the network cannot be written as ONNX, and questions about it as VNN-LIB; empty where both can."""
    try:
        to_onnx(model, x)
    except ClearanceError as error:
        return str(error)
    return ""
