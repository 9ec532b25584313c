"""Which inputs: places as they are written, counted, and of which class."""

import numpy as np
import pytest

from clearance.data.selection import MOST_PLACES, choose_rows, class_index, in_words, of_classes, read_indices
from clearance.errors import InputError


class TestRows:
    def test_count_and_offset_count_among_others(self):
        assert choose_rows(10, "x", count=2, offset=1, among=[3, 5, 8, 9]) == [5, 8]
        assert choose_rows(3, "x") == [0, 1, 2]

    @pytest.mark.parametrize(
        ("choice", "message"),
        [
            ({"indices": [3, 10]}, "indices: expected 0 to 9 for x, got 10"),
            ({"indices": [-1]}, "got -1"),
            ({"indices": []}, "at least one place of x, got none"),
            ({"indices": [4, 2, 4]}, "each place of x once, got 4 again"),
            ({"count": 3, "among": [1, 2]}, "count: expected 1 to 2 for x from offset 0, got 3"),
            ({"offset": 2, "among": [1, 2]}, "offset: expected 0 to 1 for x, got 2"),
        ],
    )
    def test_what_is_not_there_is_refused(self, choice: dict, message: str):
        with pytest.raises(InputError, match=message):
            choose_rows(10, "x", **choice)


class TestClasses:
    LABELS = np.array([2, 0, 1, 2, 0])

    def test_by_name_and_by_index(self):
        assert of_classes(self.LABELS, ["cat", 2], ("cat", "dog", "owl"), "x") == [0, 1, 3, 4]
        assert of_classes(self.LABELS, ["1"], (), "x") == [2]

    def test_a_name_that_is_a_number_comes_first(self):
        assert class_index("1", ("1", "0")) == 0 and class_index("1", ("a", "b")) == 1

    @pytest.mark.parametrize(
        ("wanted", "names", "message"),
        [
            ("cow", ("cat", "dog", "owl"), "one of its 3 class names or an index .* got 'cow', no such class"),
            ("3", ("cat", "dog", "owl"), "got '3', no such class"),
            ("7", (), "a class index .* got '7', a class without inputs there"),
            ("-1", (), "got '-1', no such class"),
        ],
    )
    def test_what_is_not_there_is_refused(self, wanted: str, names: tuple[str, ...], message: str):
        with pytest.raises(InputError, match=message):
            of_classes(self.LABELS, [wanted], names, "x")


class TestPlaces:
    @pytest.mark.parametrize("text", ["", "a", "1,", "3-1", "1--2", "-1", "1.5", "²", "1 2"])
    def test_other_text_is_refused(self, text: str):
        with pytest.raises(InputError, match="expected places such as 3,17,40-44"):
            read_indices(text)

    def test_no_list_fills_the_memory(self):
        with pytest.raises(InputError, match="at most 10,000,000 places"):
            read_indices(f"0-{MOST_PLACES}")
        assert read_indices("999999999998-999999999999") == [999999999998, 999999999999]

    def test_words_read_back(self):
        places = [5, 1, 2, 3, 9, 8]
        assert in_words(places) == "5, 1 to 3, 9, 8"
        assert read_indices(in_words(places).replace(" to ", "-")) == places
