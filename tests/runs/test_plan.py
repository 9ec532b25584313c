"""Plans: what they are made of, their ids and tasks, how they are written, read and compared."""

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydantic
import pytest

from clearance.errors import FileError, InputError
from clearance.runs import plan as plans
from clearance.runs.differences import differences
from clearance.runs.plan import ModelSpec, Plan, ThreatModel, read_plan, write_plan
from clearance.runs.threat import Feature
from clearance.runs.versions import code_version, current_versions
from conftest import ROOT
from run_tasks import make_data, make_plan


def written(tmp_path: Path, plan: Plan | None = None) -> Path:
    file = tmp_path / "plan.json"
    write_plan(plan or make_plan(), file)
    return file


def edited(file: Path, change: Callable[[dict], object]) -> Path:
    document = json.loads(file.read_text())
    change(document)
    file.write_text(json.dumps(document))
    return file


def test_a_plan_is_read_as_it_was_written(tmp_path: Path):
    plan = make_plan()
    file = written(tmp_path, plan)
    again = read_plan(file)
    assert again == plan and again.id == plan.id and again.tasks() == plan.tasks()
    assert again.threat.norms == (2.0, math.inf)
    document = json.loads(file.read_text())
    assert document["threat"]["norms"] == [2.0, "inf"] and document["id"] == plan.id
    assert [path.name for path in tmp_path.iterdir()] == ["plan.json"]


def test_a_plan_cannot_be_changed():
    plan = make_plan()
    with pytest.raises(pydantic.ValidationError):
        plan.seed = 1  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(TypeError):
        plan.parameters["budget"] = "thorough"  # pyright: ignore[reportIndexIssue]


@pytest.mark.parametrize(
    "fields",
    [
        {"seed": 1.5},
        {"seed": True},
        {"unknown": 1},
        {"parameters": {"radius": math.nan}},
        {"parameters": {"nested": {"a": 1}}},
        {"threads": 0},
        {"orders": ()},
        {"orders": (1, 1)},
        {"threat": {"norms": (0.5,), "targets": ("random",), "bounds": None}},
        {"threat": {"norms": (math.nan,), "targets": ("random",), "bounds": None}},
        {"threat": {"norms": (2.0, 2.0), "targets": ("random",), "bounds": None}},
        {"threat": {"norms": (2.0,), "targets": (), "bounds": None}},
        {"threat": {"norms": (2.0,), "targets": ("random",), "bounds": (0.0, math.nan)}},
    ],
)
def test_what_is_no_plan_is_refused(fields: dict):
    with pytest.raises(ValueError, match="validation error"):
        make_plan(**fields)


def test_inputs_and_labels_are_as_many_as_the_count():
    with pytest.raises(ValueError, match="expected 3 inputs and labels, got 2 and 3"):
        make_data(3, input_keys=("a", "b"))


def test_the_id_depends_on_everything_and_not_on_the_order_of_names():
    plan = make_plan()
    assert plan.id == make_plan(parameters=dict(reversed(plan.parameters.items()))).id
    others = [
        make_plan(seed=1),
        make_plan(threads=2),
        make_plan(parameters={**plan.parameters, "tolerance": math.nextafter(0.05, 1)}),
        make_plan(data=make_data(3, labels=(0, 1, 3))),
        make_plan(model=ModelSpec(name="digits-standard", weights="w.safetensors", weights_hash="ab13")),
        make_plan(versions={**plan.versions, "code": "c0df"}),
    ]
    assert len({plan.id, *(other.id for other in others)}) == 1 + len(others)


def test_one_task_for_each_input_norm_target_and_order():
    tasks = make_plan(2, orders=(1, 2)).tasks()
    assert len(tasks) == len({task.key for task in tasks}) == 2 * 2 * 2 * 2
    assert [task.index for task in tasks] == [5] * 8 + [6] * 8
    assert [(t.norm, t.target, t.order) for t in tasks[:3]] == [(2, "runner-up", 1), (2, "runner-up", 2), (2, 3, 1)]
    assert tasks[0].label == 0 and tasks[8].input_key == "key1"


def test_a_key_stands_for_the_content_and_not_for_its_place_or_company():
    def key(plan: Plan, place: int = 0) -> str:
        return plan.tasks()[place].key

    plan = make_plan(3)
    alone = make_plan(data=make_data(1, offset=70, input_keys=("key2",), labels=(2,)))
    assert key(alone) == key(plan, 8)
    fewer = make_plan(threat=ThreatModel(norms=(math.inf,), targets=("runner-up",), bounds=(0.0, 1.0)))
    assert key(fewer) == key(plan, 2)
    moved = make_plan(model=ModelSpec(name="digits-standard", weights="elsewhere", weights_hash="ab12"))
    assert key(moved) == key(plan)
    changed = [
        make_plan(seed=1),
        make_plan(data=make_data(3, labels=(1, 1, 2))),
        make_plan(parameters={"budget": "thorough"}),
        make_plan(threat=ThreatModel(norms=(2.0,), targets=("runner-up",), bounds=None)),
        make_plan(model=ModelSpec(name="digits-standard", weights_hash="ab13")),
        make_plan(orders=(2,)),
    ]
    assert len({key(plan), *(key(other) for other in changed)}) == 1 + len(changed)


