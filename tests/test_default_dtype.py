"""torch's default dtype belongs to the caller: no number depends on it."""

import tempfile
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
import torch
from torch import nn

import clearance as cl
from clearance.attacks.table import ATTACKS
from closed_forms import random_network

NETWORK = random_network(2, (5, 12, 3), nn.Tanh).float()
X = torch.rand(2, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float32)


@pytest.fixture(autouse=True)
def default_dtype() -> Generator[None]:
    """Whatever a test sets is put back."""
    before = torch.get_default_dtype()
    yield
    torch.set_default_dtype(before)


def model() -> cl.Classifier:
    return cl.Classifier(NETWORK, bounds=(0, 1), preprocessing=cl.Normalize([0.4] * 5, [0.3] * 5))


def exported() -> list[bytes]:
    """What every file for other provers holds."""
    pytest.importorskip("onnxruntime", reason="needs onnx: pip install 'clearance[onnx]'")
    with tempfile.TemporaryDirectory() as folder:
        cl.export_vnnlib(model(), X, out=folder, radius=0.1)
        return [path.read_bytes() for path in sorted(Path(folder).rglob("*")) if path.is_file()]


CALLS: dict[str, Callable[[], object]] = {
    **{
        f"{name}, {norm:g}": lambda name=name, norm=norm: [
            a.distance for a in cl.attack(model(), X, norm=norm, method=name, budget="quick")
        ]
        for name, line in ATTACKS.items()
        for norm in (1.0, 2.0, 3.0, float("inf"))
        if line.is_for(norm)
    },
    "profile": lambda: [(s.radius, s.interval, s.levels) for s in cl.clever(model(), X, budget=2000)],
    "radial": lambda: [(s.radius, s.interval) for s in cl.clever(model(), X, norm=1.5, slope="radial", budget=2000)],
    "directed": lambda: [s.radius for s in cl.clever(model(), X, bound="ball", blocks=4, block_size=16)],
    "uniform": lambda: [
        s.radius for s in cl.clever(model(), X, bound="ball", sampler="uniform", radius=0.3, blocks=4, block_size=16)
    ],
    "second order": lambda: [s.radius for s in cl.clever(model(), X, order=2, blocks=4, block_size=16)],
    "other norm": lambda: [s.radius for s in cl.clever(model(), X, norm=1.5, bound="ball", blocks=4, block_size=8)],
    "certify": lambda: [(p.radius, p.method) for p in cl.certify(model(), X)],
    "export_vnnlib": exported,
    "audit": lambda: [(sorted(a.measured.items()), [f.code for f in a.flags]) for a in cl.audit(model(), X[:1])],
    "slope": lambda: [e.radius for e in cl.slope_estimate(model(), X, pairs=16, blocks=4)],
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.thinned(6)
def test_results_are_the_same_bits_under_another_default(name: str):
    torch.set_default_dtype(torch.float32)
    expected = CALLS[name]()
    torch.set_default_dtype(torch.float64)
    assert repr(CALLS[name]()) == repr(expected)
