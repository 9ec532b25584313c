"""Which inputs the audits of a run walk to: chosen from the whole set, whatever the run takes."""

import numpy as np

from clearance.runs.references import MOST_REFERENCES, reference_places


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
