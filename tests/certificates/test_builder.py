"""The graph under construction: the batch stays the first dimension, and what comes after the logits does not count."""

import pytest
import torch

from clearance.certificates.builder import META_BATCH, Builder
from clearance.certificates.layers.activations import relu, tanh
from clearance.certificates.operations import NotSupportedError


def builder() -> Builder:
    return Builder((2, 3), torch.device("cpu"))


def test_steps_are_numbered_and_shaped():
    build = builder()
    flat = build.reshape(build.input, build.input.meta.flatten(1))
    half = build.affine("half", lambda x: x / 2, flat)
    both = build.combine("addition", torch.add, flat, build.add(relu(), half))
    build.add(tanh(), both)  # after the logits
    graph = build.graph(both)
    assert [step.operation.name for step in graph.steps] == ["reshape", "half", "ReLU", "addition"]
    assert [step.inputs for step in graph.steps] == [(0,), (1,), (2,), (1, 3)] and graph.shape == (6,)
    x = torch.arange(-6.0, 6.0, dtype=torch.float64).reshape(2, 2, 3)
    assert torch.equal(graph(x), x.flatten(1) + (x.flatten(1) / 2).clamp_min(0))


def test_a_value_knows_its_shape_without_content():
    meta = builder().input.meta
    assert meta.shape == (META_BATCH, 2, 3) and meta.device.type == "meta"


@pytest.mark.parametrize(
    "function", [lambda x: x.flatten(0, 1), lambda x: x.transpose(0, 1), lambda x: x.sum(0), lambda x: x[:1]]
)
def test_a_step_that_moves_the_batch_is_refused(function: object):
    build = builder()
    with pytest.raises(NotSupportedError, match="the batch does not stay the first dimension"):
        build.affine("step", function, build.input)  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(META_BATCH * 2, 3), (META_BATCH, 5), (2, META_BATCH, 3)])
def test_a_reshape_that_moves_the_batch_is_refused(shape: tuple[int, ...]):
    build = builder()
    with pytest.raises(NotSupportedError, match="the batch does not stay the first dimension"):
        build.reshape(build.input, torch.empty(shape, device="meta"))


def test_the_input_alone_is_a_graph():
    build = Builder((3,), torch.device("cpu"))
    graph, x = build.graph(build.input), torch.rand(4, 3, generator=torch.Generator().manual_seed(0))
    assert graph.last == 0 and graph.shape == (3,) and torch.equal(graph(x), x)
