"""The store: what goes in comes out, whole or not at all, and nothing that is wrong with the file goes unnoticed."""

import math
import os
import shutil
import sqlite3
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from clearance.errors import FileError, InputError
from clearance.estimates.status import Status
from clearance.runs import arrays as array_rules
from clearance.runs.arrays import PackedArray, pack_array, unpack_array
from clearance.runs.database import create_database, take_lock
from clearance.runs.store import Record, Result, Store
from conftest import ROOT

VALUES = {
    "radius": 0.1 + 0.2,
    "none": None,
    "nested": {"list": [1, 2.5, "a"], "ok": True},
    "text": "x'; DROP TABLE run",
}
ARRAYS = {"maxima": np.linspace(0, 1, 7, dtype=np.float32), "witness": np.random.default_rng(0).normal(size=(3, 500))}


@contextmanager
def opened(path: Path, plan_id: str = "p1") -> Iterator[Store]:
    with closing(Store.open(path, plan_id)) as store:
        yield store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "results.sqlite"
    create_database(file, "p1")
    return file


@pytest.fixture
def filled(path: Path) -> Path:
    with opened(path) as store:
        for index in range(20):
            store.add(f"k{index}", Result({**VALUES, "index": index}, ARRAYS), attempts=1, seconds=0.5)
        store.add("bad", Result({}), error="ValueError: no", traceback="Traceback\n  ...", attempts=3, seconds=math.nan)
    return path


def same(left: Record, right: Record) -> bool:
    plain = [(r.key, r.values, r.error, r.traceback, r.attempts, r.seconds) for r in (left, right)]
    equal = [np.array_equal(a, right.arrays[n]) and a.dtype == right.arrays[n].dtype for n, a in left.arrays.items()]
    return plain[0] == plain[1] and set(left.arrays) == set(right.arrays) and all(equal)


def test_what_goes_in_comes_out(path: Path):
    with opened(path) as store:
        added = store.add("k", Result(VALUES, ARRAYS), attempts=2, seconds=0.25)
        assert store.read("other") is None
    with opened(path) as store:
        found = store.read("k")
    assert found and same(found, added)
    assert found.values == VALUES and found.seconds == 0.25 and found.attempts == 2 and found.error is None
    assert all(np.array_equal(found.arrays[name], array) for name, array in ARRAYS.items())
    assert found.arrays["maxima"].dtype == np.float32


def test_values_become_plain(path: Path):
    values = {"a": np.float32(0.1), "b": np.int64(3), "c": (1, 2), "d": Status.OK, "e": math.inf, "f": np.bool_(True)}
    with opened(path) as store:
        added = store.add("k", Result(values), attempts=1, seconds=0).values
        assert added == {"a": float(np.float32(0.1)), "b": 3, "c": [1, 2], "d": "ok", "e": math.inf, "f": True}
        found = store.read("k")
        assert found and found.values == added


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (Result({"a": object()}), "expected values that JSON can hold, got others .a object"),
        (Result({"a": np.zeros(2)}), "a ndarray"),
        (Result({}, {"w": np.array(["text"])}), "array w: expected truth values, integers or floats .* got <U4"),
        (Result({}, {"w": np.array([object()])}), "got object"),
        (Result({}, {"w": np.zeros(2, dtype=complex)}), "got complex128"),
        (Result({}, {"w": [1, 2]}), "got list"),  # pyright: ignore[reportArgumentType]
        (Result({}, {"w": np.broadcast_to(np.zeros(1), 2**26)}), "expected at most 268,435,456 bytes, got 536,870,912"),
    ],
)
def test_what_cannot_be_stored_is_refused_and_nothing_is_stored(path: Path, result: Result, message: str):
    with opened(path) as store:
        with pytest.raises(InputError, match=message):
            store.add("k", result, attempts=1, seconds=0)
        assert store.read("k") is None and not store.finished()


def test_a_failure_may_be_replaced_and_a_result_never(path: Path):
    with opened(path) as store:
        store.add("k", Result({}), error="ValueError: no", traceback="t", attempts=1, seconds=1)
        assert store.finished() == {"k": True}
        store.add("k", Result(VALUES), attempts=1, seconds=1)
        assert store.finished() == {"k": False}
        with pytest.raises(FileError, match="there is a result for this task already"):
            store.add("k", Result({"radius": 2}), attempts=1, seconds=1)
        found = store.read("k")
        assert found and found.values == VALUES


def test_hostile_text_is_only_text(path: Path):
    key = "'); DROP TABLE results; --"
    with opened(path) as store:
        text = f"{key}\x00\ud800"
        store.add(key, Result({key: text}, {key: np.ones(2)}), error=text, traceback=text, attempts=1, seconds=0)
        found = store.read(key)
    assert found and found.error == f"{key}\x00?"
    assert found and found.values == {key: text} and list(found.arrays) == [key]


