"""idx files read back what was written, and what is damaged is refused by name."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance.data.idx import read_idx
from clearance.errors import FileError
from data_writers import IMAGES, LABELS, write_idx


class TestIdx:
    @pytest.mark.parametrize("compress", [False, True])
    @pytest.mark.parametrize("shape", [(5,), (2, 3), (2, 3, 4), (2, 3, 4, 2), (0, 7)])
    def test_arrays_of_any_shape_come_back(self, tmp_path: Path, shape: tuple[int, ...], compress: bool):
        array = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        found = read_idx(write_idx(tmp_path / "a", array, compress=compress))
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, array)

    def test_other_types_are_refused_with_their_first_bytes(self, tmp_path: Path):
        (tmp_path / "floats").write_bytes(bytes([0, 0, 0x0D, 1, 0, 0, 0, 1]) + bytes(4))
        with pytest.raises(FileError, match=r"unsigned bytes \(first bytes 00 00 08\), got 00 00 0d 01"):
            read_idx(tmp_path / "floats")

    def test_truncated(self, tmp_path: Path):
        path = write_idx(tmp_path / "a", IMAGES)
        path.write_bytes(path.read_bytes()[:-1])
        with pytest.raises(FileError, match=r"expected 24 bytes of data for shape \(2, 3, 4\), got 23"):
            read_idx(path)

    def test_bytes_that_are_left_over(self, tmp_path: Path):
        path = write_idx(tmp_path / "a", LABELS)
        path.write_bytes(path.read_bytes() + b"x")
        with pytest.raises(FileError, match=r"expected 2 bytes of data for shape \(2,\), got 3"):
            read_idx(path)

    def test_truncated_gzip(self, tmp_path: Path):
        path = write_idx(tmp_path / "a.gz", IMAGES, compress=True)
        path.write_bytes(path.read_bytes()[:-12])
        with pytest.raises(FileError, match="damaged gzip"):
            read_idx(path)

    def test_a_gzip_file_of_something_else(self, tmp_path: Path):
        (tmp_path / "a.gz").write_bytes(gzip.compress(b"text"))
        with pytest.raises(FileError, match="got 74 65 78 74"):
            read_idx(tmp_path / "a.gz")

    @given(data=st.binary(max_size=40))
    def test_any_bytes_give_an_array_or_a_file_error(self, tmp_path_factory: pytest.TempPathFactory, data: bytes):
        path = tmp_path_factory.mktemp("idx") / "a"
        path.write_bytes(data)
        try:
            assert read_idx(path).size <= len(data)
        except FileError as error:
            assert "\n" not in str(error)


class TestSizes:
    """A header that states more than the file holds takes no memory."""

    def test_ten_gigabytes_in_a_header(self, tmp_path: Path):
        sizes = b"".join(size.to_bytes(4, "big") for size in (10**7, 32, 32))
        (tmp_path / "a").write_bytes(bytes([0, 0, 8, 3]) + sizes + bytes(100))
        with pytest.raises(FileError, match=r"a: expected 10240000000 bytes of data for shape .*, got 100"):
            read_idx(tmp_path / "a")

    def test_a_gzip_file_made_to_fill_the_memory(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("clearance.data.files.SMALL_BYTES", 1000)
        path = write_idx(tmp_path / "a.gz", np.zeros((2, 512, 512), dtype=np.uint8), compress=True)
        with pytest.raises(FileError, match=r"a\.gz: expected at most 200 bytes of data for each stored byte"):
            read_idx(path)
