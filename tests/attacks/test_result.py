"""`Witnesses` keeps the nearest of what is offered; the public record is plain."""

import json
import math

import pytest
import torch

from clearance.attacks import AttackResult, Witnesses
from clearance.geometry.norms import vector_norm
from clearance.model.cost import Cost


@pytest.mark.parametrize("norm", [1.0, 1.5, 2.0, math.inf])
def test_the_nearest_offer_is_kept(norm: float):
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(6, 2, 3, generator=draw, dtype=torch.float64)
    found = Witnesses(x, norm)
    offers = [x + torch.randn(6, 2, 3, generator=draw, dtype=torch.float64) for _ in range(9)]
    masks = [torch.rand(6, generator=draw) < 0.4 for _ in offers]
    for points, reached in zip(offers, masks, strict=True):
        found.offer(points, reached)
    for row in range(6):
        chances = [(vector_norm(y - x, norm)[row], y[row]) for y, mask in zip(offers, masks, strict=True) if mask[row]]
        nearest = min(chances, key=lambda pair: float(pair[0]), default=(torch.tensor(math.inf), x[row]))
        assert found.distance[row] == nearest[0] and torch.equal(found.adversarial[row], nearest[1])
    assert torch.equal(found.success, found.distance.isfinite())


def test_absorbing_keeps_the_nearer_of_two():
    x = torch.zeros(3, 2)
    one, other = Witnesses(x, 2.0), Witnesses(x, 2.0)
    one.offer(torch.full((3, 2), 1.0), torch.tensor([True, True, False]))
    other.offer(torch.full((3, 2), 0.5), torch.tensor([True, False, False]))
    one.absorb(other)
    assert one.adversarial[:, 0].tolist() == [0.5, 1.0, 0.0] and one.success.tolist() == [True, True, False]


def test_a_point_that_is_not_finite_is_no_witness():
    found = Witnesses(torch.zeros(2, 2), 2.0)
    found.offer(torch.tensor([[math.nan, 0.0], [math.inf, 0.0]]), torch.tensor([True, True]))
    assert not found.success.any() and not found.adversarial.any()


def test_the_record_is_plain_json():
    result = AttackResult(None, math.inf, False, 3, "none", Cost(forward=2), {"ddn": math.inf, "pgd": 0.5})
    record = json.loads(json.dumps(result.as_record(), allow_nan=False))
    assert record["distance"] is None and record["distances"] == {"ddn": None, "pgd": 0.5}
    assert record["method"] == "none" and record["predicted"] == 3 and record["cost"]["forward"] == 2
