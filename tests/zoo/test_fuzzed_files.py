"""Small valid files of every kind of model with random damage: one clear line or a network, never a traceback."""

import io
import random
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import skops.io
import torch
from sklearn.datasets import load_wine
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from clearance.errors import ClearanceError
from clearance.model.classifier import Classifier
from clearance.zoo.specs import load_model
from model_files import FACTORY, SHAPE, small_cnn, write_model_files, write_vision_transformer
from torchvision_operators import define_torchvision_operators

define_torchvision_operators()
CASES = 20
"""Damaged files of each kind; there are eleven kinds."""

Damage = Callable[[bytearray, random.Random], bytes | bytearray]


def truncated(data: bytearray, draw: random.Random) -> bytes:
    return bytes(data[: draw.randrange(len(data))])


def flipped(data: bytearray, draw: random.Random) -> bytearray:
    for _ in range(draw.choice((1, 1, 8, 64))):
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return data


def flipped_in_front(data: bytearray, draw: random.Random) -> bytearray:
    """Headers stand in front."""
    for _ in range(draw.choice((1, 4))):
        data[draw.randrange(min(len(data), 400))] ^= 1 << draw.randrange(8)
    return data


def flipped_at_the_end(data: bytearray, draw: random.Random) -> bytearray:
    """The table of contents of an archive stands at its end."""
    for _ in range(draw.choice((1, 4))):
        data[-1 - draw.randrange(min(len(data), 400))] ^= 1 << draw.randrange(8)
    return data


def appended(data: bytearray, draw: random.Random) -> bytes:
    return bytes(data) + draw.randbytes(draw.choice((1, 100, 5000)))


def zeroed(data: bytearray, draw: random.Random) -> bytearray:
    start, length = draw.randrange(len(data)), draw.choice((1, 16, 1000))
    data[start : start + length] = bytes(len(data[start : start + length]))
    return data


def with_a_large_number(data: bytearray, draw: random.Random) -> bytearray:
    start = draw.randrange(len(data))
    data[start : start + 4] = b"\xff\xff\xff\x7f"
    return data


def swapped(data: bytearray, draw: random.Random) -> bytes:
    half = draw.randrange(len(data))
    return bytes(data[half:] + data[:half])


def with_another_head(data: bytearray, draw: random.Random) -> bytes:
    head = draw.choice((b"PK\x03\x04", b"\x80\x02}q\x00.", b"\x08\x08\x12\x07", b"{}", b"\x93NUMPY", b"\x1f\x8b"))
    return head + bytes(data[len(head) :])


def noise(data: bytearray, draw: random.Random) -> bytes:
    return draw.randbytes(draw.choice((0, 1, 7, 500)))


DAMAGES: tuple[Damage, ...] = (
    truncated,
    flipped,
    flipped_in_front,
    flipped_at_the_end,
    appended,
    zeroed,
    with_a_large_number,
    swapped,
    with_another_head,
    noise,
)


