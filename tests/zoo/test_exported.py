"""Exported programs: what they are made of, how they take batches, and what is refused."""

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import clearance as cl
from clearance.errors import FileError, PickleRefusedError
from clearance.model.classifier import Classifier
from clearance.zoo.batches import FixedBatch
from clearance.zoo.specs import load_model
from model_files import SHAPE, small_cnn, write_exported

FILE = Path("n.pt2")


def export(network: nn.Module, *inputs: Tensor) -> None:
    torch.export.save(torch.export.export(network, inputs), FILE)


class Function(nn.Module):
    """A function as a module that can be exported."""

    def __init__(self, function: Callable[..., object]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> object:
        return self.function(x)


def test_notes_say_the_shape_and_the_batch(here: Path):
    write_exported(small_cnn(), FILE, fixed=True)
    assert load_model("n.pt2").notes == ("n.pt2: inputs of shape (1, 8, 8); written for batches of 1; takes any",)
    write_exported(small_cnn(), FILE, fixed=False)
    loaded = load_model("n.pt2")
    assert loaded.input_shape == SHAPE
    assert loaded.notes == ("n.pt2: inputs of shape (1, 8, 8)",) and loaded.weights == FILE


@pytest.mark.parametrize("size", [1, 3])
def test_a_program_that_mixes_its_batch_is_used_as_it_was_exported(here: Path, size: int):
    """The mean over the batch: other sizes of batch give other logits, so the file's own size is kept."""
    export(Function(lambda x: x - x.mean(0)), torch.ones(size, 2))
    loaded, x = load_model("n.pt2"), torch.rand(5, 2, generator=torch.Generator().manual_seed(0))
    assert isinstance(loaded.network, FixedBatch) and f"takes {size} at a time" in loaded.notes[0]
    filled = torch.cat([x, x[-1:]])
    wanted = torch.zeros(5, 2) if size == 1 else torch.cat([part - part.mean(0) for part in filled.split(size)])[:5]
    assert torch.allclose(Classifier(loaded.network).logits(x), wanted, atol=1e-6)


def test_sizes_that_the_program_wrote_down(here: Path):
    """A reshape to the batch's own size fails for any other: parts of that size are computed."""
    export(Function(lambda x: torch.ops.aten.view.default(x, [2, 4])), torch.ones(2, 2, 2))
    loaded, x = load_model("n.pt2"), torch.arange(12.0).reshape(3, 2, 2)
    assert torch.equal(loaded.network(x), x.reshape(3, 4))


LAYERS = nn.Sequential(
    nn.Conv2d(1, 4, 3, padding=1, bias=False),
    nn.BatchNorm2d(4),
    nn.LeakyReLU(0.2, inplace=True),
    nn.MaxPool2d(2),
    nn.Dropout(),
    nn.Conv2d(4, 4, 2),
    nn.GELU(),
    nn.AdaptiveAvgPool2d(1),
    nn.Flatten(),
    nn.Linear(4, 6),
    nn.ELU(2.0),
    nn.LayerNorm(6),
    nn.Softplus(),
    nn.Linear(6, 3),
)


def test_certificates_see_into_the_steps(here: Path):
    """The radius is that of the eager form, whose layers are read by their classes."""
    with torch.no_grad():
        LAYERS[1].running_mean.add_(0.5)
        LAYERS[1].weight.mul_(2)
    export(LAYERS.eval(), torch.ones(1, *SHAPE))
    network, x = load_model("n.pt2").network, torch.rand(3, *SHAPE, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(network(x), LAYERS(x), atol=1e-6)
    models = [Classifier(one, (0, 1)) for one in (network, LAYERS)]
    found, wanted = (cl.certify(model, x[:1], norm=2, method="crown")[0].radius for model in models)
    assert wanted > 0 and found == pytest.approx(wanted, rel=1e-6)


def test_in_place_steps_that_others_see(here: Path):
    """`relu_` changes the value that is added afterwards."""
    layer = nn.Linear(2, 2)

    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, x: Tensor) -> Tensor:
            value = self.layer(x)
            return torch.relu_(value) + value

    x = torch.tensor([[1.0, -2.0], [-3.0, 0.5]])
    export(Shared().eval(), x)
    assert torch.allclose(load_model("n.pt2").network(x), 2 * torch.relu(layer(x)))


@pytest.mark.parametrize(
    ("network", "inputs", "message"),
    [
        (nn.Sequential(nn.Linear(2, 2), nn.Dropout()), (torch.ones(1, 2),), "got dropout in training mode; call netw"),
        (nn.BatchNorm1d(2), (torch.ones(3, 2),), "got batch_norm in training mode"),
        (nn.Bilinear(2, 2, 2), (torch.ones(1, 2), torch.ones(1, 2)), "one input"),
        (nn.Embedding(4, 2), (torch.ones(1, 3, dtype=torch.int64),), r"expected floating inputs .* got int64"),
        (nn.Linear(2, 2), (torch.ones(2),), r"expected floating inputs of shape \(batch, \*input\), got float32 of"),
        (Function(lambda x: (x, x)), (torch.ones(1, 2),), "returns a tuple|returns a list"),
        (
            Function(lambda x: x.sum()),
            (torch.ones(1, 2),),
            r"expected logits of shape \(8, classes\) for 8 inputs|zero-",
        ),
    ],
    ids=["dropout", "batch norm", "two inputs", "integers", "no batch", "two outputs", "one number"],
)
def test_programs_that_are_no_classifier(here: Path, network: nn.Module, inputs: tuple[Tensor, ...], message: str):
    export(network, *inputs)
    with pytest.raises(FileError, match=rf"n\.pt2: .*({message})") as caught:
        load_model("n.pt2")
    assert "\n" not in str(caught.value)


def edit(change: Callable[[str, bytes], bytes]) -> None:
    """Write the archive anew with its parts changed."""
    with zipfile.ZipFile(FILE) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(FILE, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, change(name, data))


def test_another_version(here: Path):
    def newer(name: str, data: bytes) -> bytes:
        if not name.endswith("model.json"):
            return data
        program = json.loads(data)
        program["schema_version"]["major"] += 90
        return json.dumps(program).encode()

    write_exported(small_cnn(), FILE, fixed=True)
    edit(lambda name, data: data)
    load_model("n.pt2")
    edit(newer)
    with pytest.raises(FileError, match=r"n\.pt2: written by another version of torch, damaged, .*this is torch 2"):
        load_model("n.pt2")


@pytest.mark.parametrize("left", [0, 10, 1000, -100])
def test_truncated_files(here: Path, left: int):
    write_exported(small_cnn(), FILE, fixed=True)
    FILE.write_bytes(FILE.read_bytes()[:left])
    with pytest.raises(FileError, match=r"n\.pt2: expected an exported program, as torch\.export\.save writes it, got"):
        load_model("n.pt2")


def test_no_file_a_folder_and_other_archives(here: Path):
    with pytest.raises(FileError, match="no such file"):
        load_model("n.pt2")
    FILE.mkdir()
    with pytest.raises(FileError, match="no plain file but a folder"):
        load_model("n.pt2")
    shutil.rmtree(FILE)
    torch.save({"weight": torch.ones(2)}, FILE)
    with pytest.raises(FileError, match=r"got an archive without models/model\.json"):
        load_model("n.pt2")


def test_trust_skips_the_search_for_code(here: Path):
    write_exported(small_cnn(), FILE, fixed=True)
    edit(lambda name, data: data.replace(b'"conv2d"', b'"conv2d()"') if name.endswith("model.json") else data)
    with pytest.raises(PickleRefusedError, match="add --trust-pickle"):
        load_model("n.pt2")
    assert load_model("n.pt2", trust_pickle=True).network(torch.zeros(2, *SHAPE)).shape == (2, 10)