def test_equal_inputs_share_a_key_unless_their_labels_differ():
    first, second, third = make_plan(
        data=make_data(3, input_keys=("a", "a", "a"), labels=(1, 1, 2)),
        threat=ThreatModel(norms=(2.0,), targets=("random",), bounds=None),
    ).tasks()
    assert first.key == second.key != third.key


def test_differences_are_named_one_by_one():
    plan = make_plan()
    other = make_plan(
        seed=1,
        parameters={"budget": "quick", "tolerance": 0.1, "blocks": 40},
        model=ModelSpec(name="digits-standard", weights="moved", weights_hash="cd"),
        threat=ThreatModel(norms=(2.0,), targets=("runner-up", 3), bounds=None),
    )
    assert differences(plan, other) == [
        'model.weights_hash: "ab12" -> "cd" (MODEL: its values or its code)',
        'threat.norms: [2.0, "inf"] -> [2.0]',
        "threat.bounds: [0.0, 1.0] -> nothing (--bounds)",
        "parameters.tolerance: 0.05 -> 0.1",
        "parameters.sizes: [1, 2] -> nothing",
        "seed: 0 -> 1 (--seed)",
        "parameters.blocks: nothing -> 40",
    ]
    assert not differences(plan, make_plan())


def test_differences_of_many_inputs_are_counted():
    keys = [f"key{i}" for i in range(10)]
    keys[4], keys[7] = "x", "y"
    assert differences(make_plan(10), make_plan(data=make_data(10, input_keys=tuple(keys)))) == [
        "data.input_keys: 2 of 10 differ, first that of input 9: key4 -> x (DATA)"
    ]
    assert differences(make_plan(10), make_plan(12)) == ["data.count: 10 -> 12"]


def test_a_written_plan_is_not_replaced(tmp_path: Path):
    file = written(tmp_path)
    before = file.read_bytes()
    with pytest.raises(FileError, match="there already"):
        write_plan(make_plan(seed=1), file)
    assert file.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(schema_version=2), "expected a plan of version 1, got version 2"),
        (lambda d: d.update(schema_version="x" * 10**6), "got version x"),
        (lambda d: d.pop("schema_version"), "expected a plan, got JSON of another kind"),
        (lambda d: d.update(seed=7), "does not match its id"),
        (lambda d: d.pop("id"), "does not match its id"),
        (lambda d: d["model"].update(name="../../etc/passwd"), "does not match its id"),
        (lambda d: d.update(surprise=1), "surprise: "),
        (lambda d: d["model"].update({"x" * 10**5: 1}), "model.x"),
        (lambda d: d["data"].update(count="3"), "data.count: "),
        (lambda d: d["data"].update(count=4), "expected 4 inputs and labels, got 3 and 3"),
        (lambda d: d["threat"].update(norms=["-inf"]), "threat.norms.0"),
        (lambda d: d.update(model=None), "model: "),
        (lambda d: d.update(seed=[[]] * 100000), "seed: "),
    ],
)
def test_an_edited_plan_is_refused_in_one_line(tmp_path: Path, change: Callable[[dict], object], message: str):
    file = edited(written(tmp_path), change)
    before = file.read_bytes()
    with pytest.raises(FileError, match=message) as caught:
        read_plan(file)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 600 and str(file) in str(caught.value)
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{", b"[]", b"null", b"\x80\x05", b"\0" * 100, b"[" * 10**6, b'{"a":' * 10**5),
        b'{"schema_version": 1, "seed": NaN}',
        b'{"schema_version": 1, "seed": 1' + b"0" * 10**5 + b"}",
        b'{"schema_version": 1, "\\ud800": "\\ud800"}',
        b'{"schema_version": 1, "seed": ' + b"[" * 900 + b"]" * 900 + b"}",
    ],
)
def test_what_is_no_json_of_a_plan_is_refused_in_one_line(tmp_path: Path, content: bytes):
    file = tmp_path / "plan.json"
    file.write_bytes(content)
    with pytest.raises(FileError) as caught:
        read_plan(file)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 600


