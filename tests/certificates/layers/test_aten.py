"""Programs of `torch.export`: their graphs answer as the network, for all forms of the fuzz that can be exported."""

import inspect
import sys
from pathlib import Path

import pytest
import torch

import clearance as cl
from clearance.certificates.layers.aten import handler, operator_name
from clearance.certificates.translate import translate

sys.path.append(str(Path(__file__).parents[3] / "benchmarks"))
from network_forms import FORMS  # pyright: ignore[reportMissingImports]

HIDDEN = {"heads", "transformer block"}
"""Forms whose attention layer is read by its class alone."""
HONEST = [name for name, form in FORMS.items() if form.certified and name not in HIDDEN]
FAST = HONEST[::4]
"""An export takes a good part of a second."""


def check(name: str) -> None:
    form = FORMS[name]
    torch.manual_seed(0)
    network = form.make().eval()
    with torch.no_grad(), form.around():
        program = torch.export.export(
            network, (torch.zeros(2, *form.shape),), dynamic_shapes=({0: torch.export.Dim("batch")},)
        )
        unguarded = "check_guards" in inspect.signature(program.module).parameters
        exported = program.module(check_guards=False) if unguarded else program.module()
        for hooks in (exported._forward_pre_hooks, exported._forward_hooks):  # they look at shapes only
            hooks.clear()
        x, model = torch.rand(3, *form.shape), cl.Classifier(network)
        graph, logits = translate(cl.Classifier(exported), form.shape), model.logits(x).double()
        found = graph(x.double())
    assert torch.allclose(found - found[:, :1], logits - logits[:, :1], rtol=1e-4, atol=1e-5)


@pytest.mark.thinned(2)
@pytest.mark.parametrize("name", FAST)
def test_an_exported_network_answers_as_the_network(name: str):
    check(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(HONEST) - set(FAST)))
def test_an_exported_network_answers_as_the_network_all_forms(name: str):
    check(name)


def test_operators_are_found_by_name_and_others_are_not():
    assert operator_name(torch.ops.aten.relu_.default) == "relu_"
    assert handler(torch.ops.aten.relu_.default) is handler(torch.ops.aten.relu.default) is not None
    assert handler(torch.ops.aten.bernoulli.default) is None
    assert handler(torch.ops.prims.add.default) is None
