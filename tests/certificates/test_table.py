"""The one table of certificates: its lines lead somewhere, the docs repeat it, and a new line is a new method.

`make tables` writes the table of docs/certificates.md anew, between its marks.
"""

import importlib
import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

import clearance as cl
from clearance.certificates.table import CERTIFICATES, Method, method_names
from clearance.errors import InputError
from doc_tables import part, rewrite, table

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "certificates.md"
SOURCE = "clearance.certificates.table: make tables"
DUMMY = '''
"""A certificate of radius 0.125 for every input."""

from clearance.certificates.problem import Proof
from clearance.certificates.table import CERTIFICATES, Method


def prove(problem):
    return [Proof(0.125, int(targets[0])) for targets in problem.targets]


CERTIFICATES["dummy"] = Method("an eighth for every input", "dummy_certificate:prove", "nothing at all")
'''


@pytest.fixture
def dummy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a module that adds one line to the table, imported; the table is as before afterwards."""
    before = dict(CERTIFICATES)
    (tmp_path / "dummy_certificate.py").write_text(DUMMY)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "dummy_certificate", raising=False)
    importlib.import_module("dummy_certificate")
    yield tmp_path
    CERTIFICATES.clear()
    CERTIFICATES.update(before)  # their order counts
    sys.modules.pop("dummy_certificate", None)


def line() -> tuple[cl.Classifier, torch.Tensor]:
    """The margin is `3 x + 4 y`: 5 at (1, 0.5), so the boundary is 1 away."""
    network = nn.Linear(2, 2, bias=False)
    network.weight.data = torch.tensor([[3.0, 4.0], [0.0, 0.0]])
    return cl.Classifier(network), torch.tensor([[1.0, 0.5]])


def written() -> str:
    rows = [(f"`{name}`", method.networks, method.proves) for name, method in CERTIFICATES.items()]
    return table(("method", "networks", "what it proves"), rows)


@pytest.mark.parametrize("name", CERTIFICATES)
def test_every_line_names_a_function_and_says_what_it_does(name: str):
    method = CERTIFICATES[name]
    assert callable(method.load()) and method.load().__doc__
    assert method.meaning.isascii() and not method.meaning.endswith(".") and method.proves and method.networks


def test_the_page_says_what_the_table_says():
    assert part(PAGE, SOURCE) == written(), "run: make tables"


def test_reading_the_table_imports_neither_torch_nor_scipy():
    code = (
        "import sys, clearance.certificates\n"
        "from clearance.certificates.table import CERTIFICATES\n"
        "from clearance.cli import run\n"
        "assert len(CERTIFICATES) > 1 and run(['certify', '--help']) == 0\n"
        "sys.exit(bool({'torch', 'scipy', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split()).replace("- ", "-")  # a line may end behind a hyphen
    assert all(f"{name}: " in said for name in CERTIFICATES)


def test_a_new_line_is_a_method_of_certify_and_bracket(dummy: Path):
    model, x = line()
    (proof,) = cl.certify(model, x, method="dummy")
    assert (proof.radius, proof.method, proof.status.value, proof.target) == (0.125, "dummy", "certified", 1)
    (found,) = cl.bracket(model, x, certificate="dummy", budget="quick")
    assert found.certified is not None and found.certified.method == "dummy" and found.lower == 0.125
    with pytest.raises(InputError, match=r"method: expected one of best, .*, dummy, got 'magic'"):
        cl.certify(model, x, method="magic")
    with pytest.raises(InputError, match=r"certificate: expected one of best, .*, dummy, none, got 'magic'"):
        cl.bracket(model, x, certificate="magic")


def test_best_tries_a_line_that_asks_for_it(dummy: Path):
    torch_network = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Tanh(), nn.Linear(2, 2, bias=False))
    for layer, weight in ((torch_network[0], [[3.0, 4.0], [0.0, 0.0]]), (torch_network[2], [[0.01, 0.0], [0.0, 0.01]])):
        layer.weight.data = torch.tensor(weight)
    model, x = cl.Classifier(torch_network), torch.tensor([[1.0, 0.5]])
    (before,) = cl.certify(model, x)
    assert before.radius > 0.125 and before.method != "dummy"
    del CERTIFICATES["crown"], CERTIFICATES["operator-norms"]
    (alone,) = cl.certify(model, x)
    assert alone.status == "unsupported" and math.isnan(alone.radius)
    assert "linear: expected an affine network" in alone.reason
    CERTIFICATES["dummy"] = Method("", "dummy_certificate:prove", "", in_best=True)
    (after,) = cl.certify(model, x)
    assert (after.method, after.radius) == ("dummy", 0.125)


@pytest.mark.slow
def test_a_new_line_is_a_choice_of_the_command_line(dummy: Path):
    code = (
        "import dummy_certificate\n"
        "from clearance.cli import main\n"
        "main(['certify', 'digits-standard', 'digits', '--count', '1', '--method', 'dummy', '--json'])"
    )
    path = os.pathsep.join([str(dummy), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)["results"]
    assert [(result["method"], result["radius"]) for result in results] == [("dummy", 0.125)]


def test_the_table_is_left_as_it_was():
    names = ["linear", "sdp-crown", "crown", "one-hidden", "operator-norms", "exact", "branch-and-bound", "auto-lirpa"]
    assert list(CERTIFICATES) == names
    assert method_names() == ("best", *CERTIFICATES)


if __name__ == "__main__":
    rewrite(PAGE, SOURCE, written())