def test_the_writer_uses_wal_and_a_reader_reads_meanwhile(path: Path):
    with opened(path) as store, closing(Store.read_only(path, "p1")) as reader:
        store.add("k", Result(VALUES, ARRAYS), attempts=1, seconds=0)
        assert path.with_name("results.sqlite-wal").stat().st_size > 0
        found = reader.read("k")
        assert found and found.values == VALUES
        with pytest.raises(FileError, match="cannot be written"):
            reader.add("l", Result({}), attempts=1, seconds=0)


def test_a_reader_leaves_nothing_behind_and_the_writer_one_file(filled: Path):
    before = {file.name: file.read_bytes() for file in filled.parent.iterdir()}
    assert set(before) == {"results.sqlite"}
    with closing(Store.read_only(filled, "p1")) as store:
        assert store.read("k3")
    assert {file.name: file.read_bytes() for file in filled.parent.iterdir()} == before


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT / "src")}


def test_one_writer_at_a_time(path: Path):
    with closing(take_lock(path)):
        with pytest.raises(FileError, match=r"results\.sqlite-lock: in use by another run of this program"):
            take_lock(path)
        code = (
            "import sys; from pathlib import Path; from clearance.runs.database import take_lock\n"
            "take_lock(Path(sys.argv[1]))"
        )
        command = [sys.executable, "-c", code, path]
        done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
        assert "in use by another run" in done.stderr
    take_lock(path).close()


def test_a_new_store_replaces_nothing(path: Path):
    before = path.read_bytes()
    with pytest.raises(FileError, match="there already"):
        create_database(path, "p2")
    assert path.read_bytes() == before


def test_leftovers_of_a_killed_start_are_replaced(tmp_path: Path):
    (tmp_path / ".results.sqlite.part").write_bytes(b"half")
    create_database(tmp_path / "results.sqlite", "p1")
    with opened(tmp_path / "results.sqlite") as store:
        assert not store.finished()
    assert not (tmp_path / ".results.sqlite.part").exists()


def execute(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


SAME_DIGEST = "damaged, the result of task k3 does not match its digest"


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda p: p.write_bytes(b""), "expected the results of a run, got an empty file"),
        (lambda p: p.write_bytes(b"not a database" * 99), "damaged, or cannot be used ."),
        (lambda p: os.truncate(p, p.stat().st_size // 2), "damaged"),
        (lambda p: os.truncate(p, 100), "damaged"),
        (lambda p: p.unlink(), "no such file"),
        (lambda p: (p.unlink(), p.mkdir()), "is no plain file"),
        (lambda p: (p.unlink(), execute(p, "CREATE TABLE t (x)")), "expected the results of a run, got another file"),
        (lambda p: execute(p, "PRAGMA user_version = 2"), "expected results of version 1, got version 2"),
        (
            lambda p: execute(p, "UPDATE run SET plan_id = 'p2'"),
            "expected the results of plan p1, got those of another",
        ),
        (lambda p: execute(p, "DELETE FROM run"), "got those of another"),
        (lambda p: execute(p, "CREATE TRIGGER t AFTER INSERT ON run BEGIN SELECT 1; END"), "expected other tables"),
        (lambda p: execute(p, "DROP TABLE arrays"), "expected other tables"),
        (lambda p: execute(p, "DROP TABLE arrays", "CREATE VIEW arrays AS SELECT * FROM results"), "other tables"),
        (
            lambda p: execute(p, "UPDATE results SET record = replace(record, '0.3', '0.4') WHERE key = 'k3'"),
            SAME_DIGEST,
        ),
        (lambda p: execute(p, "UPDATE results SET seconds = 1 WHERE key = 'k3'"), SAME_DIGEST),
        (lambda p: execute(p, "UPDATE results SET record = x'ff' WHERE key = 'k3'"), SAME_DIGEST),
        (lambda p: execute(p, "DELETE FROM arrays WHERE key = 'k3' AND name = 'maxima'"), SAME_DIGEST),
        (lambda p: execute(p, "UPDATE arrays SET shape = '[7, 1]' WHERE key = 'k3'"), SAME_DIGEST),
        (lambda p: execute(p, "UPDATE results SET key = 'k99' WHERE key = 'k3'"), "task k99 does not match"),
        (lambda p: execute(p, "UPDATE results SET attempts = NULL WHERE key = 'k3'"), None),
    ],
)
def test_what_is_wrong_with_a_store_is_said_in_one_line(
    filled: Path, harm: Callable[[Path], object], message: str | None
):
    if message is None:  # SQLite itself keeps NULL out
        with pytest.raises(sqlite3.IntegrityError):
            harm(filled)
        return
    harm(filled)
    before = filled.read_bytes() if filled.is_file() else None
    for open_store in (Store.open, Store.read_only):
        with pytest.raises(FileError, match=message) as caught, closing(open_store(filled, "p1")) as store:
            store.check()
        assert "\n" not in str(caught.value) and str(filled) in str(caught.value)
        assert (filled.read_bytes() if filled.is_file() else None) == before


