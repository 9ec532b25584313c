"""Classifiers of scikit-learn as layers: scikit-learn's own scores and predictions, and what is refused."""

import io
import json
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn.linear_model as linear
import skops.io
import torch
from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler
from sklearn.svm import SVC, LinearSVC
from torch import nn

from clearance.errors import FileError, InputError, PickleRefusedError
from clearance.zoo.scikit_learn import LINEAR
from clearance.zoo.specs import load_model

FILE = Path("m.skops")
X, Y = load_wine(return_X_y=True)
BINARY = Y > 0
CLASSIFIERS: dict[str, Callable[[], Any]] = {
    **{name: getattr(linear, name) for name in LINEAR if name != "LinearSVC"},
    "LinearSVC": LinearSVC,
}


def fitted(model: Any, labels: np.ndarray = Y) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(X, labels)


def loaded(model: Any) -> tuple[nn.Module, torch.Tensor]:
    """The layers that a model becomes, and their logits of all inputs."""
    skops.io.dump(model, FILE)
    network = load_model("m.skops").network
    return network, network(torch.from_numpy(X))


@pytest.mark.parametrize("labels", [Y, BINARY], ids=["three classes", "two"])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_linear_scores(here: Path, name: str, labels: np.ndarray):
    settings = {} if name.endswith("CV") or name == "LinearSVC" else {"max_iter": 50}
    model = fitted(CLASSIFIERS[name](**settings), labels)
    network, logits = loaded(model)
    scores = torch.from_numpy(model.decision_function(X))
    wanted = scores if scores.ndim == 2 else torch.stack([0 * scores, scores], 1)
    assert torch.allclose(logits, wanted, rtol=1e-10, atol=1e-8 * float(scores.abs().max()))
    assert np.array_equal(model.classes_[logits.argmax(1).numpy()], model.predict(X))
    assert [type(layer) for layer in network] == [nn.Flatten, nn.Linear] and network[1].weight.dtype == torch.float64


@pytest.mark.parametrize("labels", [Y, BINARY], ids=["three classes", "two"])
@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("hidden", [(), (5,), (6, 4)], ids=str)
def test_multilayer_perceptrons(here: Path, activation: str, hidden: tuple[int, ...], labels: np.ndarray):
    model = fitted(make_pipeline(StandardScaler(), MLPClassifier(hidden, activation=activation, max_iter=5)), labels)
    _, logits = loaded(model)
    wanted = torch.from_numpy(model.predict_proba(X))
    assert torch.allclose(logits.softmax(1), wanted, atol=1e-10)


@pytest.mark.parametrize(
    "scalers",
    [
        [StandardScaler()],
        [StandardScaler(with_mean=False)],
        [StandardScaler(with_std=False)],
        [MinMaxScaler((-2, 5))],
        [MaxAbsScaler()],
        [RobustScaler()],
        [RobustScaler(with_centering=False)],
        [RobustScaler(with_scaling=False)],
        [MinMaxScaler(), "passthrough", StandardScaler(), RobustScaler()],
    ],
    ids=str,
)
def test_scalers_are_folded_into_the_first_layer(here: Path, scalers: list[Any]):
    model = fitted(make_pipeline(*scalers, linear.RidgeClassifier()))
    network, logits = loaded(model)
    wanted = torch.from_numpy(model.decision_function(X))
    assert torch.allclose(logits, wanted, rtol=1e-8, atol=1e-8) and len(network) == 2


def test_names_and_shapes(here: Path):
    model = fitted(linear.RidgeClassifier(), np.array(["a", "b", "c"])[Y])
    skops.io.dump(model, FILE)
    found = load_model("m.skops")
    assert found.input_shape == (13,) and found.class_names == ("a", "b", "c") and found.weights == FILE
    assert found.notes == ("m.skops: RidgeClassifier of 13 features in float64, as scikit-learn computes",)
    x = torch.from_numpy(X[:2])
    assert torch.equal(found.network(x.reshape(2, 1, 13)), found.network(x))


def refused(message: str, kind: type[Exception] = FileError, **options: object) -> None:
    with pytest.raises(kind, match=message) as caught:
        load_model("m.skops", **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (SVC(), "expected one of LogisticRegression, .*got SVC"),
        (MLPRegressor(hidden_layer_sizes=(2,), max_iter=2), "got MLPRegressor"),
        (linear.LinearRegression(), "got LinearRegression"),
        (make_pipeline(MinMaxScaler(clip=True), linear.Perceptron()), "got MinMaxScaler with clip=True"),
        (make_pipeline(FunctionTransformer(), linear.Perceptron()), "expected only StandardScaler, .*got FunctionTran"),
        (StandardScaler(), "got StandardScaler"),
    ],
    ids=str,
)
def test_models_that_are_no_such_classifier(here: Path, model: Any, message: str):
    skops.io.dump(fitted(model), FILE)
    refused(rf"m\.skops: .*{message}")


