"""Means over windows and dimensions: against torch and their matrices."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from clearance import Classifier, certify
from layer_cases import Function, check_affine

CASES: dict[str, nn.Module] = {
    "windows": nn.AvgPool2d(2),
    "overlapping": nn.AvgPool2d(3, 1),
    "padded": nn.AvgPool2d(3, 2, padding=1),
    "padding not counted": nn.AvgPool2d(3, 2, padding=1, count_include_pad=False),
    "another divisor": nn.AvgPool2d(2, divisor_override=3),
    "a negative divisor": nn.AvgPool2d(2, divisor_override=-3),
    "a negative divisor, padded": nn.AvgPool2d(3, 2, padding=1, ceil_mode=True, divisor_override=-1),
    "a negative divisor as a function": Function(lambda x: functional.avg_pool2d(x, 2, divisor_override=-5)),
    "rounded up": nn.AvgPool2d(3, 2, ceil_mode=True),
    "to a size": nn.AdaptiveAvgPool2d((2, 3)),
    "as a function": Function(lambda x: functional.avg_pool2d(x, 2, stride=1)),
    "to a size as a function": Function(lambda x: functional.adaptive_avg_pool2d(x, 1)),
    "mean": Function(lambda x: x.mean((2, 3))),
    "mean of a side": Function(lambda x: x.mean(-1, keepdim=True)),
    "torch.mean": Function(lambda x: torch.mean(x, 1)),
    "sum": Function(lambda x: x.sum((2, 3))),
    "torch.sum": Function(lambda x: torch.sum(x, dim=1, keepdim=True)),
}
SEQUENCES: dict[str, nn.Module] = {
    "windows": nn.AvgPool1d(2),
    "padded": nn.AvgPool1d(3, 2, padding=1, count_include_pad=False),
    "rounded up": nn.AvgPool1d(3, 2, ceil_mode=True),
    "to a size": nn.AdaptiveAvgPool1d(3),
    "as a function": Function(lambda x: functional.avg_pool1d(x, 2, 1)),
    "to a size as a function": Function(lambda x: functional.adaptive_avg_pool1d(x, 4)),
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_sequences_are_their_matrix(name: str):
    check_affine(SEQUENCES[name], (2, 7))


@pytest.mark.parametrize("name", CASES)
def test_it_is_its_matrix(name: str):
    check_affine(CASES[name], (2, 4, 5))


def test_a_sum_over_the_batch_is_refused():
    for function in (lambda x: x - x.sum(0, keepdim=True), lambda x: x - x.sum()):
        (proof,) = certify(Classifier(Function(function), micro_batch=2), torch.rand(1, 2, 4, 5))
        assert proof.status == "unsupported" and "sum" in proof.reason


@pytest.mark.parametrize("function", [lambda x: x - x.mean(0, keepdim=True), lambda x: x.mean((-4,), keepdim=True)])
def test_a_mean_over_the_batch_is_refused(function: object):
    (proof,) = certify(Classifier(Function(function), micro_batch=2), torch.rand(1, 2, 4, 5))  # type: ignore[arg-type]
    assert proof.status == "unsupported" and "a mean over the batch" in proof.reason
