"""Columns of a table as features: the label, bounds, fixed coordinates, class names."""

from pathlib import Path

import numpy as np
import pytest
import torch

from clearance.data.datasets import Dataset, load
from clearance.errors import InputError

PEOPLE = "age,smoker,income,sick\n30,yes,1.5,0\n50,no,2.5,1\n70,YES,9.25,1\n"


def read(folder: Path, text: str = PEOPLE, **choices: object) -> Dataset:
    (folder / "people.csv").write_text(text)
    return load(folder / "people.csv", **choices)


class TestLabels:
    @pytest.mark.parametrize("name", ["label", "Class", "target", "y"])
    def test_usual_names(self, tmp_path: Path, name: str):
        found = read(tmp_path, f"{name},a,b\n1,3,4\n0,5,6\n")
        assert found.labels.tolist() == [1, 0] and found.feature_names == ("a", "b")
        assert found.notes[0] == f"the label is the column '{name}' (--label NAME names another)"

    def test_else_the_last_column_and_a_note(self, tmp_path: Path):
        found = read(tmp_path)
        assert found.labels.tolist() == [0, 1, 1] and found.class_names == ()
        assert "'sick', the last, as none is called label, class, target, y" in found.notes[0]

    def test_a_name_that_is_asked_for(self, tmp_path: Path):
        found = read(tmp_path, label="smoker")
        assert found.class_names == ("YES", "no", "yes") and found.labels.tolist() == [2, 1, 0]
        with pytest.raises(InputError, match=r"label: expected a column of .* \(age, smoker, income, sick\), got 'x'"):
            read(tmp_path, label="x")

    def test_names_in_the_order_of_the_model(self, tmp_path: Path):
        text = "a,y\n1,dog\n2,cat\n"
        assert read(tmp_path, text).labels.tolist() == [1, 0]
        found = read(tmp_path, text, class_names=("dog", "cow", "cat"))
        assert found.labels.tolist() == [0, 2] and found.class_names == ("dog", "cow", "cat")
        assert read(tmp_path, text, class_names=("class 0", "class 1")).class_names == ("cat", "dog")
        with pytest.raises(InputError, match="or as many of other names, got 2, among them 'cat'"):
            read(tmp_path, text, class_names=("dog", "cow", "owl"))

    def test_other_names_than_the_model_s_are_said_and_some_of_them_refused(self, tmp_path: Path):
        text = "a,y\n1,paid\n2,default\n"
        with pytest.raises(InputError, match="expected the classes of the model, default, repaid, got 'paid'"):
            read(tmp_path, text, class_names=("default", "repaid"))
        others = read(tmp_path, text, class_names=("bad", "good"))
        assert others.labels.tolist() == [1, 0] and others.class_names == ("default", "paid")
        assert others.notes[-1].endswith(
            "are other names than the model's, bad, good: both are taken in their own order"
        )
        assert "other names" not in str(read(tmp_path, text, class_names=("LABEL_0", "LABEL_1")).notes)

    def test_whole_numbers_that_the_model_s_classes_are_called_by(self, tmp_path: Path):
        found = read(tmp_path, "a,y\n1,-1\n2,1\n3,1\n", class_names=("-1", "1"))
        assert found.labels.tolist() == [0, 1, 1] and found.class_names == ("-1", "1")
        assert read(tmp_path, "a,y\n1,1\n2,2\n", class_names=("1", "2", "3")).labels.tolist() == [0, 1]
        assert read(tmp_path, "a,y\n1,0\n2,1\n", class_names=("1", "2")).labels.tolist() == [0, 1]

    @pytest.mark.parametrize("text", ["a,b\n1,2.5\n2,3.5\n", "kind,a\nred,1\nblue,0\n"])
    def test_an_error_says_which_column_was_taken(self, tmp_path: Path, text: str):
        with pytest.raises(InputError, match=r"the last, as none is called label, .* \(--label NAME names another\)$"):
            read(tmp_path, text)

    def test_whole_numbers_with_a_point(self, tmp_path: Path):
        assert read(tmp_path, "a,y\n1,2.0\n2,0.0\n").labels.tolist() == [2, 0]


class TestBounds:
    def test_the_range_of_each_column_in_the_whole_file(self, tmp_path: Path):
        found = read(tmp_path, count=1, offset=1)
        low, high = found.bounds
        assert (low.tolist(), high.tolist()) == ([30, 0, 1.5], [70, 1, 9.25])
        assert found.images.tolist() == [[50, 0, 2.5]] and found.total == 3

    def test_a_file_of_bounds(self, tmp_path: Path):
        (tmp_path / "bounds.csv").write_text("feature,low,high\nincome,0,100\nage,18,99\n")
        low, high = read(tmp_path, bounds_file=tmp_path / "bounds.csv").bounds
        assert (low.tolist(), high.tolist()) == ([18, 0, 0], [99, 1, 100])

    def test_what_a_file_of_bounds_lacks_or_leaves_outside_is_said(self, tmp_path: Path):
        (tmp_path / "bounds.csv").write_text("feature,low,high\nage,18,60\nsmoker,0,1\n")
        notes = read(tmp_path, bounds_file=tmp_path / "bounds.csv").notes
        assert any(note.endswith("has no bounds of income: the range of the column is taken") for note in notes)
        assert "age: 1 of 3 values lie outside its bounds 18, 60" in notes

    @pytest.mark.parametrize(
        ("lines", "message"),
        [
            ("sick,0,1", "bounds.csv, line 2: expected each feature of the data once, got 'sick', which is none"),
            ("age,0,1\nage,0,2", "line 3: expected each feature of the data once, got 'age', again"),
            ("age,1,0", "line 2: expected low <= high for 'age', got 1 and 0"),
            ("age,x,0", "line 2: expected numbers in the column 'low'"),
        ],
    )
    def test_a_file_of_bounds_that_says_something_else(self, tmp_path: Path, lines: str, message: str):
        (tmp_path / "bounds.csv").write_text(f"feature,low,high\n{lines}\n")
        with pytest.raises(InputError, match=message):
            read(tmp_path, bounds_file=tmp_path / "bounds.csv")

    def test_constant_columns(self, tmp_path: Path):
        low, high = read(tmp_path, "a,b,y\n5,1.5,0\n5,2.5,1\n").bounds
        assert low.tolist() == [5, 1.5] and high.tolist() == [5, 2.5]
        assert read(tmp_path, "a,b,y\n5,1.5,0\n").bounds is None


