"""Evaluation sets by name and from files, and what is refused on the way."""

import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from clearance.data.datasets import Dataset, load
from clearance.errors import ClearanceError, DtypeError, FileError, InputError, PickleRefusedError, ShapeError
from data_writers import IMAGES, LABELS, write_idx, write_npz


class TestDigits:
    def test_parts_are_disjoint_and_complete(self):
        test, train = load("digits"), load("digits", train=True)
        assert (len(test), len(train), test.name, train.name) == (360, 1437, "digits-test", "digits-train")
        assert set(test.labels.tolist()) == set(range(10)) and test.class_names == tuple("0123456789")

    def test_values_are_the_grey_levels_over_16(self):
        from sklearn.datasets import load_digits

        digits = load("digits", count=2, offset=1)
        assert digits.images.dtype == torch.float32 and digits.labels.dtype == torch.int64
        np.testing.assert_array_equal(digits.images[:, 0].numpy() * 16, load_digits().images[[5, 10]])

    def test_count_and_offset_choose_consecutive_images(self):
        whole, part = load("digits"), load("digits", count=4, offset=7)
        assert torch.equal(part.images, whole.images[7:11]) and torch.equal(part.labels, whole.labels[7:11])

    @pytest.mark.parametrize(("count", "offset"), [(0, 0), (-1, 0), (361, 0), (2, 359), (None, 360), (None, -1)])
    def test_more_than_there_is_is_refused(self, count, offset):
        with pytest.raises(InputError, match=r"expected .* for digits-test"):
            load("digits", count=count, offset=offset)


