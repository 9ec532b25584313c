"""The digests of what a run was made from."""

import subprocess
from pathlib import Path

import pytest

from clearance.data.files import PICTURES
from clearance.runs import origin
from clearance.runs.origin import folder_digest, make_origin


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for name in ("b/two.png", "a/one.png", "a/é.png", "labels.csv"):
        (tmp_path / "pictures" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pictures" / name).write_bytes(name.encode())
    return tmp_path / "pictures"


def test_a_folder_of_pictures_has_the_digest_that_the_command_prints(pictures: Path):
    command = origin.FOLDER_COMMAND.removeprefix("in it: ")
    printed = subprocess.run(command, shell=True, cwd=pictures, capture_output=True, text=True, check=True).stdout
    (found,) = make_origin(None, [(PICTURES, str(pictures)), ("model", str(pictures))]).files
    assert found.sha256 == printed.split()[0] and found.note == origin.FOLDER_COMMAND
    (pictures / "a" / "one.png").write_bytes(b"other")
    assert folder_digest(pictures) != found.sha256


def test_what_is_too_large_is_said(pictures: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(origin, "MOST_HASHED", 10)
    (found,) = make_origin(None, [(PICTURES, str(pictures))]).files
    assert found.sha256 == "" and found.note.startswith("not hashed: more than")