class TestFixed:
    @pytest.mark.parametrize(
        ("values", "numbers"),
        [
            (("true", "False"), [1, 0]),
            (("yes", "no"), [1, 0]),
            (("1", "0"), [1, 0]),
            (("Yes", "0"), [1, 0]),
            (("1.0", "0.0"), [1, 0]),
            (("1.", "0.000"), [1, 0]),
            (("0", "0"), [0, 0]),
        ],
    )
    def test_columns_of_two_values_are_fixed(self, tmp_path: Path, values: tuple[str, str], numbers: list[int]):
        found = read(tmp_path, f"a,b,y\n{values[0]},1.5,0\n{values[1]},2.5,1\n")
        assert found.images[:, 0].tolist() == numbers and found.fixed.tolist() == [True, False]
        assert found.notes[1].startswith("fixed, as they hold two values only: a (--movable")

    @pytest.mark.parametrize("values", [("0", "2"), ("1", "0.5")])
    def test_other_numbers_move(self, tmp_path: Path, values: tuple[str, str]):
        assert read(tmp_path, f"a,b,y\n{values[0]},1.5,0\n{values[1]},2.5,1\n").fixed is None

    def test_the_name_that_was_meant_is_asked_for(self, tmp_path: Path):
        for choices in ({"label": "smokr"}, {"fixed": ["smokr"]}, {"movable": ["smokr"]}):
            with pytest.raises(InputError, match=r"got 'smokr'; did you mean 'smoker'\?$"):
                read(tmp_path, **choices)

    def test_two_other_values_move_and_a_note_says_so(self, tmp_path: Path):
        text = "a,b,y\n1,1.5,0\n2,2.5,1\n2,3.5,1\n"
        (_, note) = read(tmp_path, text).notes
        assert note == "of two values other than 0 and 1, and may move: a (--fixed NAME,... holds them)"
        assert len(read(tmp_path, text, movable=["a"]).notes) == len(read(tmp_path, text, movable=["all"]).notes) == 1

    def test_flags(self, tmp_path: Path):
        assert read(tmp_path, movable=["smoker"]).fixed is None
        assert read(tmp_path, fixed=["age"]).fixed.tolist() == [True, True, False]
        assert read(tmp_path, fixed=["all"], movable=["age"]).fixed.tolist() == [False, True, True]
        assert read(tmp_path, "a,b,y\n1,0,0\n0,1,1\n", movable=["all"]).fixed is None

    @pytest.mark.parametrize(
        ("choices", "message"),
        [
            ({"fixed": ["x"]}, r"fixed: expected features of .* \(age, smoker, income\), got 'x'"),
            ({"movable": ["sick"]}, "movable: expected features of .*, got 'sick'"),
            ({"fixed": ["age"], "movable": ["age"]}, "other columns than in movable, got 'age' in both"),
            ({"fixed": ["all"]}, "a feature of .* that can move, got all of them fixed"),
        ],
    )
    def test_flags_that_cannot_be_used(self, tmp_path: Path, choices: dict, message: str):
        with pytest.raises(InputError, match=message):
            read(tmp_path, **choices)


@pytest.mark.parametrize("name", ["breast_cancer", "wine"])
def test_tables_of_scikit_learn_come_back(tmp_path: Path, name: str):
    import sklearn.datasets

    bunch = getattr(sklearn.datasets, f"load_{name}")()
    header = ",".join([*(text.replace(" ", "_") for text in bunch.feature_names), "target"])
    lines = zip(bunch.data.tolist(), bunch.target_names[bunch.target], strict=True)
    rows = [f"{','.join(map(repr, values))},{kind}" for values, kind in lines]
    found = read(tmp_path, "\n".join([header, *rows]))
    np.testing.assert_array_equal(found.images, bunch.data.astype(np.float32))
    assert [found.class_names[label] for label in found.labels] == [bunch.target_names[label] for label in bunch.target]
    low, high = found.bounds
    assert torch.equal(low, found.images.amin(0)) and torch.equal(high, found.images.amax(0))


def test_no_feature_at_all(tmp_path: Path):
    with pytest.raises(InputError, match="a column of labels and at least one more, got 'y' alone"):
        read(tmp_path, "y\n1\n")


def test_what_is_no_truth_value_is_named(tmp_path: Path):
    with pytest.raises(InputError, match=r"line 3: expected yes or no in the column 'home', got 'maybe'"):
        read(tmp_path, "home,y\nno,0\nmaybe,1\nyes,1\n")
