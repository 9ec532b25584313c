"""Folders of transformers: the network's own logits, what its image processor does, and what is refused."""

import copy
import json
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from clearance.errors import FileError, InputError, PickleRefusedError
from clearance.model.classifier import Classifier
from clearance.zoo.hugging_face import _image_settings
from clearance.zoo.specs import load_model
from model_files import SHAPE, write_residual_network, write_vision_transformer
from torchvision_operators import define_torchvision_operators

define_torchvision_operators()


@pytest.fixture
def folder(here: Path) -> Path:
    write_vision_transformer(here / "vit")
    return Path("vit")


def refused(message: str, kind: type[Exception] = FileError, **options: object) -> None:
    with pytest.raises(kind, match=message) as caught:
        load_model("hf:vit", **options)
    assert "\n" not in str(caught.value)


def test_logits_and_gradients_are_those_of_its_eager_form(here: Path):
    eager, loaded = write_vision_transformer(here / "vit"), load_model("hf:vit")
    model = Classifier(loaded.network, loaded.bounds, preprocessing=loaded.preprocessing)
    x = torch.rand(5, *SHAPE, generator=torch.Generator().manual_seed(0))

    def logits(x: torch.Tensor) -> torch.Tensor:
        return eager(pixel_values=(x - 0.5) / 0.25).logits

    wanted = logits(x).detach()
    assert (model.logits(x) - wanted).abs().max() <= 1e-6 * wanted.abs().max()
    leaf = x.clone().requires_grad_()
    logits(leaf)[:, 0].sum().backward()
    found = model.vjp(x, lambda logits: logits[:, :1])[2](0)
    assert (found - leaf.grad).abs().max() <= 1e-5 * leaf.grad.abs().max()
    for other in (copy.deepcopy(loaded.network), pickle.loads(pickle.dumps(loaded.network))):
        assert torch.equal(other(x), loaded.network(x))


def test_second_derivatives_exist(folder: Path):
    """Fused attention has none."""
    loaded = load_model("hf:vit")
    x = torch.rand(1, *SHAPE, generator=torch.Generator().manual_seed(0)).requires_grad_()
    (gradient,) = torch.autograd.grad(loaded.network(x)[0, 0], x, create_graph=True)
    (second,) = torch.autograd.grad(gradient.square().sum(), x)
    assert second.isfinite().all() and second.abs().max() > 0
    assert loaded.network.network.config._attn_implementation == "eager"


def test_no_other_network_is_changed_by_it(folder: Path):
    """transformers adds a method to the class of all modules, and certificates refuse methods that are not torch's."""
    import clearance as cl
    from model_files import small_cnn

    assert not hasattr(torch.nn.Module, "smart_apply")
    load_model("hf:vit")
    assert not hasattr(torch.nn.Module, "smart_apply")
    (found,) = cl.certify(Classifier(small_cnn(), (0, 1)), torch.full((1, *SHAPE), 0.5), norm=2, method="crown")
    assert found.radius > 0 and load_model("hf:vit").network(torch.zeros(1, *SHAPE)).shape == (1, 10)


def test_what_is_known_of_it(folder: Path):
    loaded = load_model("hf:vit")
    assert (loaded.bounds, loaded.image_size, loaded.crop, loaded.weights) == ((0.0, 1.0), (8, 8), None, Path("vit"))
    assert loaded.input_shape == SHAPE
    assert loaded.class_names == tuple(f"digit {index}" for index in range(10)) and not loaded.notes


@pytest.mark.parametrize("write", [write_vision_transformer, write_residual_network])
def test_pixels_reach_the_network_as_the_image_processor_gives_them(here: Path, write: Any):
    from transformers import AutoImageProcessor

    write(here / "folder")
    loaded, processor = load_model("hf:folder"), AutoImageProcessor.from_pretrained("folder", local_files_only=True)
    channels = 1 if write is write_vision_transformer else 3
    pixels = np.random.default_rng(0).integers(0, 256, size=(channels, 8, 8), dtype=np.uint8)
    wanted = processor(
        torch.from_numpy(pixels), do_resize=False, return_tensors="pt", input_data_format="channels_first"
    )["pixel_values"]
    found = loaded.preprocessing(torch.from_numpy(pixels)[None] / 255)
    assert torch.allclose(found, wanted.float(), atol=1e-5)


def test_convnext_resizes_by_a_share_and_crops(here: Path):
    write_residual_network(here / "folder")
    loaded = load_model("hf:folder")
    assert (loaded.image_size, loaded.crop, loaded.input_shape) == (256, (224, 224), (3, 224, 224))
    assert "resizes with Pillow's filter 3, not the bilinear one" in loaded.notes[0]


