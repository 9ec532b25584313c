"""`model.skops`: classifiers of scikit-learn as plain layers of torch.

A linear classifier is `x W^T + b`; an `MLPClassifier` is layers of that with an activation between them, and its logits
are what its softmax or logistic function takes. Scalers before it are affine for each feature and are folded into the
first layer. The layers are in float64, as scikit-learn computes: the predictions agree, and such networks are small.
"""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils import skip_init

from clearance.errors import FileError, PickleRefusedError
from clearance.zoo.archives import opened_archive
from clearance.zoo.loaded import LoadedNetwork, ModelRequest, bring, one_line

LINEAR = (
    "LogisticRegression",
    "LogisticRegressionCV",
    "LinearSVC",
    "SGDClassifier",
    "RidgeClassifier",
    "RidgeClassifierCV",
    "Perceptron",
    "PassiveAggressiveClassifier",
)
"""Linear classifiers: their scores are `coef_ x + intercept_`."""

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "identity": nn.Identity,
    "logistic": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
}
"""scikit-learn's name of an activation -> the layer."""

OF_TREES = ("sklearn.tree.", "sklearn.ensemble._hist_gradient_boosting.")
"""How the names of the types of decision trees begin: whatever is trusted, they have no gradients."""
OWN_TYPES = tuple(f"sklearn.neural_network._stochastic_optimizers.{name}Optimizer" for name in ("Adam", "SGD"))
"""Types of scikit-learn that hold numbers and do nothing when they are made, though skops does not list them: every
fitted `MLPClassifier` holds one."""

SKOPS = "a classifier of scikit-learn, as skops.io.dump writes it"
"""What is expected, for messages."""

COMPARED_INPUTS = 256
"""Random inputs on which the layers must predict what scikit-learn does."""

EQUAL_SCORES = 1e-9
"""Two largest logits nearer than this, relative to the largest, may be in either order: float64 rounds to 1e-16."""

Numbers64 = NDArray[np.float64]


def read_skops(request: ModelRequest) -> LoadedNetwork:
    """The classifier in a `.skops` file.

    Args:
        request: The file.

    Returns:
        The network, which takes inputs of any shape with as many numbers as there are features; a binary classifier of
        one score `s` has the logits `(0, s)`.

    Raises:
        InputError: If the extra `sklearn` is not installed.
        FileError: If the file is missing, damaged, or holds something else.
        PickleRefusedError: If it holds types that skops does not know to be harmless, and is not trusted.
    """
    model = _load(request)
    steps, classifier = _steps(model, request)
    features = int(np.shape(classifier.coef_)[-1] if _kind(classifier) in LINEAR else classifier.coefs_[0].shape[0])
    with np.errstate(all="ignore"):  # what comes of a scale of zero is refused below
        factor, offset = _scaling(steps, features, request)
    layers = _layers(classifier, request)
    if not (np.isfinite(factor).all() and np.isfinite(offset).all() and factor.all()):
        raise FileError(f"{request.path}: expected finite scales that are not zero, got others")
    weight, bias = layers[0]
    layers = [(weight * factor, bias + weight @ offset), *layers[1:]]
    network = _network(layers, _activation(classifier))
    _check(network, model, features, (factor, offset), request)
    notes = f"{request.path.name}: {_kind(classifier)} of {features} features in float64, as scikit-learn computes"
    names = tuple(map(_class_name, classifier.classes_.tolist()))
    return LoadedNetwork(
        network,
        request.spec,
        weights=request.path,
        input_shape=(features,),
        class_names=names,
        feature_names=_feature_names([model, *steps, classifier]),
        notes=(notes,),
    )


def _class_name(label: object) -> str:
    """A class as tables have it: 1 for 1.0."""
    return str(int(label)) if isinstance(label, float) and label.is_integer() else str(label)


def _feature_names(parts: Sequence[Any]) -> tuple[str, ...]:
    """The names of the features that the first part was fitted with that knows them; scalers keep the order."""
    known = (getattr(part, "feature_names_in_", None) for part in parts)
    return tuple(str(name) for name in next((names for names in known if names is not None), ()))


