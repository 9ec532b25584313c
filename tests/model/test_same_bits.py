"""Passes that are filled up: a row has the same bits alone and in any batch, or the network is known not to do that."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import clearance as cl
from clearance.model.gradients import nearest_margin_gradients
from clearance.model.memory import fill_up
from clearance.model.same_bits import same_bits

SHAPE = (2, 6, 6)


def small_network() -> nn.Module:
    """A convolution and two linear layers, the kind whose one-row kernels round differently."""
    torch.manual_seed(0)
    layers = nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 10)
    return nn.Sequential(*layers)


def points(count: int) -> Tensor:
    return torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("bounds", [(0, 1), None])
def test_every_row_has_its_own_bits_in_any_batch(order: torch.memory_format, bounds: tuple[int, int] | None) -> None:
    model = cl.Classifier(small_network(), bounds)
    x, targets = points(41).contiguous(memory_format=order), torch.arange(1, 10)
    with same_bits(model, x) as shared:
        assert shared
        together = nearest_margin_gradients(model, x, 0, targets)
        for size in range(1, 21):
            apart = [nearest_margin_gradients(model, part, 0, targets) for part in x.split(size)]
            for whole, parts in zip(together, zip(*apart, strict=True), strict=True):
                assert torch.equal(whole, torch.cat(parts))
    assert model.fewest_rows == 1


def coupled(x: Tensor) -> Tensor:
    return (x - x.mean(0)).flatten(1)[:, :3]


def one_by_one(x: Tensor) -> Tensor:
    return x.reshape(72)[:3].reshape(1, 3)


def picky(x: Tensor) -> Tensor:
    if len(x) > 1:
        raise ValueError("expected one of my own inputs")
    return x.flatten(1)[:, :3]


def random(x: Tensor) -> Tensor:
    return (x + torch.rand_like(x)).flatten(1)[:, :3]


@pytest.mark.parametrize("network", [coupled, one_by_one, picky, random])
def test_a_network_whose_rows_depend_on_others_is_known(network: Callable[[Tensor], Tensor]) -> None:
    model = cl.Classifier(network, (0, 1))
    with same_bits(model, points(2)) as shared:
        assert not shared and model.fewest_rows == 1


def test_finding_out_is_no_cost_of_the_caller() -> None:
    model = cl.Classifier(small_network())
    with same_bits(model, points(1)):
        assert (model.meter.forward, model.meter.backward) == (0, 0)
        model.logits(points(3))
    assert model.meter.forward == 3  # what was filled up is not counted


def test_nothing_is_filled_up_where_memory_holds_a_few_rows_only() -> None:
    with same_bits(cl.Classifier(small_network(), micro_batch=8), points(1)) as shared:
        assert not shared


def test_an_empty_batch_stays_empty() -> None:
    assert fill_up(points(0), 4).shape == (0, *SHAPE)
