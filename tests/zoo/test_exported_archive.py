"""What in a `.pt2` file could run code is refused before torch loads it; what torch writes is not."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from clearance.errors import PickleRefusedError
from clearance.zoo.exported_archive import refuse_code
from clearance.zoo.specs import load_model
from model_files import small_cnn, write_exported

FILE = Path("n.pt2")


class Harmful:
    def __reduce__(self):
        return (Path("harm").touch, ())


def pickled() -> bytes:
    stream = io.BytesIO()
    torch.save(((Harmful(),), {}), stream)
    return stream.getvalue()


@pytest.fixture
def parts(here: Path) -> dict[str, bytes]:
    write_exported(small_cnn(), FILE, fixed=False)
    with zipfile.ZipFile(FILE) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(parts: dict[str, bytes]) -> None:
    with zipfile.ZipFile(FILE, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)


def refused(parts: dict[str, bytes], message: str) -> None:
    write(parts)
    with pytest.raises(
        PickleRefusedError, match=rf"n\.pt2: .*{message}.*, which could run code or take all memory .*--trust-pickle"
    ):
        load_model("n.pt2")
    assert not Path("harm").exists()


def part(parts: dict[str, bytes], end: str) -> str:
    return next(name for name in parts if name.endswith(end))


@pytest.mark.parametrize(
    "network",
    [
        small_cnn(),
        nn.Sequential(nn.Flatten(), nn.Linear(64, 4), nn.MultiheadAttention(4, 2)) and small_cnn().double(),
        nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(18, 2)).eval(),
        nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(1), nn.Linear(4, 4), nn.Softplus(), nn.LayerNorm(4)),
    ],
)
def test_what_torch_writes_is_let_through(here: Path, network: nn.Module):
    x = torch.zeros(2, 1, 8, 8, dtype=next(network.parameters()).dtype)
    for sizes in (None, ({0: torch.export.Dim("batch", min=1)},), ({0: torch.export.Dim("batch", min=2, max=99)},)):
        torch.export.save(torch.export.export(network, (x,), dynamic_shapes=sizes), FILE)
        refuse_code(FILE)


def test_pickles_of_more_than_tensors(parts: dict[str, bytes]):
    sample = part(parts, "sample_inputs/model.pt")
    refused({**parts, sample: pickled()}, "holds a pickle of more than tensors, data/sample_inputs/model.pt")


@pytest.mark.parametrize("kind", ["weights", "constants"])
def test_values_that_are_pickles(parts: dict[str, bytes], kind: str):
    name = part(parts, f"{kind}_config.json")
    folder, prefix = name.rpartition("/")[0], "weight" if kind == "weights" else "tensor"
    entry = {"path_name": f"{prefix}_9", "is_param": True, "use_pickle": True, "tensor_meta": None}
    config = json.dumps({"config": {"0.weight": entry}}).encode()
    refused({**parts, name: config, f"{folder}/{prefix}_9": pickled()}, "holds a pickle of more than tensors, 0.weight")
    entry["path_name"] = "opaque_obj_0"
    refused({**parts, name: json.dumps({"config": {"x": entry}}).encode()}, "holds an object that is no tensor, x")


def test_libraries(parts: dict[str, bytes]):
    refused({**parts, "n/data/aotinductor/model/lib.so": b""}, "holds a library")


def first_node(program: dict[str, Any]) -> dict[str, Any]:
    return program["graph_module"]["graph"]["nodes"][0]


def in_size(text: str) -> Callable[[dict[str, Any]], None]:
    def change(program: dict[str, Any]) -> None:
        values = program["graph_module"]["graph"]["tensor_values"]
        values["input"]["sizes"][0] = {"as_expr": {"expr_str": text, "hint": None}}

    return change


CHANGES: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "a call in a size": (in_size("__import__('pathlib').Path('harm').touch()"), "has the odd expr_str"),
    "a function of Python in a size": (in_size("eval(chr(49))"), "has the odd expr_str"),
    "a function of sympy in a size": (in_size("sympify(Symbol('s1'))"), "has the odd expr_str"),
    "an attribute in a size": (in_size("s1.subs"), "has the odd expr_str"),
    "a function that is no operator": (
        lambda program: first_node(program).update(target="torch.hub.load"),
        "has the odd target 'torch.hub.load'",
    ),
    "a file as a tensor": (
        lambda program: first_node(program).update(target="torch.ops.aten.from_file.default"),
        "has the odd target",
    ),
    "a call of anything": (
        lambda program: first_node(program).update(target="_operator.methodcaller"),
        "has the odd target",
    ),
    "an operator as an argument": (
        lambda program: first_node(program)["inputs"][0]["arg"].update(as_operator="torch.load"),
        "has the odd as_operator",
    ),
    "source in a name": (lambda program: first_node(program).update(name="x = open('harm', 'w')"), "has the odd name"),
    "source in the name of a value": (
        lambda program: program["graph_module"]["graph"]["tensor_values"].update({"x[open]": {}}),
        "has the odd name",
    ),
    "source in the name of an argument": (
        lambda program: program["graph_module"]["module_call_graph"][0]["signature"].update(
            forward_arg_names=["x=open('harm', 'w')"]
        ),
        "has the odd forward_arg_names",
    ),
    "a tensor of ten gigabytes": (
        lambda program: first_node(program)["inputs"][3]["arg"].update(as_ints=[50_000, -50_000]),
        "asks for a tensor of shape .50000, -50000.",
    ),
    "a type of a package": (
        lambda program: program["graph_module"]["module_call_graph"][0]["signature"].update(
            in_spec='[1, {"type": "os.stat_result", "context": "null", "children_spec": []}]'
        ),
        "has the odd in_spec",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_texts_that_become_code(parts: dict[str, bytes], name: str):
    change, message = CHANGES[name]
    place = part(parts, "models/model.json")
    program = json.loads(parts[place])
    change(program)
    refused({**parts, place: json.dumps(program).encode()}, message)


def test_guards_in_the_file_are_not_run(parts: dict[str, bytes]):
    """torch 2.9 and later write the guards as source text and run it with the first input."""
    place = part(parts, "models/model.json")
    program = json.loads(parts[place])
    program["guards_code"] = ["open('harm', 'w') is None"]
    write({**parts, place: json.dumps(program).encode()})
    load_model("n.pt2").network(torch.zeros(1, 1, 8, 8))
    assert not Path("harm").exists()


@pytest.mark.parametrize("text", ["s31", "2*s31 + 1", "Symbol('s31', positive=True, integer=True)", "Max(1, s0//2)"])
def test_sizes_that_torch_writes(parts: dict[str, bytes], text: str):
    place = part(parts, "models/model.json")
    program = json.loads(parts[place])
    in_size(text)(program)
    write({**parts, place: json.dumps(program).encode()})
    refuse_code(FILE)