def _load(request: ModelRequest) -> Any:
    """What skops reads; types that it does not know need trust."""  # noqa: DOC501
    path = request.path
    with opened_archive(path, SKOPS, compressed=True) as archive:
        if "schema.json" not in archive.namelist():
            raise FileError(f"{path}: expected {SKOPS}, got an archive without schema.json")
        _check_arrays(archive, str(path))
    skops = bring("skops.io", extra="sklearn", spec=request.spec)
    try:
        unknown = [name for name in skops.get_untrusted_types(file=path) if name not in OWN_TYPES]
        if trees := [name for name in unknown if name.startswith(OF_TREES)]:
            raise FileError(f"{path}: expected a model with gradients, got one of decision trees ({trees[0]})")
        if unknown and not request.trust_pickle:
            raise PickleRefusedError(
                f"{path}: holds {', '.join(unknown[:5])}, which could run code when loaded; if you trust the file, add "
                "--trust-pickle"
            )
        return skops.load(path, trusted=[*unknown, *OWN_TYPES])
    except (FileError, PickleRefusedError):
        raise
    except Exception as error:
        raise FileError(f"{path}: expected {SKOPS}, got a damaged file ({one_line(error)})") from error


def _check_arrays(archive: zipfile.ZipFile, source: str) -> None:
    """Raise where the header of an array asks for other memory than the array takes in the archive."""  # noqa: DOC501
    for entry in archive.infolist():
        if not entry.filename.endswith(".npy"):
            continue
        with archive.open(entry) as file:
            head = file.read(2**12)
        buffer = io.BytesIO(head)
        try:
            version = np.lib.format.read_magic(buffer)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = read(buffer)
        except (ValueError, EOFError) as error:
            raise FileError(f"{source}: damaged array {entry.filename} ({one_line(error)})") from error
        claimed = int(np.prod(np.array(shape, dtype=object), initial=1)) * dtype.itemsize
        if dtype.hasobject or claimed != entry.file_size - buffer.tell():
            held = f"{claimed:,} bytes in an array of {entry.file_size:,}"
            raise FileError(f"{source}: expected arrays of numbers, got {held}, {entry.filename}")


def _kind(model: object) -> str:
    return type(model).__name__


def _steps(model: Any, request: ModelRequest) -> tuple[list[Any], Any]:
    """What comes before the classifier, and the classifier."""  # noqa: DOC501
    steps = [step for _, step in model.steps] if _kind(model) == "Pipeline" else [model]
    steps = [step for step in steps if step is not None and step != "passthrough"]
    classifier = steps[-1] if steps else None
    known, kind = (*LINEAR, "MLPClassifier"), _kind(classifier)
    if kind not in known:
        listed = ", ".join(known)
        raise FileError(f"{request.path}: expected one of {listed}, alone or at the end of a Pipeline, got {kind}")
    if not hasattr(classifier, "classes_") or not hasattr(classifier, "coef_" if kind in LINEAR else "coefs_"):
        raise FileError(f"{request.path}: expected a classifier that was fitted, got a {kind} that was not")
    return steps[:-1], classifier


def _scaling(steps: Sequence[Any], features: int, request: ModelRequest) -> tuple[Numbers64, Numbers64]:
    """Factor and offset of each feature that all scalers together come to."""
    factor, offset = np.ones(features), np.zeros(features)
    for step in steps:
        times, plus = _scaler(step, features, request)
        factor, offset = factor * times, offset * times + plus
    return factor, offset


def _scaler(step: Any, features: int, request: ModelRequest) -> tuple[Numbers64, Numbers64]:
    """`x times + plus`, as each scaler defines it."""  # noqa: DOC501
    one, zero = np.ones(features), np.zeros(features)
    match _kind(step):
        case "StandardScaler" | "RobustScaler":
            centre = step.mean_ if _kind(step) == "StandardScaler" else step.center_
            scaled = step.with_std if _kind(step) == "StandardScaler" else step.with_scaling
            centred = step.with_mean if _kind(step) == "StandardScaler" else step.with_centering
            scale = step.scale_ if scaled else one
            return one / scale, -(centre if centred else zero) / scale
        case "MinMaxScaler" if not step.clip:
            return one * step.scale_, one * step.min_
        case "MaxAbsScaler":
            return one / step.scale_, zero
        case other:
            why = "with clip=True" if other == "MinMaxScaler" else ""
            known = "StandardScaler, MinMaxScaler, MaxAbsScaler and RobustScaler"
            raise FileError(f"{request.path}: expected only {known} before the classifier, got {other} {why}".rstrip())