def test_every_flipped_bit_and_every_truncation_is_noticed_or_harmless(filled: Path, tmp_path: Path):
    with closing(Store.read_only(filled, "p1")) as store:
        expected = {key: store.read(key) for key in store.finished()}
    data = filled.read_bytes()
    random = np.random.default_rng(0)
    cases = [data[: len(data) * part // 20] for part in range(20)]
    for place in random.integers(len(data), size=300):
        cases.append(data[:place] + bytes([data[place] ^ (1 << int(random.integers(8)))]) + data[place + 1 :])
    noticed = 0
    file = tmp_path / "harmed" / "results.sqlite"
    file.parent.mkdir()
    for case in cases:
        file.write_bytes(case)
        try:
            with opened(file) as store:
                found = {key: store.read(key) for key in store.finished()}
            assert set(found) == set(expected)
            assert all(a and b and same(a, b) for a, b in zip(found.values(), map(expected.get, found), strict=True))
        except FileError as error:
            noticed += 1
            assert "\n" not in str(error)
        for leftover in file.parent.iterdir():
            leftover.unlink()
    assert noticed > 0.75 * len(cases)  # the others lie in unused parts of pages, how large is up to SQLite and zlib


def test_a_damaged_log_loses_the_last_transactions_and_nothing_else(path: Path, tmp_path: Path):
    copy = tmp_path / "copy" / "results.sqlite"
    copy.parent.mkdir()
    with opened(path) as store:
        added = [store.add(f"k{i}", Result({"i": i}, ARRAYS), attempts=1, seconds=0) for i in range(5)]
        for name in ("results.sqlite", "results.sqlite-wal"):
            shutil.copy(path.with_name(name), copy.with_name(name))
    log = copy.with_name("results.sqlite-wal")
    data = bytearray(log.read_bytes())
    data[len(data) * 2 // 3] ^= 4
    log.write_bytes(data)
    with opened(copy) as store:
        kept = store.finished()
        assert 0 < len(kept) < 5 and list(kept) == [f"k{i}" for i in range(len(kept))]
        assert all(same(found, record) for record in added if (found := store.read(record.key)))


def test_a_full_disk_is_one_line_and_nothing_is_lost(path: Path):
    with opened(path) as store:
        store.add("k0", Result({}, ARRAYS), attempts=1, seconds=0)
        store._connection.execute("PRAGMA max_page_count = 20")
        noise = np.random.default_rng(0).normal(size=100_000)
        with pytest.raises(FileError, match="the disk is full; every finished result is kept, resume"):
            store.add("k1", Result({}, {"noise": noise}), attempts=1, seconds=0)
        store._connection.execute("PRAGMA max_page_count = 100000")
        store.add("k1", Result({}, {"noise": noise}), attempts=1, seconds=0)
    with opened(path) as store:
        store.check()
        assert set(store.finished()) == {"k0", "k1"}


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(
        st.sampled_from(["f4", "f8", "f2", "i8", "u1", "?", ">f8", ">i4"]), hnp.array_shapes(min_dims=0, min_side=0)
    )
)
def test_arrays_survive_bit_for_bit(array: np.ndarray):
    again = unpack_array(pack_array(array, name="x"))
    assert again.shape == array.shape and again.tobytes() == array.astype(again.dtype).tobytes()
    assert again.dtype == array.dtype.newbyteorder("<") and again.flags.writeable
    assert unpack_array(pack_array(array.T, name="x")).tobytes() == array.T.astype(again.dtype).tobytes()


@pytest.mark.parametrize(
    ("packed", "message"),
    [
        (PackedArray("<f8", "[2]", zlib.compress(bytes(15))), "expected 16 bytes for an array of shape .2,., got 15"),
        (PackedArray("<f8", "[2]", zlib.compress(bytes(17))), "got more"),
        (PackedArray("<f8", "[2]", b"no zlib"), "damaged array"),
        (PackedArray("|O", "[1]", zlib.compress(bytes(8))), "got dtype '|O'"),
        (PackedArray("f8,f8", "[1]", zlib.compress(bytes(16))), "got dtype 'f8,f8'"),
        (PackedArray("(3)", "[1]", zlib.compress(bytes(8))), "got dtype"),
        (PackedArray("[('a'", "[1]", zlib.compress(bytes(8))), "got dtype"),
        (PackedArray("<f8", "[-1]", b""), r"expected the shape of an array, got '\[-1\]'"),
        (PackedArray("<f8", "{}", b""), "expected the shape"),
        (PackedArray("<f8", "[true]", b""), "expected the shape"),
        (PackedArray("<f8", "[" * 10**6, b""), "expected the shape"),
        (PackedArray("<f8", f"[{2**40}]", b""), "expected an array of at most 268,435,456 bytes"),
    ],
)
def test_hostile_arrays_are_refused(packed: PackedArray, message: str):
    with pytest.raises(FileError, match=message) as caught:
        unpack_array(packed)
    assert len(str(caught.value)) < 200


def test_a_bomb_takes_no_more_memory_than_its_shape_says():
    import tracemalloc

    bomb = PackedArray("<f8", "[2]", zlib.compress(bytes(2**27)))
    tracemalloc.start()
    with pytest.raises(FileError, match="got more"):
        unpack_array(bomb)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_the_limit_is_above_any_input_of_today():
    assert array_rules.MAX_ARRAY_BYTES > 3 * 2048 * 2048 * 8