def test_a_model_that_was_never_fitted(here: Path):
    skops.io.dump(linear.Perceptron(), FILE)
    refused("got a Perceptron that was not")


def test_several_labels_for_each_input(here: Path):
    skops.io.dump(fitted(MLPClassifier((2,), max_iter=2), np.stack([Y > 0, Y > 1], 1).astype(int)), FILE)
    refused("expected one class for each input|one of LogisticRegression")


def test_scales_of_zero_and_other_numbers_that_give_no_scores(here: Path):
    model = fitted(make_pipeline(StandardScaler(), linear.RidgeClassifier()))
    model[0].scale_[3] = 0
    skops.io.dump(model, FILE)
    refused("expected finite sc")
    model = fitted(linear.RidgeClassifier())
    model.coef_[1, 2] = np.nan
    skops.io.dump(model, FILE)
    refused("expected finite scores, got NaN or infinity")


def test_trees_have_no_gradients_however_much_they_are_trusted(here: Path):
    skops.io.dump(RandomForestClassifier(2, random_state=0).fit(np.eye(4), [0, 1, 0, 1]), FILE)
    for trust in (False, True):
        with pytest.raises(FileError, match=r"m\.skops: expected a model with gradients, got one of decision trees"):
            load_model(str(FILE), trust_pickle=trust)


class Unknown(linear.RidgeClassifier):
    """Of a module that skops does not know."""


def test_types_that_are_not_known_need_trust(here: Path):
    skops.io.dump(fitted(Unknown()), FILE)
    refused(r"m\.skops: holds .*Unknown, which could run code .*add --trust-pickle", PickleRefusedError)
    refused("got Unknown", trust_pickle=True)


def rewrite(change: Callable[[str, bytes], bytes]) -> None:
    skops.io.dump(fitted(linear.RidgeClassifier()), FILE)
    with zipfile.ZipFile(FILE) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(FILE, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, change(name, data))


def with_shape(name: str, data: bytes) -> bytes:
    """An array whose header asks for 10 GB."""
    if not name.endswith(".npy"):
        return data
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": (10 * 2**27,)})
    return stream.getvalue() + data[-24:]


def test_an_array_with_a_header_of_ten_gigabytes(here: Path):
    rewrite(with_shape)
    refused(r"m\.skops: expected arrays of numbers, got 10,737,418,240 bytes in an array of")


def test_an_archive_that_unpacks_to_ten_gigabytes(here: Path):
    rewrite(lambda name, data: data)
    data = bytearray(FILE.read_bytes())
    place = data.rindex(b"PK\x01\x02") + 24
    data[place : place + 4] = struct.pack("<I", 2**32 - 2)
    FILE.write_bytes(data)
    refused("got an archive that says it holds 4,294,")


def test_arrays_of_objects_and_noise(here: Path):
    stream = io.BytesIO()
    np.save(stream, np.array([{}], dtype=object), allow_pickle=True)
    rewrite(lambda name, data: stream.getvalue() if name.endswith(".npy") else data)
    refused("expected arrays of numbers, got")
    rewrite(lambda name, data: b"noise" if name.endswith(".npy") else data)
    refused("damaged array")


@pytest.mark.parametrize("schema", ["", "{}", "[]", json.dumps({"__class__": "int", "__loader__": "X"})])
def test_damaged_schemas(here: Path, schema: str):
    rewrite(lambda name, data: schema.encode() if name == "schema.json" else data)
    refused(r"m\.skops: expected a classifier of scikit-learn, as skops\.io\.dump writes it, got a damaged file")


@pytest.mark.parametrize("content", [b"", b"noise", b"\x80\x04K\x01."])
def test_what_is_no_archive(here: Path, content: bytes):
    FILE.write_bytes(content)
    refused(r"m\.skops: expected a classifier of scikit-learn, .* got a")


def test_other_archives_and_no_file(here: Path):
    refused("no such file")
    torch.save({"w": torch.ones(1)}, FILE)
    refused(r"got an archive without schema\.json")
    refused(r"m\.skops has its own, got w", InputError, weights="w")