def _layers(classifier: Any, request: ModelRequest) -> list[tuple[Numbers64, Numbers64]]:
    """Weights `(outputs, inputs)` and biases of each layer."""  # noqa: DOC501
    if _kind(classifier) in LINEAR:
        layers = [(np.atleast_2d(np.asarray(classifier.coef_, np.float64)), np.ravel(classifier.intercept_))]
    else:
        pairs = zip(classifier.coefs_, classifier.intercepts_, strict=True)
        layers = [(np.asarray(weight, np.float64).T, np.ravel(bias)) for weight, bias in pairs]
    classes = len(classifier.classes_)
    weight, bias = layers[-1]
    bias = np.broadcast_to(bias.astype(np.float64), len(weight))
    if len(weight) == 1 and classes == 2:
        weight, bias = np.concatenate([0 * weight, weight]), np.concatenate([0 * bias, bias])
    if len(weight) != classes or (
        _kind(classifier) == "MLPClassifier" and classifier._label_binarizer.y_type_ == ("multilabel-indicator")
    ):
        raise FileError(
            f"{request.path}: expected one class for each input, got {len(weight)} scores of {classes} classes"
        )
    layers[-1] = weight, bias
    if any(one.shape[0] != two.shape[1] for (one, _), (two, _) in pairwise(layers)):
        raise FileError(f"{request.path}: expected layers that fit each other, got {[w.shape for w, _ in layers]}")
    return layers


def _activation(classifier: Any) -> Callable[[], nn.Module]:
    return ACTIVATIONS[getattr(classifier, "activation", "identity")]


def _network(layers: Sequence[tuple[Numbers64, Numbers64]], activation: Callable[[], nn.Module]) -> nn.Module:
    parts: list[nn.Module] = [nn.Flatten()]
    for weight, bias in layers:
        layer = cast("nn.Linear", skip_init(nn.Linear, weight.shape[1], weight.shape[0], dtype=torch.float64))
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(np.array(weight)))
            layer.bias.copy_(torch.from_numpy(np.array(bias)))
        parts += [layer.requires_grad_(False), activation()]
    return nn.Sequential(*parts[:-1])


def _check(
    network: nn.Module, model: Any, features: int, scaling: tuple[Numbers64, Numbers64], request: ModelRequest
) -> None:
    """Raise unless the layers predict what scikit-learn does, where the scaled inputs are standard normal numbers."""  # noqa: DOC501
    factor, offset = scaling
    random = np.random.default_rng(0)
    x = (random.normal(size=(COMPARED_INPUTS, features)) - offset) / factor
    with torch.no_grad():
        logits = network(torch.from_numpy(x)).numpy()
    if not np.isfinite(logits).all():
        raise FileError(f"{request.path}: expected finite scores, got NaN or infinity")
    try:
        with warnings.catch_warnings():  # these inputs are numbers drawn, and a model may know names of features
            warnings.filterwarnings("ignore", message="X does not have valid feature names")
            wanted = model.predict(x)
    except Exception as error:
        raise FileError(f"{request.path}: scikit-learn itself fails on random inputs ({one_line(error)})") from error
    found = np.asarray(model.classes_)[logits.argmax(1)]
    two = np.sort(logits, axis=1)[:, -2:]
    clear = two[:, 1] - two[:, 0] > EQUAL_SCORES * np.maximum(1, np.abs(two).max(1))
    wrong = int((np.asarray(found != wanted) & clear).sum())
    if wrong:
        raise FileError(
            f"{request.path}: expected layers that predict what scikit-learn does, got {wrong} of {len(x)} otherwise"
        )
