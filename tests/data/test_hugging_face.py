"""Parquet files and saved data sets of Hugging Face: tables and pictures, splits, names of classes."""

import io
import json
import socket
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clearance.data.datasets import load
from clearance.errors import ClearanceError, FileError, InputError

LEVELS = [10, 20, 30]


def png(level: int, size: tuple[int, int] = (4, 3)) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, (level, 0, 0)).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def parquet(tmp_path: Path):
    pa = pytest.importorskip("pyarrow", reason="needs pyarrow: pip install 'clearance[export]'")
    import pyarrow.parquet as pq

    def write(name: str = "a.parquet", features: dict[str, object] | None = None, **columns: object) -> Path:
        table = pa.table(columns)
        if features:
            table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path, row_group_size=2)
        return path

    return write


class TestTables:
    def test_columns_of_every_type(self, parquet):
        path = parquet(age=[30, 50, 70], tall=[True, False, True], pay=np.float32([1.5, 2.5, 3.5]), y=["b", "a", "b"])
        found = load(path)
        assert found.images.tolist() == [[30, 1, 1.5], [50, 0, 2.5], [70, 1, 3.5]]
        assert found.class_names == ("a", "b") and found.labels.tolist() == [1, 0, 1]
        assert found.fixed.tolist() == [False, True, False] and found.bounds[1].tolist() == [70, 1, 3.5]

    @pytest.mark.parametrize(
        ("columns", "message"),
        [
            ({"a": [1.0, None], "y": [0, 1]}, r"a\.parquet, row 1: expected a value in the column 'a', got none"),
            (
                {"a": [1.0, float("nan")], "y": [0, 1]},
                "row 1: expected a finite number in the column 'a', got a",
            ),
            ({"a": [[1], [2]], "y": [0, 1]}, "expected numbers or text in the column 'a', got list"),
            ({"a": ["x", "z"], "y": [0, 1]}, "row 0: expected numbers in the column 'a', got text such as 'x'"),
            ({"a": [1, 2], "y": [0.5, 1.0]}, "class indices or names in the column 'y', got other numbers"),
            ({"a": np.zeros(0), "y": np.zeros(0, dtype=int)}, "expected at least one row, got none"),
        ],
    )
    def test_misuse_is_one_clear_line(self, parquet, columns: dict, message: str):
        with pytest.raises(InputError, match=message):
            load(parquet(**columns))


class TestPictures:
    def cells(self, size: tuple[int, int] = (4, 3)) -> list[dict[str, object]]:
        return [{"bytes": png(level, size), "path": None} for level in LEVELS]

    def test_cells_and_names_of_classes(self, parquet):
        names = {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}
        path = parquet(image=self.cells(), label=[1, 0, 1], features=names)
        found = load(path, indices=[2, 0])
        assert found.images.shape == (2, 3, 3, 4) and (found.images[:, 0, 0, 0] * 255).round().tolist() == [30, 10]
        assert found.class_names == ("cat", "dog") and found.labels.tolist() == [1, 1]
        assert load(path, resize=2, crop=2).images.shape == (3, 3, 2, 2)

    def test_plain_bytes_and_another_label(self, parquet):
        path = parquet(img=[png(level) for level in LEVELS], fine=[4, 5, 6])
        assert load(path, label="fine").labels.tolist() == [4, 5, 6]
        with pytest.raises(InputError, match=r"label: expected a column label or class or .* in .*, got fine"):
            load(path)

    @pytest.mark.parametrize(
        ("cell", "message"),
        [
            ({"bytes": None, "path": "/etc/passwd"}, "row 0: expected the content of a picture, got a path alone"),
            ({"bytes": b"text", "path": "x"}, "row 0: expected a picture, got a file that is damaged"),
        ],
    )
    def test_cells_without_a_picture(self, parquet, cell: dict, message: str):
        with pytest.raises(FileError, match=message):
            load(parquet(image=[cell, *self.cells()[1:]], label=[0, 0, 1]))

    def test_labels_outside_the_classes(self, parquet):
        names = {"label": {"names": ["cat"], "_type": "ClassLabel"}}
        with pytest.raises(InputError, match="labels 0 to 0, one of 1 classes, got 1 for image 1"):
            load(parquet(image=self.cells(), label=[0, 1, 0], features=names))