def test_every_truncation_and_every_flipped_bit_is_noticed_or_harmless(tmp_path: Path):
    plan = make_plan(1)
    file = written(tmp_path, plan)
    data = file.read_bytes()
    random = np.random.default_rng(0)
    flips = [(int(random.integers(len(data))), int(random.integers(8))) for _ in range(600)]
    noticed = 0
    for content in [data[:cut] for cut in range(0, len(data) - 2, 7)] + [flipped(data, *flip) for flip in flips]:
        file.write_bytes(content)
        try:
            assert read_plan(file) == plan  # a space for a line break, a digit below the precision
        except FileError as error:
            noticed += 1
            assert "\n" not in str(error)
    assert noticed > 600


def flipped(data: bytes, place: int, bit: int) -> bytes:
    return data[:place] + bytes([data[place] ^ (1 << bit)]) + data[place + 1 :]


def test_a_huge_plan_is_not_read(tmp_path: Path):
    file = tmp_path / "plan.json"
    file.write_bytes(b"{")
    os.truncate(file, 10 * 2**30)  # sparse: takes no room
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))\n"
        "from pathlib import Path; from clearance.runs.plan import read_plan; read_plan(Path(sys.argv[1]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, file], capture_output=True, text=True, env=environment(), check=False
    )
    assert "expected at most 16,777,216 bytes, got 10,737,418,240" in done.stderr


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT / "src")}


def test_a_plan_that_is_too_large_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(plans, "MAX_BYTES", 1000)
    with pytest.raises(InputError, match=r"plan: expected at most 1,000 bytes, got .*; choose fewer inputs"):
        write_plan(make_plan(100), tmp_path / "plan.json")
    assert not list(tmp_path.iterdir())


def test_versions_name_what_results_depend_on():
    versions = current_versions()
    assert set(versions) == {"clearance", "code", "python", "torch", "numpy", "scipy"}
    assert (
        versions["numpy"] == np.__version__ and versions["code"] == code_version() and "none" not in versions.values()
    )


def test_the_hash_of_the_code_is_that_of_the_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from clearance.runs import versions

    (tmp_path / "runs").mkdir()
    (tmp_path / "a.py").write_text("a = 1")
    monkeypatch.setattr(versions, "__file__", str(tmp_path / "runs" / "versions.py"))
    seen = set()
    for change in (None, ("a.py", "a = 2"), ("runs/b.py", ""), ("notes.txt", "no code")):
        if change:
            (tmp_path / change[0]).write_text(change[1])
        code_version.cache_clear()
        seen.add(code_version())
    code_version.cache_clear()
    assert len(seen) == 3


def test_plans_and_stores_need_no_torch():
    code = (
        "import sys, clearance.runs.store, clearance.runs.versions, clearance.runs.differences\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=environment())


def test_a_plan_of_a_version_that_asked_no_answers_is_read(tmp_path: Path):
    plan = make_plan()
    content = plan.model_dump(mode="json")
    for part, name in plans.NEW_FIELDS:
        del content[part][name]
    del content["origin"]
    document = {"id": plans.digest(content), **content}  # as such a version wrote it
    (tmp_path / "plan.json").write_text(json.dumps(document))
    assert read_plan(tmp_path / "plan.json") == plan


def test_places_are_part_of_the_plan_where_they_do_not_follow_each_other():
    apart = make_plan(data=make_data(3, offset=9, indices=(9, 2, 3)))
    assert [task.index for task in apart.tasks()][:: len(apart.tasks()) // 3] == [9, 2, 3]
    assert apart.data.where == "at 9, 2 to 3" and make_plan().data.where == "from index 5"
    assert len({apart.id, make_plan(data=make_data(3, offset=9)).id}) == 2
    same_content = make_plan(data=make_data(3, offset=9))
    assert [task.key for task in apart.tasks()] == [task.key for task in same_content.tasks()]  # places are no content


@pytest.mark.parametrize("indices", [(9, 2), (9, 2, 2), (2, 9, 3), (9, -1, 3)])
def test_places_that_do_not_go_with_the_inputs(indices: tuple[int, ...]):
    with pytest.raises(ValueError, match=r"3 different places from 9"):
        make_data(3, offset=9, indices=indices)


def test_a_feature_that_differs_is_told_by_its_name():
    def plan(moves: bool, space: str) -> Plan:
        names = [f"f{place}" for place in range(8)]
        features = tuple(Feature(name=n, unit=1.0, low=0.0, high=1.0, moves=moves or n != "f2") for n in names)
        threat = ThreatModel(norms=(2.0,), targets=("untargeted",), bounds=(0.0, 1.0), space=space, features=features)
        return make_plan(threat=threat)

    (told,) = [one for one in differences(plan(True, "a"), plan(False, "b")) if one.startswith("threat.")]
    flags = "--scale, --bounds-file, --fixed, or the data"
    assert told == f"threat.features: 1 of 8 differ, first f2: moves true -> false ({flags})"
