"""`torchvision:NAME` and `timm:NAME`: architectures of two collections, with values from a file or random ones."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from clearance.errors import InputError
from clearance.zoo.loaded import LoadedNetwork, ModelRequest, bring, one_line
from clearance.zoo.weight_files import load_weights

DOWNLOADS = ("pretrained", "weights", "weights_backbone", "checkpoint_path", "pretrained_cfg", "pretrained_cfg_overlay")
"""Arguments that would bring values from elsewhere: downloaded, or unpickled."""

RANDOM = "values are random (seed 0): give --weights FILE for trained ones"
"""What a person should know of an architecture without values."""


def read_torchvision(request: ModelRequest) -> LoadedNetwork:
    """A classifier of `torchvision.models`.

    Args:
        request: Its name, arguments and weights.

    Returns:
        The network. Normalisation is up to `--mean` and `--std`: torchvision's own values want ImageNet's.

    Raises:
        InputError: If torchvision is not installed or does not import, or has no such classifier.
    """
    models = bring("torchvision.models", extra=None, spec=request.spec)
    names = [str(name) for name in models.list_models(module=models)]
    wanted = "torchvision's own values want --mean .485,.456,.406 --std .229,.224,.225"
    return _made(request, names, lambda name, options: models.get_model(name, weights=None, **options), wanted)


def read_timm(request: ModelRequest) -> LoadedNetwork:
    """A classifier of timm.

    Args:
        request: Its name, arguments and weights.

    Returns:
        The network, with the size of its pictures; the normalisation that timm's own values want is in the notes.

    Raises:
        InputError: If timm is not installed or does not import, or has no such classifier.
    """
    timm = bring("timm", extra=None, spec=request.spec)
    made = _made(
        request,
        [str(name) for name in timm.list_models()],
        lambda name, options: timm.create_model(name, pretrained=False, **options),
        "",
    )
    own: dict[str, Any] = getattr(made.network, "pretrained_cfg", None) or {}
    size = own.get("input_size")
    notes = list(made.notes)
    if own.get("mean") and own.get("std"):
        mean, std = (",".join(f"{each:g}" for each in own[key]) for key in ("mean", "std"))
        notes.append(f"{request.spec}: timm's own values want --mean {mean} --std {std}")
    shape = tuple(int(side) for side in size) if size else None
    image_size = None if shape is None else (shape[1], shape[2])
    return replace(made, input_shape=shape, image_size=image_size, notes=tuple(notes))


def _made(
    request: ModelRequest, names: Iterable[str], make: Callable[[str, dict[str, Any]], Any], wanted: str
) -> LoadedNetwork:
    """The architecture of a name, filled."""  # noqa: DOC501
    known, name = list(names), request.rest
    if name not in known:
        near = difflib.get_close_matches(name, known, n=5)
        hint = f"; near: {', '.join(near)}" if near else ""
        raise InputError(f"model: expected one of {len(known)} names for {request.spec}, such as {known[0]}{hint}")
    refused = [argument for argument in request.arguments if argument in DOWNLOADS]
    if refused:
        raise InputError(f"model-args: {', '.join(refused)} would bring values from elsewhere; give --weights FILE")
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = make(name, dict(request.arguments))
    except Exception as error:
        raise InputError(f"model: making {request.spec} failed: {one_line(error)}") from error
    if not isinstance(network, nn.Module):
        raise InputError(f"model: expected {request.spec} to be an nn.Module, got {type(network).__name__}")
    notes = [f"{request.spec}: {wanted}"] if wanted else []
    if request.weights is None:
        return LoadedNetwork(network, request.spec, notes=(f"{request.spec}: {RANDOM}", *notes))
    metadata = load_weights(network, request.weights, trust_pickle=request.trust_pickle)
    return LoadedNetwork(network, request.spec, weights=request.weights, metadata=metadata, notes=tuple(notes))
