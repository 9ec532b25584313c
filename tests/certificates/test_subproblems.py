"""Subproblems: what they hold, and that the parts of one cover it."""

import torch

from clearance.certificates.subproblems import Subproblems


def two() -> Subproblems:
    signs = torch.tensor([[0, 0, 1], [0, -1, 0]], dtype=torch.int8)
    return Subproblems(torch.eye(2), signs, torch.tensor([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]))


def test_the_parts_of_one_have_every_pattern_of_the_split_units():
    found = two().split(torch.tensor([[0, 1], [2, 0]]))
    assert len(found) == 8
    first, second = found.signs.split(4)
    assert sorted(first.tolist()) == [[-1, -1, 1], [-1, 1, 1], [1, -1, 1], [1, 1, 1]]
    assert sorted(second.tolist()) == [[-1, -1, -1], [-1, -1, 1], [1, -1, -1], [1, -1, 1]]
    assert torch.equal(found.rows, torch.eye(2).repeat_interleave(4, 0))


def test_the_multiplier_of_a_new_constraint_is_zero_and_the_others_stay():
    found = two().split(torch.tensor([[1], [2]]))
    expected = torch.tensor([[0.1, 0.0, 0.3], [0.1, 0.0, 0.3], [0.4, 0.5, 0.0], [0.4, 0.5, 0.0]])
    assert torch.equal(found.multipliers, expected)


def test_some_and_joined():
    given = two()
    twice = given.joined(given.some(torch.tensor([False, True])))
    assert len(twice) == 3 and torch.equal(twice.signs[2], given.signs[1])
    assert given.to(torch.float64).multipliers.dtype == torch.float64
