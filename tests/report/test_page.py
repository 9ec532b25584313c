"""The page as text: names are text, what is missing is said, sizes are kept, nothing of it lies outside."""

from __future__ import annotations

import html.parser
import json
from pathlib import Path
from typing import Any

import pytest

from clearance.errors import FileError
from clearance.report.families import FAMILY_NAMES, Families, FamilyRow
from clearance.report.page import render_report, write_report
from clearance.report.read import read_records
from clearance.runs.plan import Plan, Task
from report_runs import HOSTILE, make_flag, make_plan, make_result, write_run

MEGABYTE = 1_000_000


class Reader(html.parser.HTMLParser):
    """Elements, the text that is shown, and the JSON of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.shown, self.json, self.scripts = "", "", 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.scripts += tag == "script"
        self.open.append("json" if dict(attrs).get("type") == "application/json" else tag)

    def handle_endtag(self, tag: str) -> None:
        self.open = self.open[: -1 - [*reversed(self.open)].index("json" if "json" in self.open else tag)]

    def handle_data(self, data: str) -> None:
        inside = self.open[-1] if self.open else ""
        if inside == "json":
            self.json += data
        elif not {"script", "style"} & set(self.open):
            self.shown += data


def page_of(tmp_path: Path, plan: Plan, result: Any = make_result) -> tuple[str, Reader]:
    page = write_report(write_run(tmp_path / "run", plan, result)).read_text(encoding="utf-8")
    return page, Reader(page)


def test_a_page_holds_all_that_it_needs(tmp_path: Path):
    page, read = page_of(tmp_path, make_plan(2))
    assert read.scripts == 3
    addresses = [value or "" for _, given in read.elements for name, value in given.items() if name in ("src", "href")]
    beside = {address for address in addresses if not address.startswith(("#", "data:"))}
    assert beside == {"auditor.html"} and all((tmp_path / "run" / address).is_file() for address in beside)
    assert "default-src 'none'" in page and "connect-src" not in page
    assert json.loads(read.json)["columns"]["index"] == [0, 1]


def test_flags_come_before_the_numbers_they_doubt(tmp_path: Path):
    flags = (make_flag(share=0.875), make_flag("poor_fit", "info", p_value=0.01))
    _, read = page_of(tmp_path, make_plan(2), lambda task: make_result(task, status="masked", flags=flags))
    places = [
        read.shown.index(text)
        for text in ("made-up", "signs of hidden gradients", "zero_gradient", "100 % masked", "The medians of")
    ]
    assert places == sorted(places)
    medians = "certified 0.200 (proved), no estimate may be read, attacked 0.800 (witnessed)."
    assert (
        f"The medians of 2 inputs: {medians}" in read.shown
        and "Estimates: 100 % masked; a warning or an error on 100 %." in read.shown
    )
    assert "share 0.875" in read.shown and "What to do about zero_gradient: zero_gradient, in 2 brackets." in read.shown
    assert "no flag casts doubt" not in read.shown
    _, calm = page_of(tmp_path / "calm", make_plan(2))
    assert "no flag casts doubt" in calm.shown


def test_bundled_weights_have_no_folder_and_given_ones_keep_theirs(tmp_path: Path):
    folder = "/home/someone/clearance/zoo/weights"
    own, given = f"{folder}/made-up.safetensors", f"{folder}/other.safetensors"
    for place, (file, shown) in enumerate([(own, "weights made-up.safetensors, "), (given, f"weights {given}, ")]):
        plan = make_plan(1)
        plan = plan.model_copy(update={"model": plan.model.model_copy(update={"weights": file})})
        page, read = page_of(tmp_path / str(place), plan)
        assert shown in read.shown and ("/home/someone" in page) == (file == given)


def test_a_set_and_what_it_was_called_stand_beside_each_other(tmp_path: Path):
    for place, (name, source, shown) in enumerate(
        [
            ("digits-test", "digits", "digits-test (digits), "),
            ("digits", "digits", "digits, "),
            ("inputs (in memory)", " (in memory)", "inputs (in memory), "),
            ("MNIST", " (in memory)", "MNIST (in memory), "),
        ]
    ):
        plan = make_plan(1)
        plan = plan.model_copy(update={"data": plan.data.model_copy(update={"name": name, "source": source})})
        _, read = page_of(tmp_path / str(place), plan)
        assert f"Data{shown}" in read.shown.replace("\n", "")


def test_counts_and_bounds_have_no_digits_after_the_point(tmp_path: Path):
    flags = (make_flag(share=0.9, points=512),)
    _, read = page_of(tmp_path, make_plan(1), lambda task: make_result(task, flags=flags))
    assert "Measured: share 0.900, points 512" in read.shown
    assert "Distances are in input units, inputs in [0, 1]." in read.shown


def test_the_answer_says_over_how_many(tmp_path: Path):
    kinds = {0: {"status": "refuted"}, 1: {"attacked": None}, 2: {"status": "misclassified"}}
    _, read = page_of(tmp_path, make_plan(6), lambda task: make_result(task, **kinds.get(task.index, {})))
    assert "Estimates: 20 % refuted." in read.shown and "made-up classifies 5 of 6 inputs correctly." in read.shown
    assert "attacked 0.800 (witnessed for 4 of 5)" in read.shown
    assert (
        "estimated 0.500 (no bound; over the 4 of 5 that may be read, which have certified 0.200 and attacked 0.800)"
        in read.shown
    )


@pytest.mark.parametrize(
    ("result", "sentence"),
    [
        (lambda task: "ValueError: expected a network", "No task has succeeded: there is nothing to show."),
        (lambda task: "ValueError: expected a network", "4 tasks failed"),
        (lambda task: None, "This run is unfinished: 0 of 4 tasks are done."),
        (lambda task: make_result(task) if task.index < 3 else None, "This run is unfinished: 3 of 4 tasks are done."),
        (lambda task: make_result(task, status="misclassified"), "Every input is misclassified"),
        (lambda task: make_result(task) if task.index == 0 else "X: y", "There is one input only"),
        (lambda task: make_result(task, attacked=None), "without finding an adversarial example, which proves nothing"),
        (lambda task: make_result(task, estimated=None, status="masked"), "no estimate may be read"),
        (
            lambda task: make_result(task, certified="inf", attacked=None),
            "proved: no valid input is adversarial",
        ),
    ],
)
def test_what_is_missing_is_said(tmp_path: Path, result: Any, sentence: str):
    _, read = page_of(tmp_path, make_plan(4), result)
    assert sentence in read.shown
    assert json.loads(read.json)
    assert "NaN" not in read.json and "Infinity" not in read.json and "nan" not in read.shown


def test_a_finished_run_says_nothing_of_the_kind(tmp_path: Path):
    _, read = page_of(tmp_path, make_plan(4))
    assert [tag for tag, given in read.elements if given.get("class") == "notice"] == ["p"]  # without scripts
    assert "unfinished" not in read.shown and "failed" not in read.shown and "Nothing to show" not in read.shown


def test_errors_of_tasks_are_shown_as_text(tmp_path: Path):
    _, read = page_of(tmp_path, make_plan(2), lambda task: f"ValueError: {HOSTILE}")
    assert HOSTILE.replace("\u2028", " ") in read.shown.replace("\u2028", " ")
    assert read.scripts == 3


def test_names_are_text_everywhere(tmp_path: Path):
    names = tuple(HOSTILE for _ in range(10))
    plan = make_plan(2, name=HOSTILE, class_names=names, targets=(HOSTILE,))
    flags = (make_flag("a<b>", note=HOSTILE),)
    page, read = page_of(tmp_path, plan, lambda task: make_result(task, flags=flags))
    assert read.scripts == 3 and not [tag for tag, _ in read.elements if tag == "b"]
    assert "<script>alert" not in page and "\u2028" not in read.json and "<" not in read.json
    assert json.loads(read.json)["runs"][0]["classes"]["0"] == HOSTILE
    assert HOSTILE in read.shown


def mixed(task: Task, shape: tuple[int, ...]) -> Any:
    if task.index % 10 == 0:
        return make_result(task, shape=shape, status="misclassified")
    if task.index % 10 == 1:
        flags = (make_flag(share=0.9), make_flag("path_integral", "warning", missed=0.4, length=1.0, points=512))
        return make_result(task, shape=shape, status="masked", flags=flags)
    return make_result(task, shape=shape, blocks=24, flags=(make_flag("poor_fit", "info", p_value=0.01),))


@pytest.mark.parametrize(
    ("count", "limit", "shape"), [(100, 6 * MEGABYTE, (3, 96, 96)), (1000, 15 * MEGABYTE, (1, 28, 28))]
)
@pytest.mark.thinned(2)
def test_a_large_run_keeps_to_its_size(tmp_path: Path, monkeypatch, count: int, limit: int, shape: tuple[int, ...]):
    """Noise compresses worst of all pictures."""
    fit = {"location": 10.1, "scale": 0.4, "shape": 3.0, "ks": 0.1, "p_value": 0.7, "status": "ok"}
    monkeypatch.setattr("report_runs.make_fit", lambda maxima: fit)
    families = Families(tuple(FamilyRow(name, "-123.45", "0.123", "0.678") for name in FAMILY_NAMES.values()), "")
    monkeypatch.setattr("clearance.report.payload.families_of", lambda entry: families)
    plan = make_plan(count, targets=("random", "least-likely", "runner-up"))
    folder = write_run(tmp_path / "run", plan, lambda task: mixed(task, shape))
    size = len(render_report(read_records(folder)).encode())
    assert MEGABYTE < size < limit


def test_an_older_page_is_replaced_and_the_run_is_not(tmp_path: Path):
    folder = write_run(tmp_path / "run", make_plan(1))
    first = write_report(folder).read_text()
    other = write_report(folder, tmp_path / "other.html")
    assert write_report(folder).read_text() == first == other.read_text().replace("other-auditor", "auditor")
    assert {path.name for path in folder.iterdir()} >= {"plan.json", "results.sqlite", "report.html", "auditor.html"}
    with pytest.raises(FileError):
        write_report(folder, tmp_path / "missing" / "report.html")
