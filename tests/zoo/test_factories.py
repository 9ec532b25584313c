"""Functions of the user's, in packages and in files: what is called, with what, and under which name it is found."""

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from clearance.errors import FileError, InputError
from clearance.runs.fingerprint import _sources
from clearance.zoo.factories import make_network
from clearance.zoo.specs import load_model

NETWORK = """
from torch import nn
from {helper} import WIDTH

class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.layer = nn.Linear(2, width)

    def forward(self, x):
        return self.layer(x)

def make(width=WIDTH, bias=True):
    return Net(width)

def late():
    import {helper}
    return Net({helper}.WIDTH)

def keywords(**options):
    return Net(options["width"])

def ends():
    raise SystemExit("no")
"""


@pytest.fixture
def file(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A file that imports another one beside it; their names are of this test alone."""
    name = f"m{abs(hash(request.node.nodeid))}"
    (tmp_path / f"{name}_helper.py").write_text("WIDTH = 3\n")
    path = tmp_path / f"{name}.py"
    path.write_text(NETWORK.format(helper=f"{name}_helper"))
    return path


@pytest.mark.parametrize("factory", ["make", "late"])
def test_a_file_imports_what_lies_beside_it(file: Path, factory: str):
    before = list(sys.path)
    assert make_network(f"{file}:{factory}").layer.out_features == 3
    assert sys.path == before


def test_a_relative_path_and_an_absolute_one_are_one_module(file: Path, monkeypatch: pytest.MonkeyPatch):
    first = make_network(f"{file}:make")
    monkeypatch.chdir(file.parent)
    assert type(make_network(f"{file.name}:make")) is type(first)
    assert type(make_network(f"./{file.name}:make")) is type(first)


def test_the_module_is_found_by_the_fingerprint_and_by_other_processes(file: Path):
    network = make_network(f"{file}:make")
    assert type(network).__module__ == file.stem
    found = dict(_sources({file.stem}))
    assert found[file.stem] == file.read_text() and f"{file.stem}_helper" not in found  # it gave a number, no code
    (file.parent / "network.pickle").write_bytes(pickle.dumps(network))
    code = "import pickle; print(pickle.load(open('network.pickle', 'rb')).layer.out_features)"
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, cwd=file.parent, capture_output=True, text=True, timeout=120
    )
    assert done.stdout == "3\n"


def test_a_changed_file_is_read_again_and_an_equal_one_is_not(file: Path):
    first = make_network(f"{file}:make")
    assert type(make_network(f"{file}:make")) is type(first)
    file.write_text(file.read_text().replace("width=WIDTH", "width=WIDTH + 4"))
    assert make_network(f"{file}:make").layer.out_features == 7


def test_a_file_named_as_a_package_hides_no_package(tmp_path: Path):
    """The names of an imported module, of one that is installed, and of one of Python's."""
    for name in ("torch", "timm", "json"):
        known = sys.modules.get(name)
        path = tmp_path / f"{name}.py"
        path.write_text("from torch import nn\ndef make():\n    return nn.Linear(2, 3)\n")
        assert isinstance(make_network(f"{path}:make"), torch.nn.Linear)
        assert sys.modules.get(name) is known
        assert any(other.startswith(f"{name}_") and len(other) == len(name) + 9 for other in sys.modules)


def test_two_files_of_one_name(tmp_path: Path):
    for width, folder in enumerate(("one", "two"), start=2):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "same_name_here.py").write_text(
            f"from torch import nn\ndef make():\n    return nn.Linear(1, {width})\n"
        )
    made = [make_network(f"{tmp_path / folder / 'same_name_here.py'}:make") for folder in ("one", "two", "one")]
    assert [network.out_features for network in made] == [2, 3, 2]


@pytest.mark.parametrize(
    ("factory", "arguments", "message"),
    [
        ("make", {"depth": 2}, r"has no parameter depth; its parameters: width, bias"),
        ("keywords", {"other": 2}, r"calling .* with other=2 failed: KeyError: 'width'"),
        ("make", {"width": "wide"}, r"with width='wide' failed: TypeError"),
        ("ends", {}, "without arguments failed: SystemExit: no"),
        ("missing", {}, "expected a function 'missing' in .*; there is nothing of that name"),
    ],
)
def test_what_a_factory_does_not_take(file: Path, factory: str, arguments: dict[str, object], message: str):
    with pytest.raises(InputError, match=message) as caught:
        load_model(f"{file}:{factory}", model_args=arguments)
    assert "\n" not in str(caught.value)


def test_a_factory_may_leave_nothing_in_the_class_of_all_modules(tmp_path: Path):
    path = tmp_path / "adds_a_method_of_test.py"
    path.write_text("from torch import nn\ndef make():\n    nn.Module.added = print\n    return nn.Linear(2, 3)\n")
    load_model(f"{path}:make")
    assert not hasattr(torch.nn.Module, "added")


def test_arguments_are_handed_over(file: Path):
    assert make_network(f"{file}:make", {"width": 5}).layer.out_features == 5
    assert make_network(f"{file}:keywords", {"width": 6}).layer.out_features == 6


@pytest.mark.parametrize(
    ("text", "message"),
    [("def make(:", "SyntaxError"), ("\0", "SyntaxError|ValueError"), ("\xff\xfe", "SyntaxError"), ("1 / 0", "Zero")],
)
def test_files_that_do_not_import_leave_no_module(tmp_path: Path, text: str, message: str):
    path = tmp_path / "broken_file_of_test.py"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=f"importing .*broken_file_of_test.py failed: .*{message}") as caught:
        make_network(f"{path}:make")
    assert "\n" not in str(caught.value) and path.stem not in sys.modules


def test_no_such_file(tmp_path: Path):
    with pytest.raises(FileError, match=r"nothing\.py: no such file"):
        make_network(f"{tmp_path / 'nothing.py'}:make")
    (tmp_path / "folder.py").mkdir()
    with pytest.raises(FileError, match=r"folder\.py: is no plain file but a folder"):
        make_network(f"{tmp_path / 'folder.py'}:make")
