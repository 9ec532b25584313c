"""Pickles of batches are read without being run: what numpy arrays need, and nothing else."""

import os
import pickle
import pickletools
from pathlib import Path

import numpy as np
import pytest

from clearance.data.pickled_batches import read_batch
from clearance.errors import FileError, PickleRefusedError

DATA = np.arange(24, dtype=np.uint8).reshape(4, 6)
LABELS = [0, 255, 3, 1]


class Touch:
    def __reduce__(self):
        return (os.mkdir, ("touched",))


def write(folder: Path, content: object, protocol: int = 2) -> Path:
    path = folder / "test_batch"
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("text", [False, True])
def test_every_binary_protocol(tmp_path: Path, protocol: int, text: bool):
    entries = {"data": DATA, "labels": LABELS, "filenames": ["a", "b"]}
    content = entries if text else {name.encode(): value for name, value in entries.items()}
    data, labels = read_batch(write(tmp_path, content, protocol))
    np.testing.assert_array_equal(data, DATA)
    assert labels.tolist() == LABELS and data.dtype == np.uint8


def test_a_pickle_of_python_2(tmp_path: Path):
    """As the official files have it: text is bytes, and the array's content a plain string."""
    program = (
        b"\x80\x02}q\x01(U\x06labelsq\x02]q\x03(K\x06K\x09eU\x04dataq\x04"
        b"cnumpy.core.multiarray\n_reconstruct\nq\x05cnumpy\nndarray\nq\x06K\x00\x85U\x01b\x87R"
        b"(K\x01K\x02K\x03\x86cnumpy\ndtype\nq\x07U\x02u1K\x00K\x01\x87R"
        b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x06abcdeftbu."
    )
    assert pickle.loads(program, encoding="bytes")[b"labels"] == [6, 9]  # the program is one that Python runs
    (tmp_path / "a").write_bytes(program)
    data, labels = read_batch(tmp_path / "a")
    assert data.tolist() == [[97, 98, 99], [100, 101, 102]] and labels.tolist() == [6, 9]


def test_nothing_is_run(here: Path):
    path = write(here, {"data": DATA, "labels": LABELS, "more": Touch()})
    with pytest.raises(
        PickleRefusedError, match=r"it asks for the name '(posix|nt)\.mkdir', which a batch .* not need"
    ):
        read_batch(path)
    assert not Path("touched").exists()
    pickle.loads(path.read_bytes())  # the trap is live
    assert Path("touched").exists()


@pytest.mark.parametrize("operation", ["INST", "OBJ", "NEWOBJ", "EXT1", "PERSID", "BINPERSID"])
def test_operations_that_make_objects_are_refused_by_name(tmp_path: Path, operation: str):
    code = next(one for one in pickletools.opcodes if one.name == operation).code.encode("latin-1")
    (tmp_path / "a").write_bytes(b"\x80\x02" + code + b"os\nsystem\n.")
    with pytest.raises(PickleRefusedError, match=f"asks for the operation {operation}, which"):
        read_batch(tmp_path / "a")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"labels": LABELS}, "'data' is no array"),
        ({"data": LABELS, "labels": LABELS}, "'data' is no array"),
        ({"data": DATA}, "'labels' is no list of whole numbers"),
        ({"data": DATA, "labels": ["1"]}, "'labels' is no list of whole numbers"),
        ({"data": DATA, "labels": [True]}, "'labels' is no list of whole numbers"),
        ({"data": DATA, "labels": [-1]}, "a label is below 0 or above 255"),
        ({"data": DATA, "labels": [10**30]}, "a label is below 0 or above 255"),
        ({"data": DATA.astype(np.int8), "labels": LABELS}, "its array is not of uint8"),
        ({"data": np.asfortranarray(DATA), "labels": LABELS}, "'data' is no array"),
        ([1, 2], "'data' is no array"),
    ],
)
def test_other_content_is_one_clear_line(tmp_path: Path, content: object, message: str):
    with pytest.raises(FileError, match=f"test_batch: expected a Python batch of CIFAR-10, .*{message}"):
        read_batch(write(tmp_path, content))


def test_a_length_of_ten_gigabytes_takes_no_memory(tmp_path: Path):
    (tmp_path / "a").write_bytes(b"\x80\x04\x8e" + (10**10).to_bytes(8, "little") + b"abc.")
    with pytest.raises(FileError, match="got a damaged one"):
        read_batch(tmp_path / "a")


def test_nested_lists_are_never_written_out(tmp_path: Path):
    """Sixty lists of which each holds the one before it twice: written out they would be 2^60 values."""
    doubled = b"".join(b"](" + b"h\x00" * 2 + b"e" + b"q\x00" for _ in range(60))
    for end in (b"\x8c\x01x\x93.", b"h\x00\x93.", b"h\x00\x86\x93.", b"."):
        (tmp_path / "a").write_bytes(b"\x80\x04]q\x00" + doubled + end)
        with pytest.raises(FileError, match="a: "):
            read_batch(tmp_path / "a")
