"""What every reader does: paths in words, pickles refused, images in their units, labels as class indices."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from clearance.data.files import (
    check_labels,
    described,
    path_kind,
    refuse_pickle,
    require_file,
    scale_images,
)
from clearance.errors import DtypeError, FileError, InputError, PickleRefusedError, ShapeError
from data_writers import IMAGES, write_idx, write_npz


class TestPaths:
    def test_kinds(self, tmp_path: Path):
        (tmp_path / "a").write_text("x")
        assert path_kind(tmp_path / "a") == "file" and path_kind(tmp_path) == "folder"
        assert path_kind(Path("/dev/null")) == "other"
        for name in ("absent", "x" * 300, "a\0b"):
            assert path_kind(tmp_path / name) == "none"

    def test_a_plain_file_is_required(self, tmp_path: Path):
        (tmp_path / "a").write_text("x")
        require_file(tmp_path / "a")
        with pytest.raises(FileError, match="b: no such file"):
            require_file(tmp_path / "b")
        with pytest.raises(FileError, match="is no plain file"):
            require_file(tmp_path)

    def test_a_file_that_may_not_be_read(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        (tmp_path / "a").write_text("x")
        monkeypatch.setattr("clearance.data.files.os.access", lambda *_: False)  # root may read everything
        with pytest.raises(FileError, match="no permission to read it"):
            require_file(tmp_path / "a")

    def test_where_nobody_may_look(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        def refuse(*_: object, **__: object):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "stat", refuse)  # root may look everywhere
        with pytest.raises(FileError, match="a: no permission to look for this file"):
            require_file(tmp_path / "a")

    def test_what_lies_there(self, tmp_path: Path):
        (tmp_path / "full").write_text("x")
        (tmp_path / "empty").touch()
        (tmp_path / "link").symlink_to("gone")
        found = {name: described(tmp_path / name) for name in ("full", "empty", "", "link", "gone", "a\0b", "x" * 300)}
        nothing = "no such folder"
        assert found == {
            "full": "a file",
            "empty": "an empty file",
            "": "a folder",
            "link": f"{nothing}, only a link that leads nowhere",
            **dict.fromkeys(("gone", "a\0b", "x" * 300), nothing),
        }
        assert described(Path("/dev/null")) == "something that is no plain file"


class TestPickles:
    @pytest.mark.parametrize("name", ["a.pkl", "a.PT", "a.ckpt", "a.joblib", "a.th"])
    def test_by_name_whether_the_file_is_there_or_not(self, tmp_path: Path, name: str):
        with pytest.raises(PickleRefusedError, match=r"is a pickle, which can run code when loaded; write idx$"):
            refuse_pickle(tmp_path / name, instead="write idx")

    @pytest.mark.parametrize("protocol", [2, 3, 4, 5])
    def test_by_content(self, tmp_path: Path, protocol: int):
        (tmp_path / "a.npz").write_bytes(pickle.dumps({"images": 1}, protocol=protocol))
        with pytest.raises(PickleRefusedError):
            refuse_pickle(tmp_path / "a.npz", instead="")

    def test_inside_an_archive(self, tmp_path: Path):
        torch.save({"images": 1}, tmp_path / "a.npz")
        with pytest.raises(PickleRefusedError):
            refuse_pickle(tmp_path / "a.npz", instead="")

    def test_other_files_are_none(self, tmp_path: Path):
        save_file({"a": torch.zeros(2)}, tmp_path / "a.safetensors")
        (tmp_path / "empty").write_bytes(b"")
        (tmp_path / "broken.zip").write_bytes(b"PK\5\6" + bytes(18))
        write_idx(tmp_path / "idx", IMAGES)
        write_npz(tmp_path / "a.npz", images=IMAGES)
        for name in ("a.safetensors", "empty", "broken.zip", "idx", "a.npz", "absent"):
            refuse_pickle(tmp_path / name, instead="")


class TestImages:
    def test_bytes_are_divided_by_255(self):
        found, scale = scale_images(np.array([[0, 51, 255]], dtype=np.uint8), source="s")
        assert found.dtype == np.float32 and scale == 255
        np.testing.assert_allclose(found, [[0.0, 0.2, 1.0]], rtol=1e-6)

    @pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
    def test_floats_are_kept(self, dtype: type):
        found, scale = scale_images(np.array([[-2.5, 300.0]], dtype=dtype), source="s")
        assert scale == 1 and found.dtype == np.float32 and found.tolist() == [[-2.5, 300.0]]

    @pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int64])
    @pytest.mark.parametrize("bounds", [(0.0, 255.0), (-1.0, 300.0)])
    def test_whole_numbers_with_bounds_of_their_own_are_kept(self, dtype: type, bounds: tuple[float, float]):
        found, scale = scale_images(np.array([[0, 51, 255]], dtype=dtype), source="s", bounds=bounds)
        assert (found.tolist(), found.dtype, scale) == ([[0.0, 51.0, 255.0]], np.float32, 1.0)

    def test_the_bounds_0_and_1_divide_pixels_and_keep_other_whole_numbers(self):
        pixels, scale = scale_images(np.array([[0, 255]], dtype=np.uint8), source="s", bounds=(0.0, 1.0))
        assert (pixels.tolist(), scale) == ([[0.0, 1.0]], 255)
        truths, scale = scale_images(np.array([[0, 1]], dtype=np.int64), source="s", bounds=(0.0, 1.0))
        assert (truths.tolist(), scale) == ([[0.0, 1.0]], 1)

    @pytest.mark.parametrize("bounds", [None, (0.0, 1.0)])
    def test_pixels_that_look_divided_already(self, bounds: tuple[float, float] | None):
        with pytest.raises(InputError, match="up to 255, which are divided by it, or floats, got uint8 with no value"):
            scale_images(np.array([[0, 1]], dtype=np.uint8), source="s", bounds=bounds)
        assert scale_images(np.zeros((1, 2), dtype=np.uint8), source="s", bounds=bounds)[0].tolist() == [[0.0, 0.0]]

    def test_whole_numbers_that_float32_does_not_hold(self):
        with pytest.raises(InputError, match=r"whole numbers that float32 holds, up to 2\^24, got larger ones"):
            scale_images(np.array([[2**24 + 1]]), source="s", bounds=(0.0, 1e9))

    @pytest.mark.parametrize(
        ("images", "error", "message"),
        [
            (np.zeros(3), ShapeError, r"s: expected images of shape \(count, \*input\), not empty, got \(3,\)"),
            (np.zeros((0, 3)), ShapeError, r"got \(0, 3\)"),
            (np.zeros((2, 0)), ShapeError, r"got \(2, 0\)"),
            (np.zeros((1, 1), dtype=np.int32), DtypeError, "got int32"),
            (np.zeros((1, 1), dtype=complex), DtypeError, "got complex128"),
            (np.array([[0.0], [np.inf]]), InputError, "NaN or infinity in image 1"),
            (np.array([[-1e39]]), InputError, "NaN or infinity in image 0"),
        ],
    )
    def test_other_images_are_refused(self, images: np.ndarray, error: type, message: str):
        with pytest.raises(error, match=message):
            scale_images(images, source="s")


class TestLabels:
    @pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint32, np.int64])
    def test_whole_numbers_of_any_size(self, dtype: type):
        found = check_labels(np.array([3, 0], dtype=dtype), count=2, source="s")
        assert found.dtype == np.int64 and found.tolist() == [3, 0]

    @pytest.mark.parametrize(
        ("labels", "error", "message"),
        [
            (np.array([0.0]), DtypeError, "s: expected labels as integer class indices, got float64"),
            (np.array([True]), DtypeError, "got bool"),
            (np.array([1, 2]), ShapeError, r"one label for each of 1 images, shape \(1,\), got \(2,\)"),
            (np.array([[1]]), ShapeError, r"got \(1, 1\)"),
            (np.array([-4]), InputError, "expected labels >= 0, got -4 for image 0"),
            (np.array([2**64 - 1], dtype=np.uint64), InputError, "expected labels >= 0"),
        ],
    )
    def test_other_labels_are_refused(self, labels: np.ndarray, error: type, message: str):
        with pytest.raises(error, match=message):
            check_labels(labels, count=1, source="s")
