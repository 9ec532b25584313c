"""CIFAR-10 in its three forms: tiny files of each give the same pixels, and the real ones those of another reader."""

import importlib.util
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clearance.data.datasets import load
from clearance.errors import FileError, InputError

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 3, 32, 32), dtype=np.uint8)
CLASSES = [3, 8, 0, 9]


def write(folder: Path, form: str, stem: str, pixels: np.ndarray = PIXELS, labels: list[int] = CLASSES) -> None:
    if form == "binary":
        rows = [bytes([label]) + image.tobytes() for label, image in zip(labels, pixels, strict=True)]
        (folder / f"{stem}.bin").write_bytes(b"".join(rows))
    elif form == "python":
        content = {b"batch_label": b"x", b"labels": labels, b"data": pixels.reshape(len(labels), -1)}
        (folder / stem).write_bytes(pickle.dumps(content, protocol=2))
    else:
        tiles = pixels.reshape(2, 2, 3, 32, 32).transpose(0, 3, 1, 4, 2).reshape(64, 64, 3)
        Image.fromarray(tiles).save(folder / f"{stem}.webp", lossless=True)
        np.savez(folder / "labels.npz", y_test=np.uint8(labels), y_train=np.uint8(labels * 5))


@pytest.mark.parametrize("form", ["binary", "python", "pictures"])
class TestForms:
    def test_test_part(self, tmp_path: Path, form: str):
        write(tmp_path, form, "test_batch")
        found = load(f"cifar10:{tmp_path}")
        assert (found.labels.tolist(), found.name, found.bounds) == (CLASSES, "cifar10-test", (0.0, 1.0))
        np.testing.assert_array_equal(found.in_units_of((0, 255)).images, PIXELS)
        assert found.class_names[3] == "cat" and len(found.class_names) == 10

    def test_training_part_is_five_batches_in_order(self, tmp_path: Path, form: str):
        for number in range(1, 6):
            write(tmp_path, form, f"data_batch_{number}", np.roll(PIXELS, number, axis=0))
        found = load(f"cifar10:{tmp_path}", train=True, indices=[17, 0, 6])
        assert found.total == 20 and found.name == "cifar10-train"
        expected = [np.roll(PIXELS, number, axis=0)[place] for number, place in ((5, 1), (1, 0), (2, 2))]
        np.testing.assert_array_equal(found.in_units_of((0, 255)).images, expected)


class TestReal:
    @pytest.mark.parametrize("train", [False, True])
    def test_pixels_are_those_of_another_reader(
        self, clearance_data: Path, monkeypatch: pytest.MonkeyPatch, train: bool
    ):
        if not (clearance_data / "load_data.py").is_file() or not (clearance_data / "cifar10").is_dir():
            pytest.skip(f"no CIFAR-10 at {clearance_data}")
        monkeypatch.setenv("CLEARANCE_DATA", str(clearance_data))
        rows = [5, 9, 9999] + ([10000, 19998] if train else [])
        found = load("cifar10", train=train, indices=rows)
        sheets = [
            np.asarray(Image.open(clearance_data / "cifar10" / f"{stem}.webp").convert("RGB"))
            for stem in (("data_batch_1", "data_batch_2") if train else ("test_batch",))
        ]
        labels = np.load(clearance_data / "cifar10" / "labels.npz")["y_train" if train else "y_test"]
        for row, image, label in zip(rows, found.images, found.labels.tolist(), strict=True):
            top, left = 32 * (row % 10000 // 100), 32 * (row % 100)
            tile = sheets[row // 10000][top : top + 32, left : left + 32].transpose(2, 0, 1)
            np.testing.assert_array_equal((image * 255).round(), tile)
            assert label == labels[row]

    @pytest.mark.slow
    def test_all_test_images_are_those_of_the_folders_own_reader(
        self, clearance_data: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setenv("CLEARANCE_DATA", str(clearance_data))
        spec = importlib.util.spec_from_file_location("load_data", clearance_data / "load_data.py")
        if spec is None or spec.loader is None or not (clearance_data / "load_data.py").is_file():
            pytest.skip(f"no reader at {clearance_data}")
        reader = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(reader)
        pixels, labels = reader.cifar10("test")
        found = load("cifar10").in_units_of((0, 255))
        np.testing.assert_array_equal(found.images, pixels.transpose(0, 3, 1, 2))
        np.testing.assert_array_equal(found.labels, labels)


class TestRefusals:
    def test_no_batch(self, tmp_path: Path):
        with pytest.raises(FileError, match=r"expected batches of CIFAR-10 \(test_batch\.bin, test_batch, test_batch"):
            load(f"cifar10:{tmp_path}")
        with pytest.raises(FileError, match="no such folder; give cifar10:FOLDER, or set CLEARANCE_DATA"):
            load(f"cifar10:{tmp_path / 'gone'}")

    def test_a_file_that_is_cut(self, tmp_path: Path):
        write(tmp_path, "binary", "test_batch")
        path = tmp_path / "test_batch.bin"
        path.write_bytes(path.read_bytes()[:-1])
        with pytest.raises(FileError, match=r"test_batch\.bin: expected a multiple of 3,073 bytes, .* got 12,291"):
            load(f"cifar10:{tmp_path}")

    @pytest.mark.parametrize("form", ["binary", "python", "pictures"])
    def test_labels_outside_the_classes(self, tmp_path: Path, form: str):
        write(tmp_path, form, "test_batch", labels=[3, 10, 0, 1])
        with pytest.raises(InputError, match="expected labels 0 to 9, one of 10 classes, got 10 for image 1"):
            load(f"cifar10:{tmp_path}")

    def test_images_of_another_size(self, tmp_path: Path):
        write(tmp_path, "python", "test_batch", pixels=PIXELS[:, :, :16])
        with pytest.raises(FileError, match=r"images of 3,072 values each, got an array of shape \(4, 1536\)"):
            load(f"cifar10:{tmp_path}")

    def test_a_picture_that_does_not_go_with_the_labels(self, tmp_path: Path):
        write(tmp_path, "pictures", "test_batch")
        np.savez(tmp_path / "labels.npz", y_test=np.zeros(7, dtype=np.uint8))
        with pytest.raises(FileError, match=r"test_batch\.webp: expected 7 tiles, as many as the labels say, got 4"):
            load(f"cifar10:{tmp_path}")
        Image.new("RGB", (64, 63)).save(tmp_path / "test_batch.webp")
        with pytest.raises(FileError, match="a colour picture of tiles of 32 × 32, got 64 × 63"):
            load(f"cifar10:{tmp_path}")