class TestMnist:
    def test_real_files(self, clearance_data: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("CLEARANCE_DATA", str(clearance_data))
        mnist = load("mnist")
        assert mnist.images.shape == (10000, 1, 28, 28) and mnist.bounds == (0.0, 1.0) and mnist.name == "mnist-test"
        assert mnist.labels.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
        assert (mnist.images.min().item(), mnist.images.max().item()) == (0.0, 1.0)

    def test_absent_folder_names_the_variable(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("CLEARANCE_DATA", str(tmp_path))
        with pytest.raises(FileError, match=r"mnist: no such folder; set CLEARANCE_DATA"):
            load("mnist")


class TestIdx:
    @pytest.mark.parametrize("compress", [False, True])
    def test_folder(self, tmp_path: Path, compress: bool):
        suffix = ".gz" if compress else ""
        for part, images in (("t10k", IMAGES), ("train", IMAGES[::-1])):
            write_idx(tmp_path / f"{part}-images-idx3-ubyte{suffix}", images, compress=compress)
            write_idx(tmp_path / f"{part}-labels-idx1-ubyte{suffix}", LABELS, compress=compress)
        test, train = load(tmp_path), load(tmp_path, train=True)
        assert test.images.shape == (2, 1, 3, 4) and test.name == f"{tmp_path.name}-test"
        np.testing.assert_allclose(test.images[:, 0].numpy() * 255, IMAGES, rtol=1e-6)
        assert torch.equal(train.images.flip(0), test.images)

    def test_pair(self, tmp_path: Path):
        pair = f"{write_idx(tmp_path / 'a', IMAGES)},{write_idx(tmp_path / 'b', LABELS)}"
        dataset = load(pair, count=1, offset=1)
        assert dataset.labels.tolist() == [0] and dataset.bounds == (0.0, 1.0)

    def test_missing_companion(self, tmp_path: Path):
        write_idx(tmp_path / "t10k-images-idx3-ubyte", IMAGES)
        with pytest.raises(FileError, match=r"expected t10k-labels-idx1-ubyte or .*\.gz, found neither"):
            load(tmp_path)

    @pytest.mark.parametrize(
        ("inside", "hint"),
        [
            ("cat/a.png", r"\(a folder of pictures is folder:.*things\)$"),
            ("a.png", r"\(a folder of pictures is folder:.*things\)$"),
            ("data-00000-of-00001.arrow", r"\(a data set of Hugging Face is hf:.*things\)$"),
            ("notes.txt", "found neither$"),
        ],
    )
    def test_another_kind_of_folder_is_named(self, tmp_path: Path, inside: str, hint: str):
        file = tmp_path / "things" / inside
        file.parent.mkdir(parents=True)
        file.write_bytes(b"x")
        with pytest.raises(FileError, match=hint):
            load(tmp_path / "things")


class TestNpz:
    def test_uint8_is_scaled_and_bounded(self, tmp_path: Path):
        dataset = load(write_npz(tmp_path / "set.npz", images=IMAGES * 10, labels=LABELS))
        np.testing.assert_allclose(dataset.images.numpy(), IMAGES * np.float64(10) / 255, rtol=1e-6)
        assert (dataset.name, dataset.bounds, dataset.images.shape) == ("set", (0.0, 1.0), (2, 3, 4))

    def test_floats_keep_their_units_and_have_no_bounds(self, tmp_path: Path):
        dataset = load(write_npz(tmp_path / "set.npz", images=np.array([[-3.5], [200.0]]), labels=LABELS))
        assert dataset.images.tolist() == [[-3.5], [200.0]] and dataset.bounds is None

    def test_bounds_and_class_names_are_read(self, tmp_path: Path):
        path = write_npz(
            tmp_path / "a.npz", images=np.zeros((2, 3)), labels=LABELS, bounds=[-1, 2], class_names=["x", "y"]
        )
        assert load(path).bounds == (-1.0, 2.0) and load(path).class_names == ("x", "y")

    @pytest.mark.parametrize(
        ("arrays", "error", "message"),
        [
            ({"images": IMAGES}, FileError, "expected arrays images, labels; got images"),
            ({}, FileError, "got none"),
            ({"images": IMAGES, "labels": [1, 2, 3]}, ShapeError, r"each of 2 images, shape \(2,\), got \(3,\)"),
            ({"images": IMAGES, "labels": [[1], [0]]}, ShapeError, r"got \(2, 1\)"),
            ({"images": IMAGES[:0], "labels": LABELS[:0]}, ShapeError, "not empty"),
            ({"images": np.zeros(2), "labels": LABELS}, ShapeError, r"\(count, \*input\)"),
            ({"images": IMAGES.astype(np.int64), "labels": LABELS}, DtypeError, "uint8 .* or floats .*, got int64"),
            ({"images": IMAGES > 0, "labels": LABELS}, DtypeError, "got bool"),
            ({"images": IMAGES, "labels": [0.0, 1.0]}, DtypeError, "integer class indices, got float64"),
            ({"images": IMAGES, "labels": [0, -1]}, InputError, "labels >= 0, got -1 for image 1"),
            ({"images": np.array([[0.0], [np.nan]]), "labels": LABELS}, InputError, "NaN or infinity in image 1"),
            ({"images": np.array([[1e300], [0.0]]), "labels": LABELS}, InputError, "NaN or infinity in image 0"),
            ({"images": np.array([[{}], [0]]), "labels": LABELS}, PickleRefusedError, "an array holds Python objects"),
            ({"images": IMAGES, "labels": LABELS, "bounds": [1, 0]}, InputError, r"low < high, got \[1, 0\]"),
            ({"images": IMAGES, "labels": LABELS, "bounds": ["a", "b"]}, InputError, "low < high"),
        ],
    )
    def test_misuse_is_one_clear_line_with_the_file(self, tmp_path: Path, arrays, error, message):
        path = write_npz(tmp_path / "bad.npz", **arrays)
        with pytest.raises(error, match=message) as caught:
            load(path)
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)

    @given(cut=st.integers(0, 600), flip=st.integers(0, 600))
    def test_damage_is_a_clearance_error_or_harmless(
        self, tmp_path_factory: pytest.TempPathFactory, cut: int, flip: int
    ):
        path = write_npz(tmp_path_factory.mktemp("npz") / "a.npz", images=IMAGES, labels=LABELS)
        data = bytearray(path.read_bytes())
        data[flip % len(data)] ^= 0xFF
        path.write_bytes(data[: len(data) - cut % len(data)])
        try:
            assert isinstance(load(path), Dataset)
        except ClearanceError as error:
            assert "\n" not in str(error)

    def test_truncated(self, tmp_path: Path):
        path = write_npz(tmp_path / "a.npz", images=IMAGES, labels=LABELS)
        path.write_bytes(path.read_bytes()[:200])
        with pytest.raises(FileError, match="damaged or of another kind"):
            load(path)


class TestUnits:
    """Images and bounds are in one unit, whatever the file is and whichever bounds are asked for."""

    PIXELS = (np.arange(24, dtype=np.uint8) * 11).reshape(2, 3, 4)

    @pytest.fixture(params=["npz", "npz with bounds", "pair", "gz", "folder", "mnist"])
    def source(self, here: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
        kind, folder = request.param, here / "mnist"
        if kind.startswith("npz"):
            bounds = {"bounds": np.array([0, 1])} if kind == "npz with bounds" else {}
            return str(write_npz(Path("set.npz"), images=self.PIXELS, labels=LABELS, **bounds))
        folder.mkdir()
        images = write_idx(folder / "t10k-images-idx3-ubyte", self.PIXELS, compress=kind == "gz")
        labels = write_idx(folder / "t10k-labels-idx1-ubyte", LABELS)
        monkeypatch.setenv("CLEARANCE_DATA", str(here))
        return {"pair": f"{images},{labels}", "gz": f"{images},{labels}", "folder": str(folder)}.get(kind, kind)

    def test_pixels_are_in_the_units_of_the_bounds(self, source: str):
        divided = load(source)
        assert divided.bounds == (0.0, 1.0) and divided.in_units_of((0, 1)) is divided
        assert divided.images.flatten()[-1].item() == np.float32(253) / np.float32(255)
        stored = divided.in_units_of((0, 255))
        assert stored.bounds == (0.0, 255.0) and stored.scale == 1
        np.testing.assert_array_equal(stored.images.reshape(2, 3, 4), self.PIXELS)
        assert stored.part(count=1, offset=1).bounds == (0.0, 255.0)
        for bounds in ((-1.0, 1.0), (0.0, 256.0), (0.0, 0.5)):
            with pytest.raises(InputError, match=r"expected 0 1 \(the stored values divided by 255\) or 0 255 "):
                divided.in_units_of(bounds)

    @pytest.mark.parametrize("bounds", [(0, 255), (0.0, 255.0), (-10, 300)])
    @pytest.mark.parametrize("dtype", [np.uint8, np.int32])
    def test_bounds_in_the_file_say_the_units(self, here: Path, bounds: tuple[float, float], dtype: type):
        write_npz(Path("a.npz"), images=self.PIXELS.astype(dtype), labels=LABELS, bounds=np.array(bounds))
        found = load("a.npz")
        assert found.bounds == bounds and found.scale == 1
        np.testing.assert_array_equal(found.images, self.PIXELS)

    def test_floats_have_units_of_their_own(self, here: Path):
        write_npz(Path("a.npz"), images=np.array([[0.25], [200.0]]), labels=LABELS, bounds=[0, 255])
        assert load("a.npz").images.tolist() == [[0.25], [200.0]] and load("a.npz").bounds == (0.0, 255.0)
        assert load("a.npz").in_units_of((0, 300)).bounds == (0.0, 255.0)  # the caller's own bounds hold

    def test_digits_are_stored_as_grey_levels(self):
        stored = load("digits", count=3).in_units_of((0, 16))
        assert stored.bounds == (0.0, 16.0) and torch.equal(stored.images, load("digits", count=3).images * 16)

    @pytest.mark.parametrize("bounds", [[-np.inf, np.inf], [0, np.inf], [-1e300, 1e300]])
    def test_bounds_that_float32_does_not_hold(self, here: Path, bounds: list[float]):
        write_npz(Path("a.npz"), images=self.PIXELS, labels=LABELS, bounds=bounds)
        with pytest.raises(InputError, match="expected bounds as two numbers, low < high"):
            load("a.npz")


class TestRefusals:
    @pytest.mark.parametrize("name", ["a.pkl", "a.pickle", "a.pt", "a.pth"])
    def test_pickles_by_name(self, here: Path, name: str):
        with pytest.raises(PickleRefusedError, match=r"is a pickle, .*numpy\.savez"):
            load(name)

    def test_pickles_by_content(self, here: Path):
        Path("a.npz").write_bytes(pickle.dumps({"images": 1}))
        torch.save({"images": 1}, "b.npz")
        for name in ("a.npz", "b.npz"):
            with pytest.raises(PickleRefusedError):
                load(name)
        with pytest.raises(PickleRefusedError):
            load("a.npz,b.npz")

    def test_nothing_is_unpickled(self, here: Path):
        class Touch:
            def __reduce__(self):
                return (os.mkdir, ("touched",))

        write_npz(Path("evil.npz"), images=np.array([Touch()], dtype=object), labels=LABELS[:1])
        with pytest.raises(PickleRefusedError):
            load("evil.npz")
        assert not Path("touched").exists()
        np.load("evil.npz", allow_pickle=True)["images"]  # the trap is live
        assert Path("touched").exists()

    def test_members_that_are_no_arrays(self, here: Path):
        with zipfile.ZipFile("a.npz", "w") as archive:
            archive.writestr("images.npy", b"text")
            archive.writestr("labels.npy", b"text")
        with pytest.raises(FileError, match=r"as numpy\.savez writes them"):
            load("a.npz")

    @pytest.mark.parametrize(
        ("data", "error", "message"),
        [
            ("cifar", FileError, r"cifar: no such file, and no set of that name \(there are: digits, mnist, "),
            ("a,b,c", InputError, "expected IMAGES,LABELS"),
            ("a,", InputError, "expected IMAGES,LABELS"),
            ("a,b", FileError, "a: no such file"),
            ("x" * 300, FileError, "x: no such file"),
            ("a\0b", FileError, "no such file"),
            ("notes.txt", FileError, r"expected a \.npz file, .* got '\.txt'"),
        ],
    )
    def test_unknown_sources(self, here: Path, data, error, message):
        Path("notes.txt").write_text("x")
        with pytest.raises(error, match=message):
            load(data)

    def test_train_of_a_file(self, here: Path):
        write_npz(Path("a.npz"), images=IMAGES, labels=LABELS)
        with pytest.raises(InputError, match=r"a\.npz has no training part"):
            load("a.npz", train=True)


class TestChoice:
    """Which inputs of a set, and what is known about them."""

    def test_indices_are_places_in_the_whole_set(self):
        whole, chosen = load("digits"), load("digits", indices=[7, 3, 300])
        assert chosen.indices == (7, 3, 300) and chosen.total == len(whole) == 360
        assert torch.equal(chosen.images, whole.images[[7, 3, 300]])
        assert load("digits", count=2, offset=4).part(count=1, offset=1).indices == (5,)

    def test_classes_are_counted_from_the_offset_on(self):
        whole, chosen = load("digits"), load("digits", classes=["3", 5], count=4, offset=2)
        places = [place for place, label in enumerate(whole.labels.tolist()) if label in (3, 5)]
        assert chosen.indices == tuple(places[2:6]) and set(chosen.labels.tolist()) <= {3, 5}

    @pytest.mark.parametrize("other", [{"count": 1}, {"offset": 1}, {"classes": ["1"]}])
    def test_indices_stand_alone(self, other: dict):
        with pytest.raises(InputError, match=f"indices: expected to stand alone, got {next(iter(other))} as well"):
            load("digits", indices=[1], **other)

    @pytest.mark.parametrize(("option", "value"), [("resize", 8), ("crop", (4, 4)), ("label", "x"), ("fixed", ("x",))])
    def test_an_option_of_another_kind_of_data(self, option: str, value: object):
        with pytest.raises(InputError, match=rf"{option}: expected data of another kind \(.*\); digits has no use for"):
            load("digits", **{option: value})

    def test_named_folders(self, tmp_path: Path):
        write_idx(tmp_path / "t10k-images-idx3-ubyte", IMAGES)
        write_idx(tmp_path / "t10k-labels-idx1-ubyte", LABELS)
        assert load(f"mnist:{tmp_path}").class_names == tuple("0123456789")
        fashion = load(f"fashion-mnist:{tmp_path}", classes=["Trouser"])
        assert fashion.indices == (0,) and fashion.class_names[9] == "Ankle boot"
        write_idx(tmp_path / "t10k-labels-idx1-ubyte", np.array([1, 10]))
        with pytest.raises(InputError, match="labels 0 to 9, one of 10 classes, got 10 for image 1"):
            load(f"mnist:{tmp_path}")
