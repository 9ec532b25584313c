"""Archives: what is refused before anything of it is unpacked."""

import struct
import zipfile
from pathlib import Path

import pytest

from clearance.errors import FileError
from clearance.zoo.archives import LARGEST_UNPACKED, is_archive, opened_archive

FILE = Path("a.zip")


def write(*, method: int = zipfile.ZIP_STORED, size: int = 1000) -> None:
    with zipfile.ZipFile(FILE, "w", method) as archive:
        archive.writestr("one", b"0" * size)


def test_what_is_stored_is_read(here: Path):
    write()
    with opened_archive(FILE, "it") as archive:
        assert archive.read("one") == b"0" * 1000
    assert is_archive(FILE) and not is_archive(Path("nothing"))


def test_a_bomb_is_refused_by_its_table_of_contents(here: Path):
    write(method=zipfile.ZIP_DEFLATED, size=10**6)
    with (
        pytest.raises(FileError, match=r"expected it, got an archive that says it holds 1,000,000 bytes of content in"),
        opened_archive(FILE, "it"),
    ):
        pass
    with opened_archive(FILE, "it", compressed=True) as archive:
        assert len(archive.read("one")) == 10**6


def test_ten_gigabytes_in_a_table_of_contents(here: Path):
    write(method=zipfile.ZIP_DEFLATED)
    data = bytearray(FILE.read_bytes())
    place = data.rindex(b"PK\x01\x02") + 24
    data[place : place + 4] = struct.pack("<I", 2**32 - 2)
    FILE.write_bytes(data)
    assert LARGEST_UNPACKED < 2**32 - 2
    with (
        pytest.raises(FileError, match="says it holds 4,294,967,294 bytes"),
        opened_archive(FILE, "it", compressed=True),
    ):
        pass


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "an empty file"),
        (b"noise", "damaged or of another kind"),
        (b"PK\x05\x06" + b"\0" * 10, "another kind"),
    ],
)
def test_what_is_no_archive(here: Path, content: bytes, message: str):
    FILE.write_bytes(content)
    with pytest.raises(FileError, match=rf"a\.zip: expected it, got .*{message}"), opened_archive(FILE, "it"):
        pass


def test_an_archive_that_says_it_spans_several_disks(here: Path):
    """Python's `is_zipfile` itself raises then."""
    write()
    data = bytearray(FILE.read_bytes())
    place = data.rindex(b"PK\x05\x06")
    locator = b"PK\x06\x07" + struct.pack("<IQI", 0, place, 10)
    FILE.write_bytes(data[:place] + locator + data[place:])
    assert is_archive(FILE)
    with pytest.raises(FileError, match=r"got a damaged archive .*disks"), opened_archive(FILE, "it"):
        pass


def test_damage_that_shows_when_a_part_is_read(here: Path):
    write()
    data = bytearray(FILE.read_bytes())
    data[100] ^= 1
    FILE.write_bytes(data)
    with pytest.raises(FileError, match=r"got a damaged archive .*CRC"), opened_archive(FILE, "it") as archive:
        archive.read("one")
