"""Which inputs the audits of a run walk to: chosen from the whole set, whatever the run takes."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from clearance.data.dataset import Dataset, Source
from clearance.data.datasets import load
from clearance.model.classifier import Classifier
from clearance.runs.references import MOST_REFERENCES, choose_references, reference_places

MODEL = Classifier(torch.nn.Flatten(), (0, 1))


def test_every_class_is_there_whatever_the_order_of_the_set():
    labels = np.arange(1000) % 10
    for order in (np.arange(1000), np.argsort(labels, kind="stable"), np.random.default_rng(0).permutation(1000)):
        places = reference_places(labels[order])
        assert len(places) == MOST_REFERENCES and places == sorted(set(places))
        counts = np.bincount(labels[order][places])
        assert counts.min() == 6 and counts.max() == 7


def test_a_small_set_is_taken_whole_and_in_order():
    assert reference_places([3, 1, 1, 0, 3]) == [0, 1, 2, 3, 4] and reference_places([5]) == [0]


def test_of_more_classes_than_references_one_input_each():
    places = reference_places(np.repeat(np.arange(100), 3))
    assert places == list(range(0, 3 * MOST_REFERENCES, 3))


def test_inputs_at_the_end_of_a_set_change_nothing_where_each_class_had_enough():
    labels = np.arange(200) % 10
    assert reference_places(labels) == reference_places(np.concatenate([labels, labels[::-1]]))


@pytest.mark.parametrize("indices", [[5], [9, 2, 300]])
def test_they_are_those_of_the_whole_set_whichever_inputs_are_chosen(indices: list[int]):
    found = choose_references(load("digits", indices=indices), MODEL)
    whole = load("digits")
    assert torch.equal(found.images, whole.images[reference_places(whole.labels)]) and found.left_out == ""


def test_they_are_in_the_units_of_the_run():
    data = load("digits", count=2)
    stored = data.in_units_of((0, 16))
    found = choose_references(stored, Classifier(torch.nn.Flatten(), (0, 16)))
    assert found.left_out == "" and torch.equal(found.images, (16 * choose_references(data, MODEL).images).round())


def made(images: np.ndarray) -> Dataset:
    labels = np.zeros(len(images), dtype=np.int64)
    source = Source(lambda rows: images[list(rows)], labels, "made", (0.0, 1.0))
    return replace(source.take([0, 1]), whole=source)


def test_what_cannot_be_used_is_said_and_the_runs_own_inputs_are_taken():
    images = np.zeros((3, 1, 2, 2), dtype=np.float32)
    images[2] = 7.0
    data = made(images)
    found = choose_references(data, MODEL)
    assert torch.equal(found.images, data.images) and "expected values in [0, 1], got [0, 7]" in found.left_out
    larger = choose_references(replace(made(0 * images), images=torch.zeros(2, 1, 3, 3)), MODEL)
    assert larger.images.shape == (2, 1, 3, 3)
    assert larger.left_out == "expected inputs of shape (1, 3, 3), got (1, 2, 2) for others"


def test_without_a_whole_set_they_are_chosen_among_the_inputs():
    found = choose_references(replace(load("digits", count=100), whole=None), MODEL)
    assert len(found.images) == MOST_REFERENCES and found.left_out == ""