@pytest.mark.parametrize(
    ("settings", "size", "crop", "mean", "std"),
    [
        ({"size": {"height": 4, "width": 6}}, (4, 6), None, None, None),
        ({"size": 7, "do_resize": False}, None, None, None, None),
        ({"size": {"shortest_edge": 9}, "do_center_crop": True, "crop_size": 8}, 9, (8, 8), None, None),
        ({"size": {"shortest_edge": 384}, "crop_pct": 0.5}, (384, 384), None, None, None),
        ({"size": {"shortest_edge": 100}, "crop_pct": 0.5}, 200, (100, 100), None, None),
        ({"image_mean": [0.5], "image_std": [0.25]}, None, None, [0.5], [0.25]),
        ({"image_mean": [0.5], "image_std": [0.25], "do_normalize": False}, None, None, None, None),
        ({"do_rescale": False}, None, None, [0.0], [1 / 255]),
        ({"rescale_factor": 1 / 127.5, "rescale_offset": True}, None, None, [0.5], [0.5]),
        ({"rescale_factor": 1 / 127.5, "image_mean": [1.0], "image_std": [0.5]}, None, None, [0.5], [0.25]),
        ({"image_processor": {"size": 5}}, 5, None, None, None),
    ],
)
def test_settings(
    here: Path,
    settings: dict[str, Any],
    size: object,
    crop: object,
    mean: list[float] | None,
    std: list[float] | None,
):
    """`(p * factor - offset - mean) / std` for a pixel `p` of 255 levels is `(x - mean') / std'` for `x = p / 255`."""
    Path("preprocessor_config.json").write_text(json.dumps(settings))
    found = _image_settings(Path())
    assert (found.image_size, found.crop) == (size, crop)
    if mean is None or std is None:
        assert found.preprocessing is None
    else:
        assert torch.allclose(found.preprocessing.mean, torch.tensor(mean), atol=1e-6)
        assert torch.allclose(found.preprocessing.std, torch.tensor(std), rtol=1e-6)


@pytest.mark.parametrize("settings", [{"size": {"wide": 3}}, {"size": 0}, {"size": "big"}, {"rescale_factor": "x"}])
def test_damaged_settings(here: Path, settings: dict[str, Any]):
    Path("preprocessor_config.json").write_text(json.dumps(settings))
    with pytest.raises(FileError, match=r"preprocessor_config\.json: expected the settings of an image processor, got"):
        _image_settings(Path())


def test_without_an_image_processor(folder: Path):
    (folder / "preprocessor_config.json").unlink()
    loaded = load_model("hf:vit")
    assert loaded.preprocessing is None and "has no preprocessor_config.json" in loaded.notes[0]


def test_half_precision_becomes_float32(folder: Path):
    file = folder / "model.safetensors"
    save_file({name: value.half() for name, value in load_file(file).items()}, file, metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text()) | {"dtype": "float16"}
    (folder / "config.json").write_text(json.dumps(config))
    assert {value.dtype for value in load_model("hf:vit").network.parameters()} == {torch.float32}


def test_values_that_are_missing_are_not_made_up(folder: Path):
    file = folder / "model.safetensors"
    values = load_file(file)
    removed = values.pop("classifier.weight")
    save_file(values, file, metadata={"format": "pt"})
    refused("vit: expected values for the whole network, got none, or of another shape, for classifier.weight")
    save_file({**values, "classifier.weight": removed[:5]}, file, metadata={"format": "pt"})
    refused("vit: expected")


@pytest.mark.parametrize("name", ["num_hidden_layers", "hidden_size"])
def test_settings_larger_than_the_values_are_refused_before_the_network_is_made(folder: Path, name: str):
    config = json.loads((folder / "config.json").read_text()) | {name: 10**9}
    (folder / "config.json").write_text(json.dumps(config))
    refused(rf"config\.json: {name} is 1000000000, but the values are 24 tensors")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"config\.json: expected the settings of a network .*, got damaged JSON"),
        ("[1]", r"config\.json: expected .*, got a JSON list"),
        ('{"model_type": "nothing"}', "vit: expected an image classifier of transformers, got ValueError"),
        ('{"model_type": "bert"}', "vit: expected an image classifier of transformers, got"),
        ("[" * 10**5, "got damaged JSON"),
        (" " * (2**22 + 1), "expected at most 4,194,304 bytes"),
    ],
    ids=["empty", "list", "unknown", "text model", "deep", "long"],
)
def test_damaged_config(folder: Path, text: str, message: str):
    (folder / "config.json").write_text(text)
    refused(message)


def test_code_of_the_folder_is_not_run(folder: Path):
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "mine.Config"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "mine.py").write_text("open('harm', 'w')")
    refused("vit: expected an image classifier of transformers, got")
    assert not Path("harm").exists()


def test_folders_that_lack_something(here: Path):
    refused("vit: expected a folder that transformers saved, got nothing there; nothing is downloaded")
    Path("vit").write_text("")
    refused("got a file")
    Path("vit").unlink()
    Path("vit").mkdir()
    refused("got one without config.json")
    Path("vit/config.json").write_text("{}")
    refused("expected the network's values in model.safetensors, got none")


def test_pickled_values_need_trust(folder: Path):
    file = folder / "model.safetensors"
    torch.save(load_file(file), folder / "pytorch_model.bin")
    file.unlink()
    refused("is a pickle, .*save the model anew", PickleRefusedError)
    assert load_model("hf:vit", trust_pickle=True).network(torch.zeros(1, *SHAPE)).shape == (1, 10)


def test_damaged_values(folder: Path):
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:500])
    refused(r"model\.safetensors: damaged, or no safetensors file")


def test_it_takes_nothing_else(folder: Path):
    refused("hf:vit has its own, got w", InputError, weights="w")
    refused("hf:vit takes none, got revision", InputError, model_args={"revision": "main"})


def test_nothing_is_printed(folder: Path, capfd: pytest.CaptureFixture[str]):
    load_model("hf:vit")
    assert capfd.readouterr() == ("", "")


def test_the_extra_is_named_where_it_is_absent(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    refused(r"needs transformers, which is not installed: pip install 'clearance\[hf\]'", InputError)