class TestFolders:
    def test_splits_by_the_names_of_files(self, parquet, tmp_path: Path):
        parquet("set/data/train-00000-of-00001.parquet", a=[1, 2], y=[0, 1])
        parquet("set/data/test-00000-of-00002.parquet", a=[3, 7], y=[0, 1])
        parquet("set/data/test-00001-of-00002.parquet", a=[5], y=[2])
        found = load(f"hf:{tmp_path / 'set'}")
        assert found.images.flatten().tolist() == [3, 7, 5] and found.name == "set-test"
        assert len(load(f"hf:{tmp_path / 'set'}", train=True)) == 2

    def test_files_without_a_split(self, parquet, tmp_path: Path):
        parquet("set/1.parquet", a=[1, 2], y=[0, 1])
        assert load(f"hf:{tmp_path / 'set'}").name == "set" and load(f"hf:{tmp_path / 'set' / '1.parquet'}").total == 2
        with pytest.raises(InputError, match="expected files of the split train"):
            load(f"hf:{tmp_path / 'set'}", train=True)

    def test_nothing_there(self, tmp_path: Path):
        with pytest.raises(FileError, match="expected a folder that datasets saved, or Parquet files, found neither"):
            load(f"hf:{tmp_path}")
        with pytest.raises(FileError, match="got no such folder"):
            load("hf:s3://bucket/set")


class TestSaved:
    @pytest.fixture
    def datasets(self):
        return pytest.importorskip("datasets", reason="needs datasets: pip install 'clearance[hf]'")

    @pytest.fixture
    def saved(self, datasets, tmp_path: Path) -> Path:
        features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})
        splits = {}
        for name, labels in (("train", [0, 1, 1]), ("test", [1, 0, 1])):
            images = [Image.new("RGB", (4, 3), (level, 0, 0)) for level in LEVELS]
            splits[name] = datasets.Dataset.from_dict({"image": images, "label": labels}, features=features)
        datasets.DatasetDict(splits).save_to_disk(tmp_path / "pets")
        return tmp_path / "pets"

    def test_pictures_and_splits(self, saved: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("asks the network"))
        found = load(f"hf:{saved}", indices=[0, 2])
        assert (found.images[:, 0, 0, 0] * 255).round().tolist() == [10, 30] and found.labels.tolist() == [1, 1]
        assert found.class_names == ("cat", "dog") and found.name == "pets-test"
        assert load(f"hf:{saved}", train=True).labels.tolist() == [0, 1, 1]

    def test_a_selection_keeps_its_order(self, datasets, tmp_path: Path):
        whole = datasets.Dataset.from_dict({"a": [1.5, 2.5, 3.5], "y": [0, 1, 2]})
        whole.select([2, 0]).save_to_disk(tmp_path / "part")
        assert load(f"hf:{tmp_path / 'part'}").images.flatten().tolist() == [3.5, 1.5]
        with pytest.raises(InputError, match="has one part only"):
            load(f"hf:{tmp_path / 'part'}", train=True)

    def test_damage(self, saved: Path):
        state = saved / "test" / "state.json"
        state.write_text(state.read_text()[:20])
        with pytest.raises(FileError, match="expected a data set that datasets saved, got a damaged one"):
            load(f"hf:{saved}")

    def test_without_the_packages(self, saved: Path, parquet, monkeypatch: pytest.MonkeyPatch):
        path = parquet(a=[1.0], y=[0])
        monkeypatch.setitem(sys.modules, "datasets", None)
        with pytest.raises(FileError, match=r"needs datasets .*: pip install 'clearance\[hf\]'"):
            load(f"hf:{saved}")
        monkeypatch.setitem(sys.modules, "pyarrow.dataset", None)
        with pytest.raises(FileError, match=r"needs pyarrow .*: pip install 'clearance\[export\]'"):
            load(path)


@pytest.mark.parametrize(("value", "first"), [(0, 0), (127, 1)])
def test_bytes_of_the_footer_may_be_others(parquet, value: int, first: int):
    """The footer states rows, sizes and places of everything; as little as this may lie about them."""
    path = parquet(a=[1.0, 2.0], y=[0, 1])
    data = path.read_bytes()
    length = int.from_bytes(data[-8:-4], "little")
    for place in range(len(data) - 8 - length + first, len(data), 3):
        path.write_bytes(data[:place] + bytes([value]) + data[place + 1 :])
        try:
            assert len(load(path)) == 2
        except ClearanceError as error:
            assert "a.parquet" in str(error) and "\n" not in str(error)
