"""Networks from files: how they take batches, and how far they may be from the file's own answers."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from clearance.errors import FileError
from clearance.zoo.batches import LARGEST_DIFFERENCE, Converted, FixedBatch, Settled, settle


class Apply(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def settled(network: Callable[[Tensor], Tensor], reference: Callable[[Tensor], Tensor], size: int | None) -> Settled:
    return settle(Apply(network), reference, (4,), size=size, dtype=torch.float32, source="n.file")


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7])
@pytest.mark.parametrize("count", [1, 3, 5, 6])
def test_a_fixed_batch_sees_that_many_at_a_time_and_gives_each_its_row(size: int, count: int):
    seen: list[int] = []

    def network(x: Tensor) -> Tensor:
        seen.append(len(x))
        return 2 * x

    x = torch.arange(4.0 * count).reshape(count, 4).requires_grad_()
    found = FixedBatch(Apply(network), size)(x)
    assert torch.equal(found, 2 * x) and set(seen) == {size} and len(seen) == -(-count // size)
    found[:, 0].sum().backward()
    assert torch.equal(x.grad, torch.tensor([2.0, 0, 0, 0]).expand(count, 4))  # copies that fill up count nothing


def test_equal_answers():
    found = settled(lambda x: x, lambda x: x, None)
    assert (found.difference, found.note) == (0, "") and isinstance(found.network, Apply)
    assert settled(lambda x: x, lambda x: x, 3).note == "written for batches of 3; takes any"


def test_the_difference_is_the_largest_one():
    found = settled(lambda x: x + 1e-5, lambda x: x, None)
    assert found.difference == pytest.approx(1e-5, rel=0.1)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1000.0])
def test_differences_above_the_tolerance_are_refused(scale: float):
    """Relative to the largest logit: here it is near `scale`."""
    settled(lambda x: scale * (x + 0.5 * LARGEST_DIFFERENCE), lambda x: scale * x, None)
    with pytest.raises(FileError, match=r"n\.file: expected the converted network to answer as the file does"):
        settled(lambda x: scale * (x + 2 * LARGEST_DIFFERENCE), lambda x: scale * x, None)


def test_a_network_that_mixes_its_batch_is_kept_at_the_size_of_the_file():
    def mixing(x: Tensor) -> Tensor:
        return x + x.sum(0)

    found = settled(mixing, mixing, 2)
    assert isinstance(found.network, FixedBatch) and found.note.startswith("takes 2 at a time")


def test_infinite_and_missing_values_must_agree():
    settled(lambda x: x / 0, lambda x: x / 0, None)
    settled(lambda x: x * torch.nan, lambda x: x * torch.nan, None)
    for one, other in ((torch.inf, 1), (1, torch.inf), (torch.nan, 1), (1, torch.nan), (torch.inf, -torch.inf)):
        with pytest.raises(FileError, match="got logits that differ"):
            settled(lambda x, one=one: x * one, lambda x, other=other: x * other, None)


def test_answers_of_another_shape():
    with pytest.raises(FileError, match=r"expected logits of shape \(8, classes\) for 8 inputs, got \(4, 8\)"):
        settled(lambda x: x, lambda x: x.T, None)
    with pytest.raises(FileError, match="differ by inf"):
        settled(lambda x: x[:, :2], lambda x: x, None)


def fails(x: Tensor) -> Tensor:
    raise ValueError("on\nthis")


def test_failures_are_one_line():
    with pytest.raises(FileError, match=r"random input of shape \(4,\); the file itself fails on it \(ValueError: on"):
        settled(lambda x: x, fails, None)
    with pytest.raises(FileError, match=r"the converted network fails on it \(ValueError: on this\)"):
        settled(fails, lambda x: x, 1)
    with pytest.raises(FileError, match=r"the converted network fails on it \(ValueError: on this\)"):
        settled(fails, lambda x: x, None)
    with pytest.raises(FileError, match=r"the converted network fails on one \(ValueError: on this\)"):
        settled(lambda x: x if len(x) > 1 else fails(x), lambda x: x, None)


def test_failing_steps_write_nothing(capsys: pytest.CaptureFixture[str]):
    steps = torch.fx.symbolic_trace(nn.Sequential(nn.Linear(2, 3)))
    assert torch.equal(Converted(steps)(torch.ones(1, 2)), steps(torch.ones(1, 2)))
    with pytest.raises(RuntimeError):
        Converted(steps)(torch.ones(1, 5))
    assert capsys.readouterr().err == ""
