"""`.npz` archives read back what NumPy wrote, and what is damaged or a pickle is refused by name."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from clearance.data.datasets import load
from clearance.data.npz import read_npz
from clearance.errors import FileError, InputError, PickleRefusedError, ShapeError
from data_writers import IMAGES, LABELS, write_npz


class TestNpz:
    def test_what_is_asked_for_comes_back(self, tmp_path: Path):
        path = write_npz(tmp_path / "a.npz", images=IMAGES, labels=LABELS, other=[1.0], bounds=[0, 1])
        found = read_npz(path, required=("images", "labels"), optional=("bounds", "class_names"))
        assert set(found) == {"images", "labels", "bounds"}
        np.testing.assert_array_equal(found["images"], IMAGES)
        assert found["labels"].dtype == np.uint8 and found["bounds"].tolist() == [0, 1]

    def test_a_required_name_that_is_absent(self, tmp_path: Path):
        path = write_npz(tmp_path / "a.npz", images=IMAGES)
        said = r"expected arrays images, labels; got images; numpy.savez\(.*, images=…, labels=…\) writes them"
        with pytest.raises(FileError, match=said):
            read_npz(path, required=("images", "labels"))

    def test_python_objects_are_refused(self, tmp_path: Path):
        path = write_npz(tmp_path / "a.npz", images=np.array([{}], dtype=object))
        with pytest.raises(PickleRefusedError, match="an array holds Python objects"):
            read_npz(path, required=("images",))

    def test_damage_inside_an_archive(self, tmp_path: Path):
        path = write_npz(tmp_path / "a.npz", images=IMAGES)
        data = bytearray(path.read_bytes())
        data[150] ^= 0xFF  # in the array itself: its checksum no longer fits
        path.write_bytes(data)
        with pytest.raises(FileError, match=r"a\.npz: damaged"):
            read_npz(path, required=("images",))


class TestSizes:
    """An archive that states more than it holds takes no memory."""

    def write(self, path: Path, content: bytes) -> Path:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("images.npy", content)
        return path

    def header(self, shape: tuple[int, ...]) -> bytes:
        stream = io.BytesIO()
        np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
        return stream.getvalue()

    def test_ten_gigabytes_in_a_header(self, tmp_path: Path):
        path = self.write(tmp_path / "a.npz", self.header((10**10,)) + bytes(8))
        with pytest.raises(FileError, match=r"the shape .* of images needs 10,000,000,000 bytes, got 8"):
            read_npz(path, required=("images",))

    def test_a_zip_bomb(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("clearance.data.files.SMALL_BYTES", 1000)
        path = self.write(tmp_path / "a.npz", self.header((10**6,)) + bytes(10**6))
        with pytest.raises(FileError, match=r"a\.npz: expected at most 200 bytes of data for each stored byte"):
            read_npz(path, required=("images",))

    @pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
    def test_every_version_of_the_header(self, tmp_path: Path, version: tuple[int, int]):
        stream = io.BytesIO()
        np.lib.format.write_array(stream, IMAGES, version=version)
        found = read_npz(self.write(tmp_path / "a.npz", stream.getvalue()), required=("images",))
        np.testing.assert_array_equal(found["images"], IMAGES)


class TestFeatures:
    """Bounds, names and fixed coordinates of each feature."""

    VALUES = np.array([[0.5, 10.0, 1.0], [0.25, 20.0, 0.0]])
    LOW, HIGH = np.array([0.0, 0.0, 0.0]), np.array([1.0, 99.0, 1.0])

    @pytest.mark.parametrize("form", ["two rows", "two arrays", "a number and an array"])
    def test_bounds_of_each_feature(self, here: Path, form: str):
        given = {
            "two rows": {"bounds": np.stack([self.LOW, self.HIGH])},
            "two arrays": {"low": self.LOW, "high": self.HIGH},
            "a number and an array": {"low": 0, "high": self.HIGH},
        }[form]
        write_npz(Path("a.npz"), images=self.VALUES, labels=LABELS, **given)
        low, high = load("a.npz").bounds
        assert (low.tolist(), high.tolist()) == (self.LOW.tolist(), self.HIGH.tolist())

    def test_equal_bounds_are_two_numbers(self, here: Path):
        write_npz(Path("a.npz"), images=IMAGES / 23.0, labels=LABELS, low=np.zeros((3, 4)), high=np.ones((3, 4)))
        assert load("a.npz").bounds == (0.0, 1.0)

    def test_names_and_fixed_coordinates(self, here: Path):
        names, fixed = ["age", "income", "married"], [False, False, True]
        write_npz(Path("a.npz"), images=self.VALUES, labels=LABELS, feature_names=names, fixed=fixed)
        found = load("a.npz")
        assert found.feature_names == tuple(names) and found.fixed.tolist() == fixed

    @pytest.mark.parametrize(
        ("arrays", "error", "message"),
        [
            ({"low": 0}, InputError, "expected either bounds, or low and high, got low alone"),
            ({"low": 0, "high": 1, "bounds": [0, 1]}, InputError, "got low, high beside bounds"),
            ({"low": [0, 0], "high": 1}, ShapeError, r"expected low as a number or of shape \(3,\), got \(2,\)"),
            ({"low": [0, 0, 0], "high": [1, -1, 1]}, InputError, "low <= high for each feature, .* low above high"),
            ({"low": [0, 0, 0], "high": [1, np.nan, 1]}, InputError, "finite numbers"),
            ({"bounds": np.zeros((2, 2))}, InputError, r"shape \(2, \*input\), \(2, 3\), got \[\[0\.0"),
            ({"bounds": 3}, InputError, r"got 3"),
            ({"feature_names": ["a"]}, ShapeError, "a feature name for each of 3 values of an input, got 1"),
            ({"feature_names": [1, 2, 3]}, InputError, "feature_names as a list of text, got int64"),
            ({"fixed": [0, 1, 0]}, ShapeError, r"fixed as bool of shape \(3,\), got int64"),
            ({"fixed": [True] * 3}, InputError, "a coordinate that can move"),
            ({"class_names": ["only"]}, InputError, "labels 0 to 0, one of 1 classes, got 1 for image 0"),
        ],
    )
    def test_misuse_is_one_clear_line_with_the_file(self, here: Path, arrays: dict, error: type, message: str):
        write_npz(Path("bad.npz"), images=self.VALUES, labels=LABELS, **arrays)
        with pytest.raises(error, match=message) as caught:
            load("bad.npz")
        assert "bad.npz" in str(caught.value) and "\n" not in str(caught.value)
