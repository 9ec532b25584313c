"""Odd files, factories and flags: one clear line and exit code 2, no traceback, nothing left behind."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from command_line import run_command, run_process

FACTORIES = """
import sys
import torch
from torch import nn

def linear():
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    with torch.no_grad():
        network[1].weight.copy_(torch.eye(3, 4))
        network[1].bias.zero_()
    return network

def tied():
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 4), nn.Linear(4, 4))
    network[2].weight = network[1].weight
    return network

def normalised():
    return nn.Sequential(nn.Flatten(), nn.utils.weight_norm(nn.Linear(4, 3)))

def lazy():
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(3))

def on_meta():
    return nn.Sequential(nn.Flatten(), nn.Linear(4, 3, device="meta"))

def exported():
    return torch.export.export(linear(), (torch.zeros(1, 1, 4),)).module()

class Uninitialised(nn.Module):
    def __init__(self):
        self.width = 3

class Sparse(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.eye(3, 4).to_sparse(), requires_grad=False)

    def forward(self, x):
        return torch.sparse.mm(self.weight, x.flatten(1).T).T

class Leaves(nn.Module):
    def forward(self, x):
        sys.exit(3)

class Huge(nn.Module):
    def forward(self, x):
        return torch.empty(10**15)
"""
X = np.array([[[0.9, 0.2, 0.1, 0.5]], [[0.1, 0.7, 0.3, 0.5]]], dtype=np.float32)


def write_idx(name: str, sizes: list[int], data: bytes) -> None:
    Path(name).write_bytes(bytes([0, 0, 8, len(sizes)]) + b"".join(n.to_bytes(4, "big") for n in sizes) + data)


@pytest.fixture
def module(here: Path, request: pytest.FixtureRequest) -> str:
    """A folder with data, weights and a module of factories, whose name is returned."""
    np.savez("data.npz", images=X, labels=[0, 1], bounds=[0.0, 1.0])
    name = f"odd_{abs(hash(request.node.nodeid))}"
    Path(f"{name}.py").write_text(FACTORIES)
    return name


def refused(*arguments: str) -> str:
    """The one line of a refused command, which leaves nothing behind."""
    before = sorted(Path().rglob("*"))
    done = run_command(*arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done
    after = [path for path in Path().rglob("*") if "__pycache__" not in path.parts]
    assert sorted(after) == [path for path in before if "__pycache__" not in path.parts]
    return done.stderr.removeprefix("clearance: ").rstrip()


def test_weights_that_are_not_what_the_file_says(module: str):
    one, two = torch.ones(4, 4), 2 * torch.ones(4, 4)
    biases = {"1.bias": torch.zeros(4), "2.bias": torch.zeros(4)}
    files = {
        "tied": (
            {"1.weight": one, "2.weight": two, **biases},
            r"does not hold the values of 1\.weight .* tied to 2\.weigh",
        ),
        "integers": ({"1.weight": one.long(), **biases}, r"expected floating values for 1\.weight, got int64"),
        "truths": ({"1.weight": one > 0, **biases}, r"expected floating values for 1\.weight, got bool"),
        "overflow": ({"1.weight": 1e300 * one.double(), **biases}, r"1\.weight overflows float32"),
        "float8": ({"1.weight": one.to(torch.float8_e4m3fn), **biases}, "got float8_e4m3fn; convert it"),
    }
    for name, (tensors, message) in files.items():
        save_file(tensors, f"{name}.safetensors")
        line = refused("score", f"{module}:tied", "data.npz", "--weights", f"{name}.safetensors")
        assert line.startswith(f"{name}.safetensors: ") and re.search(message, line)
    torch.jit.script(nn.Linear(2, 2)).save("script.pt")
    line = refused("score", f"{module}:linear", "data.npz", "--weights", "script.pt")
    assert re.search(
        r"script\.pt: expected a dict of tensors, .* got TorchScript; give it as MODEL, with --trust-pickle", line
    )


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        (
            "lazy",
            r"model: expected \S+:lazy to return a network with values, .*of a lazy layer has no shape yet",
        ),
        ("on_meta", "1.weight lies on the device 'meta'; make the network on the CPU"),
        ("Uninitialised", r"model: \S+ returned an unfinished nn\.Module: AttributeError"),
        ("Sparse", r"network: expected dense parameters, got weight of layout torch\.sparse_coo; use to_dense\(\)"),
        ("Leaves", "expected the network to return, got an end of the program .SystemExit: 3"),
        ("Huge", "memory ran out with one input at a time: .*can't allocate memory"),
    ],
)
def test_factories(module: str, factory: str, message: str):
    for command in (("score",), ("bracket", "--certificate", "none", "--out", "run")):
        assert re.search(message, refused(*command, f"{module}:{factory}", "data.npz"))


@pytest.mark.parametrize("factory", ["exported", "normalised"])
def test_factories_that_serve(module: str, factory: str):
    flags = ("--count", "1", "--budget", "1500", "--certificate", "none", "--out", "run")
    done = run_command("bracket", f"{module}:{factory}", "data.npz", *flags)
    notes = [line for line in done.stderr.splitlines() if "other values each time it is called" not in line]
    assert (done.returncode, notes) == (0, [])


@pytest.mark.parametrize("sizes", [[1] * 255, [1] * 65, [1] * 33])
def test_idx_files_of_many_dimensions(module: str, sizes: list[int]):
    write_idx("images", sizes, b"\1")
    write_idx("labels", [1], b"\0")
    message = f"expected an idx file of at most 32 dimensions, got {len(sizes)}"
    assert refused("score", f"{module}:linear", "images,labels") == f"images: {message}"
    assert refused("score", f"{module}:linear", "labels,images").endswith(message)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--device meta", "device: expected a device that computes, such as cpu, got 'meta'"),
        (
            "--bounds -inf inf",
            r"bounds: expected two finite numbers, low < high, got -inf and inf; no-bounds",
        ),
        ("--bounds 0 nan", "bounds: expected two finite numbers"),
        ("--time-limit nan", "time_limit: expected a positive number of seconds"),
        ("--time-limit -1", "time_limit: expected a positive number of seconds"),
        ("--norm 2,2.0", "--norm: expected names with commas between them, each once"),
        ("--target 1,01", "--target: expected names with commas between them, each once"),
    ],
)
def test_flags(module: str, flags: str, message: str):
    line = refused("bracket", f"{module}:linear", "data.npz", "--out", "run", *flags.split())
    assert re.search(message, line), line


def test_the_process_ends_with_its_line(module: str):
    done = run_process("score", f"{module}:lazy", "data.npz", folder=Path.cwd())
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


@pytest.fixture
def places(module: str) -> str:
    """Something of each kind that may lie at a path."""
    Path("file").write_text("x")
    Path("empty").touch()
    Path("empty.npz").touch()
    Path("empty.safetensors").touch()
    Path("folder").mkdir()
    for link, target in (("link", "gone"), ("link.npz", "gone.npz"), ("circle", "circle")):
        Path(link).symlink_to(target)
    os.mkfifo("pipe")
    return module


LEADS_NOWHERE = "no such folder, only a link that leads nowhere"


@pytest.mark.parametrize("command", ["report RUN", "gate RUN --min-median 0", "export RUN --format csv --out o.csv",
                                     "figure RUN gaps --out o.svg", "compare RUN RUN"])  # fmt: skip
@pytest.mark.parametrize(
    ("place", "found"),
    [
        ("nowhere", "got no such folder"),
        ("file", "got a file"),
        ("empty", "got an empty file"),
        ("folder", "got one without plan.json"),
        ("link", f"got {LEADS_NOWHERE}"),
        ("circle", f"got {LEADS_NOWHERE}"),
        ("pipe", "got something that is no plain file"),
        ("x" * 300, "got no such folder"),
        ("file/below", "got no such folder"),
    ],
)
def test_what_is_no_run(places: str, command: str, place: str, found: str):
    line = refused(*command.replace("RUN", place).split())
    assert line == f"{place}: expected the folder of a run, {found}"


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("file", "file: cannot be used as a folder, it is a file"),
        ("empty", "it is an empty file"),
        ("link", "link: cannot be used as a folder, it is a link that leads nowhere"),
        ("circle", "circle: cannot be used as a folder, it is a link that leads nowhere"),
        ("pipe", "it is something that is no plain file"),
        ("file/below", "file/below: cannot be used as a folder .Not a directory."),
        ("x" * 300, "x: cannot be used as a folder .File name too long."),
        (".", "expected a new or empty folder, got one with "),
    ],
)
def test_where_no_run_can_be_made(places: str, place: str, message: str):
    flags = ("--count", "1", "--budget", "1500", "--certificate", "none", "--out", place)
    assert re.search(message, refused("bracket", f"{places}:linear", "data.npz", *flags))


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("nowhere", "nowhere: no such file, and no set of that name"),
        ("nowhere.npz", r"nowhere\.npz: no such file, and no set of that name"),
        ("link.npz", r"link\.npz: no such file, only a link that leads nowhere, and no set of that name"),
        ("circle", "circle: no such file, only a link that leads nowhere, and no set of that name"),
        ("file", "file: expected a .npz file, .* FOLDER or IMAGES,LABELS; got a name without an ending"),
        ("empty.npz", r"empty\.npz: expected a \.npz archive, got an empty file"),
        ("empty,empty", "empty: expected an idx file, got an empty one"),
        ("folder,file", "folder: is no plain file but a folder"),
        ("pipe,pipe", "pipe: is no plain file"),
        ("folder", "folder: expected t10k-images-idx3-ubyte or t10k-images-idx3-ubyte.gz, found neither"),
    ],
)
def test_what_is_no_data(places: str, place: str, message: str):
    assert re.search(message, refused("score", f"{places}:linear", place))


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("nowhere", "nowhere: no such file$"),
        ("link", "link: no such file, only a link that leads nowhere$"),
        ("folder", "folder: is no plain file but a folder$"),
        ("empty.safetensors", "damaged, or no safetensors file .it is empty.$"),
        ("file", "file: damaged, or no safetensors file"),
        ("pipe", "pipe: is no plain file$"),
    ],
)
def test_what_holds_no_weights(places: str, place: str, message: str):
    assert re.search(message, refused("score", f"{places}:linear", "data.npz", "--weights", place))


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("x.txt", "--save: expected a file name that ends in .npz, got x.txt"),
        ("nowhere/x.npz", "--save: expected a folder that exists, got nowhere"),
        ("circle/x.npz", "--save: expected a folder that exists, got circle"),
        ("data.npz/x.npz", "--save: expected a folder that exists, got data.npz"),
    ],
)
def test_where_no_witness_can_be_saved(places: str, place: str, message: str):
    assert refused("attack", f"{places}:linear", "data.npz", "--save", place) == message


def test_a_folder_without_permission(places: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("clearance.runs.execute.os.access", lambda *_: False)  # root may do everything
    assert refused("report", "folder") == "folder: no permission to read this folder"
    monkeypatch.setattr("clearance.cli.checks.os.access", lambda path, mode: mode != os.W_OK)
    line = refused("attack", f"{places}:linear", "data.npz", "--save", "folder/x.npz")
    assert line == "--save: expected a folder that can be written, got folder"