def write_scikit_learn(file: Path) -> None:
    model = make_pipeline(StandardScaler(), MLPClassifier((3,), max_iter=2, random_state=0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(*load_wine(return_X_y=True))
    skops.io.dump(model, file)


def spoiled_names() -> dict[str, tuple[dict[str, str], tuple[int, ...], bool]]:
    """File to spoil -> arguments of `load_model`, shape of an input, and whether the file is trusted."""
    digit = SHAPE
    factory = {"spec": "small_cnn_file.py:make"}
    return {
        "w.safetensors": ({**factory, "weights": "w.safetensors"}, digit, False),
        "w.pth": ({**factory, "weights": "w.pth"}, digit, False),
        "old.pth": ({**factory, "weights": "old.pth"}, digit, False),
        "any.pt2": ({"spec": "any.pt2"}, digit, False),
        "any.onnx": ({"spec": "any.onnx"}, digit, False),
        "m.skops": ({"spec": "m.skops"}, (13,), False),
        "vit/model.safetensors": ({"spec": "hf:vit"}, digit, False),
        "vit/config.json": ({"spec": "hf:vit"}, digit, False),
        "vit/preprocessor_config.json": ({"spec": "hf:vit"}, digit, False),
        "whole.pt": ({"spec": "whole.pt"}, digit, False),
        "script.ts": ({"spec": "script.ts"}, digit, False),
    }


NAMES = spoiled_names()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fuzzed")
    write_model_files(folder)
    torch.save(small_cnn().state_dict(), folder / "old.pth", _use_new_zipfile_serialization=False)
    torch.save(small_cnn(), folder / "whole.pt")
    write_scikit_learn(folder / "m.skops")
    write_vision_transformer(folder / "vit")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(small_cnn(), torch.zeros(1, *SHAPE)).save(folder / "script.ts")
    return folder


def damaged(data: bytes, name: str) -> Iterator[bytes]:
    draw = random.Random(name)
    for case in range(CASES):
        yield bytes(DAMAGES[case % len(DAMAGES)](bytearray(data), draw))


@pytest.mark.parametrize("name", NAMES)
def test_damage_is_one_line_or_a_network_that_answers(
    files: Path, name: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    """What loads gives finite logits, or is refused by the classifier in one line."""
    monkeypatch.chdir(files)
    file, (arguments, shape, trust) = Path(name), NAMES[name]
    whole, refused = file.read_bytes(), 0
    try:
        for data in damaged(whole, name):
            file.write_bytes(data)
            try:
                loaded = load_model(**arguments, trust_pickle=trust)
                model = Classifier(loaded.network, loaded.bounds, preprocessing=loaded.preprocessing)
                assert model.logits(torch.full((2, *shape), 0.5, dtype=model.dtype)).isfinite().all()
            except ClearanceError as error:
                refused += 1
                assert "\n" not in str(error) and len(str(error)) < 1000
                assert any(part in str(error) for part in (name, file.name, "vit", "network", "logits"))
    finally:
        file.write_bytes(whole)
    assert refused >= CASES // 4
    assert "Traceback" not in capfd.readouterr().err


def test_there_are_enough_cases():
    assert CASES * len(NAMES) >= 150


@pytest.mark.parametrize("name", ["a.pt2", "a.onnx", "a.skops", "a.pt", "a.pth", "a.ts"])
@pytest.mark.parametrize("place", ["folder", "link to itself", "empty", "no permission"])
def test_places_that_hold_no_file(here: Path, name: str, place: str):
    path = Path(name)
    if place == "folder":
        path.mkdir()
    elif place == "link to itself":
        path.symlink_to(path)
    else:
        path.write_bytes(b"" if place == "empty" else b"something")
        path.chmod(0o644 if place == "empty" else 0)
    with pytest.raises(ClearanceError, match=f"^{name}: ") as caught:
        load_model(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("channels", [2, 3])
def test_inputs_of_another_number_of_channels(files: Path, channels: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(files)
    for arguments, shape, trust in NAMES.values():
        if shape == SHAPE and arguments["spec"] not in ("whole.pt", "script.ts"):
            loaded = load_model(**arguments, trust_pickle=trust)
            with pytest.raises(ClearanceError, match=rf"forward pass failed on inputs of shape \({channels}, 8, 8\)"):
                Classifier(loaded.network).logits(torch.zeros(1, channels, 8, 8))


def test_a_pickle_under_every_ending(here: Path):
    class Harmful(nn.Module):
        def __reduce__(self):
            return (Path("harm").touch, ())

    stream = io.BytesIO()
    torch.save(Harmful(), stream)
    Path("small_cnn_file.py").write_text(FACTORY)
    for ending in ("pt2", "onnx", "skops", "pt", "pth", "th", "ts", "pkl", "ckpt", "bin", "joblib"):
        Path(f"a.{ending}").write_bytes(stream.getvalue())
        with pytest.raises(ClearanceError):
            load_model(f"a.{ending}")
        with pytest.raises(ClearanceError):
            load_model("small_cnn_file.py:make", weights=f"a.{ending}")
    assert not Path("harm").exists()
