"""A file of results: equal records come back, nothing in it is run, and what is wrong with it is one line."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

import clearance as cl
from clearance.errors import FileError, PickleRefusedError
from clearance.results.coded import RECORDS, decode, encode
from clearance.runs import files
from result_cases import KINDS, X

EveryKind = Mapping[str, cl.Results[Any]]


@pytest.mark.parametrize("kind", KINDS)
def test_equal_records_come_back(every_kind: EveryKind, kind: str, here: Path):
    results = every_kind[kind]
    assert results.save("kept") == Path("kept")
    back = cl.load("kept")
    assert type(back) is cl.Results and back == results and back.setup == results.setup
    assert [one.given for one in back] == [one.given for one in results] and back.summary() == results.summary()
    assert back.to_dataframe().equals(results.to_dataframe()) and back._repr_html_() == results._repr_html_()


@pytest.mark.usefixtures("here")
def test_witnesses_are_kept_to_the_bit(brackets: cl.Results[cl.Bracket]):
    brackets.save("kept")
    (first, *_) = cl.load("kept")
    assert torch.equal(first.attacked.adversarial, brackets[0].attacked.adversarial) and torch.equal(first.x0, X[0])
    assert first.x0.dtype is torch.float32 and not first.x0.requires_grad


@pytest.mark.usefixtures("here")
def test_a_file_holds_no_code(brackets: cl.Results[cl.Bracket]):
    brackets.save("kept")
    with safe_open("kept", framework="pt") as file:
        assert set(file.metadata()) == {"kind", "version", "content", "digest"}
    assert b"pickle" not in Path("kept").read_bytes() and b"\x80\x04" not in Path("kept").read_bytes()[:10]


def altered(path: Path, **changed: str) -> None:
    """The same file with other texts in its header."""
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    header["__metadata__"] |= changed
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + size :])


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))


DAMAGES: dict[str, tuple[Any, str]] = {
    "cut": (lambda path: path.write_bytes(path.read_bytes()[:-10]), "damaged, or no file of results"),
    "empty": (lambda path: path.write_bytes(b""), "damaged, or no file of results"),
    "text": (lambda path: path.write_text("radius,1\n"), "damaged, or no file of results"),
    "gone": (lambda path: path.unlink(), "no such file"),
    "folder": (lambda path: (path.unlink(), path.mkdir()), "got a folder; cl.read_run reads that of a run"),
    "flipped bit": (flipped, "damaged, its content does not match its digest"),
    "another content": (lambda path: altered(path, content="{}"), "damaged, its content does not match its digest"),
    "later version": (lambda path: altered(path, version="2"), "expected results of version 1, got version 2"),
    "weights": (lambda path: save_file({"w": torch.zeros(2)}, path), "got another safetensors file"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_wrong_is_one_line(brackets: cl.Results[cl.Bracket], here: Path, damage: str):
    path = here / "kept"
    brackets.save(path)
    harm, said = DAMAGES[damage]
    harm(path)
    with pytest.raises(FileError) as error:
        cl.load(path)
    assert said in str(error.value) and str(path) in str(error.value) and "\n" not in str(error.value)
    assert not isinstance(error.value, PickleRefusedError)


@pytest.mark.parametrize(
    "content",
    [
        {"setup": {"record": ["CallSetup", {}, None]}, "records": []},
        {"setup": None, "records": []},
        {"setup": {"record": ["Popen", {"args": "true"}, None]}, "records": []},
        {"setup": {"tensor": "nowhere"}, "records": 3},
        [],
    ],
)
def test_content_of_another_kind_is_one_line(brackets: cl.Results[cl.Bracket], here: Path, content: object):
    from clearance.results.kept import _digest, _read

    path = here / "kept"
    brackets.save(path)
    text = json.dumps(content)
    altered(path, content=text, digest=_digest(text, _read(path)[1]))
    with pytest.raises(FileError, match="damaged"):
        cl.load(path)


def test_only_records_are_made():
    assert set(RECORDS) >= {"Bracket", "ProfileScore", "AttackResult", "Certificate", "Audit"}
    with pytest.raises(KeyError):
        decode({"record": ["Path", {}, None]}, {})
    with pytest.raises(ValueError, match="expected one of word, float"):
        decode({"code": "import os"}, {})
    with pytest.raises(TypeError, match="a function cannot be kept"):
        encode(test_only_records_are_made, {})


def test_values_come_back_as_they_were():
    values = {"a": (1, 2.5, math.inf, "x", None, True), "b": [cl.Status.OK, cl.Cost(1, 2)], "c": torch.ones(2).half()}
    tensors: dict[str, torch.Tensor] = {}
    found = decode(json.loads(json.dumps(encode(values, tensors))), tensors)
    assert found["a"] == values["a"] and found["b"] == values["b"] and found["c"].dtype is torch.float16


def test_an_older_file_stays_where_writing_fails(
    brackets: cl.Results[cl.Bracket], here: Path, monkeypatch: pytest.MonkeyPatch
):
    brackets.save("kept")
    before = (here / "kept").read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(FileError, match="No space left"):
        brackets[:1].save("kept")
    assert (here / "kept").read_bytes() == before and [path.name for path in here.iterdir()] == ["kept"]
