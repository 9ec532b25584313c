"""Plans, stores and weights that are damaged or made to harm, through the command line: one line, code 2, no change."""

import json
import os
import resource
import sqlite3
import struct
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clearance.cli import run as command
from clearance.runs.engines.local import LocalEngine
from clearance.runs.execute import open_run
from clearance.zoo.specs import WEIGHTS_FOLDER
from run_tasks import make_plan, numbers

WEIGHTS = (WEIGHTS_FOLDER / "digits-standard.safetensors").read_bytes()
HEADER = struct.unpack("<Q", WEIGHTS[:8])[0]


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What the command says: one line on stderr, with code 2."""
    code = command([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    assert (code, out) == (2, "") and err.startswith("clearance: ") and err.count("\n") == 1 and len(err) < 1000, err
    assert err[:-1].isprintable()
    return err


def snapshot(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() if path.stat().st_size < 2**24 else b"huge" for path in folder.iterdir()}


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    with open_run(tmp_path / "run", make_plan()) as run:
        list(run.compute(numbers, shared={"add": 0.5}, engine=LocalEngine()))
    return tmp_path / "run"


def flip(file: Path, place: int) -> None:
    data = bytearray(file.read_bytes())
    data[place] ^= 1
    file.write_bytes(data)


def grow(file: Path) -> None:
    os.truncate(file, 10 * 2**30)  # sparse: takes no room


def edit(file: Path, **changes: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def execute(file: Path, statement: str) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute(statement)


HARMS: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "plan truncated": ("plan.json", lambda f: os.truncate(f, 300), "damaged"),
    "plan flipped": ("plan.json", lambda f: flip(f, f.read_text().index('"seed"') + 8), "damaged"),
    "plan emptied": ("plan.json", lambda f: f.write_bytes(b""), "damaged"),
    "plan of another version": ("plan.json", lambda f: edit(f, schema_version=2), "expected a plan of version 1, got"),
    "plan with a path in its id": ("plan.json", lambda f: edit(f, id="../../x"), "does not match its id"),
    "plan with a terminal's commands": ("plan.json", lambda f: edit(f, **{"\x1b[2J\n": 1}), "[2J"),
    "plan too large": ("plan.json", grow, "expected at most 16,777,216 bytes, got 10,737,418,240"),
    "store truncated": ("results.sqlite", lambda f: os.truncate(f, f.stat().st_size // 2), "damaged"),
    "store flipped": ("results.sqlite", lambda f: flip(f, f.read_bytes().index(b"certified")), "damaged"),
    "store emptied": ("results.sqlite", lambda f: f.write_bytes(b""), "an empty file"),
    "store of another version": ("results.sqlite", lambda f: execute(f, "PRAGMA user_version = 9"), "got version 9"),
    "store of another plan": ("results.sqlite", lambda f: execute(f, "UPDATE run SET plan_id = 'x'"), "of another"),
    "store with a view": ("results.sqlite", lambda f: execute(f, "CREATE VIEW v AS SELECT 1"), "damaged"),
    "store with a bomb": (
        "results.sqlite",
        lambda f: execute(f, "UPDATE arrays SET data = zeroblob(100000000) WHERE rowid = 1"),
        "does not match its digest",
    ),
    "store missing": ("results.sqlite", lambda f: f.unlink(), "no such file"),
}


@pytest.mark.parametrize("harm", HARMS)
def test_a_harmed_run_is_not_exported_nor_resumed_nor_changed(
    finished: Path, tmp_path: Path, harm: str, capsys: pytest.CaptureFixture[str]
):
    name, change, message = HARMS[harm]
    change(finished / name)
    before = snapshot(finished)
    assert message in refused(capsys, "export", finished, "--format", "json", "--out", tmp_path / "o.json")
    if harm != "store missing":  # then nothing is finished, and all is computed again
        with pytest.raises(OSError, match=r".") as caught, open_run(finished, make_plan(), resume=True):
            pass
        assert message in str(caught.value) and "\n" not in str(caught.value)
    assert snapshot(finished) == before and not (tmp_path / "o.json").exists()


def weights(header: bytes, *, claimed: int | None = None, data: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header) if claimed is None else claimed) + header + data


def changed_header(change: Callable[[dict[str, Any]], object]) -> bytes:
    header = json.loads(WEIGHTS[8 : 8 + HEADER])
    change(header)
    return weights(json.dumps(header).encode(), data=WEIGHTS[8 + HEADER :])


BAD_WEIGHTS = {
    "emptied": b"",
    "truncated header": WEIGHTS[:100],
    "truncated data": WEIGHTS[:-100],
    "flipped in its header": WEIGHTS.replace(b"conv1.bias", b"conv1.bhas"),
    "flipped to infinity": WEIGHTS[:-4] + struct.pack("<f", float("inf")),
    "a pickle": b"\x80\x04cos\nsystem\n",
    "10 GB header": weights(b"{}", claimed=10 * 2**30),
    "header of 2^64 bytes": weights(b"{}", claimed=2**64 - 1),
    "deep header": weights(b"[" * 200_000),
    "another form": changed_header(lambda h: h["conv1.bias"].update(dtype="F99")),
    "overlapping data": changed_header(lambda h: h["conv1.bias"].update(data_offsets=[0, 8])),
    "shape beyond the data": changed_header(lambda h: h["conv1.bias"].update(shape=[2**62])),
    "negative shape": changed_header(lambda h: h["conv1.bias"].update(shape=[-16])),
    "path traversal": changed_header(lambda h: h.update({"../../etc/passwd\x1b[2J": h.pop("conv1.bias")})),
    "SQL": changed_header(lambda h: h.update({"'); DROP TABLE results; --": h.pop("conv1.bias")})),
}


def score(file: Path) -> tuple[str, ...]:
    return ("score", "clearance.zoo.networks:digits_cnn", "digits", "--weights", str(file), "--count", "1")


@pytest.mark.parametrize("harm", BAD_WEIGHTS)
def test_harmed_weights_are_one_line(tmp_path: Path, harm: str, capsys: pytest.CaptureFixture[str]):
    file = tmp_path / "weights.safetensors"
    file.write_bytes(BAD_WEIGHTS[harm])
    assert str(file) in refused(capsys, *score(file))
    assert snapshot(tmp_path) == {file.name: BAD_WEIGHTS[harm]}


def test_a_10_gb_header_in_a_10_gb_file_takes_no_memory(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    file = tmp_path / "weights.safetensors"
    file.write_bytes(weights(b"{}", claimed=10 * 2**30 - 8))
    grow(file)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert str(file) in refused(capsys, *score(file))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # kB; the header would be 10,000,000


def test_a_flipped_bit_anywhere_in_a_header_is_one_line_or_another_value(tmp_path: Path):
    from clearance.errors import FileError
    from clearance.zoo.networks import digits_cnn
    from clearance.zoo.weight_files import load_weights

    file, random = tmp_path / "weights.safetensors", np.random.default_rng(0)
    for place in random.integers(8 + HEADER, size=150):
        data = bytearray(WEIGHTS)
        data[place] ^= 1 << int(random.integers(8))
        file.write_bytes(data)
        network = digits_cnn()
        try:
            load_weights(network, file)
        except FileError as error:
            assert str(file) in str(error)
