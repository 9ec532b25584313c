"""A run on the disk, as Python reads it: results by model, norm and target, tables, pages."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from clearance.bracket import Bracket
from clearance.data.files import path_kind
from clearance.errors import InputError
from clearance.geometry.exponents import as_norm
from clearance.report.compare import compare
from clearance.report.compare_page import COMPARE_FILE, write_comparison
from clearance.report.page import write_report
from clearance.report.read import read_records
from clearance.report.records import RunRecords
from clearance.results.frames import as_dataframe, choose_columns, flags_as_text
from clearance.results.results import Results
from clearance.results.setup import CallSetup, is_plain
from clearance.results.short import ResultsSummary
from clearance.results.stored import bracket_of
from clearance.runs.execute import PLAN_FILE, require_run
from clearance.runs.execute import read_run as open_to_read
from clearance.runs.export import as_table, iterate_records
from clearance.runs.plan import Plan, Task, read_plan
from clearance.runs.store import Record

SEVERAL_TARGETS = "several targets"
"""In the place of a target where results are of more than one."""
Group = tuple[str, float, str]
"""A model's name, a norm and a target."""


class SavedRun:
    """A run in its folder: what `clearance bracket --out` and `cl.run` make. Nothing is kept open between calls.

    Args:
        folder: Where it lies.
        parts: A name for each model, and the folder of its run; of one model that is the folder itself.

    Attributes:
        folder: Where it lies.
        parts: A name for each model, and the folder of its run.
    """

    def __init__(self, folder: Path, parts: Mapping[str, Path]) -> None:
        self.folder, self.parts = folder, dict(parts)

    def __repr__(self) -> str:
        """Its folder, its models, and how much of it is finished."""
        done = [self._progress(name) for name in self.parts]
        finished, failed, total = (sum(numbers) for numbers in zip(*done, strict=True))
        wrong = f", {failed} failed" if failed else ""
        return f"{type(self).__name__}({self.folder}: {', '.join(self.parts)}, {finished} of {total} tasks{wrong})"

    def _repr_html_(self) -> str:
        """The results of each model, norm and target: what a notebook shows."""
        shown = "".join(results.html() for results in self.groups().values())
        return f"<div><p>{html.escape(repr(self))}</p>{shown}</div>"

    @property
    def plans(self) -> dict[str, Plan]:
        """Model's name -> what was asked of it; `plans[name].id` is the hash of all that determines the results."""
        return {name: read_plan(folder / PLAN_FILE) for name, folder in self.parts.items()}

    @property
    def finished(self) -> bool:
        """Whether every task is finished; failed ones count as such."""
        return all(done == total for done, _, total in map(self._progress, self.parts))

    @property
    def failures(self) -> list[str]:
        """Why tasks failed, one line each; empty where none did."""
        lines: list[str] = []
        for name in self.parts:
            _, found = self._read(name)
            lines += [f"{name}, input {task.index}: {record.error}" for task, record in found if record.error]
        return lines

    def results(
        self,
        model: str | None = None,
        *,
        norm: float | str | None = None,
        target: str | int | None = None,
        order: int | None = None,
    ) -> Results[Bracket]:
        """The finished brackets of one model, in the order of its plan; failed tasks are left out (`failures`).

        A run keeps no number that must not be read: those are NaN. Results of several norms, targets or orders have a
        summary, and a chart, for each of them.

        Args:
            model: Name of the model; may be left out where there is one.
            norm: Only this norm; `None`: all.
            target: Only this target; `None`: all.
            order: Only this order of the estimate; `None`: all.

        Returns:
            The brackets.

        Raises:
            InputError: If the model is not named and there are several, or the run has no such model, norm or target.
        """
        name = self._one(model)
        plan, found = self._read(name)
        wanted = None if norm is None else as_norm(norm)
        for what, asked, known in (
            ("norm", wanted, plan.threat.norms),
            ("target", None if target is None else str(target), tuple(map(str, plan.threat.targets))),
            ("order", order, plan.orders),
        ):
            if asked is not None and asked not in known:
                raise InputError(f"{what}: expected one of {', '.join(map(str, known))}, got {asked}")
        kept = [
            (task, record)
            for task, record in found
            if record.error is None
            and (wanted is None or task.norm == wanted)
            and (target is None or str(task.target) == str(target))
            and (order is None or task.order == order)
        ]
        return Results((bracket_of(task, record) for task, record in kept), setup_of_plan(plan, wanted, target))

    def groups(self) -> dict[Group, Results[Bracket]]:
        """The results of each model, norm and target."""
        return {
            (name, norm, str(target)): self.results(name, norm=norm, target=target)
            for name, plan in self.plans.items()
            for norm in plan.threat.norms
            for target in plan.threat.targets
        }

    def summary(self) -> dict[Group, ResultsSummary]:
        """The summary of each model, norm and target."""
        return {group: results.summary() for group, results in self.groups().items()}

    def to_dataframe(self, columns: Literal["short", "all"] = "short") -> Any:
        """A `pandas.DataFrame` with a row for each finished task.

        With several models the first column, `model`, names them. `error` says why a task failed.

        Args:
            columns: `"short"`: as `Results.to_dataframe` has them; `"all"`: those of `clearance export`, and `flags`.

        Returns:
            The frame.
        """
        rows: list[dict[str, Any]] = []
        for name, folder in self.parts.items():
            with open_to_read(folder) as run:
                named = {"model": name} if len(self.parts) > 1 else {}
                rows += [{**named, **record, **flags_as_text(record)} for record in iterate_records(run)]
        names, rows = as_table(rows)
        return as_dataframe(choose_columns(names, columns), rows)

    def report(self, *, radii: Sequence[float] = ()) -> list[Path]:
        """Write the page of each model's run into its folder, and of several models the page that compares them.

        Args:
            radii: At which robust accuracy is written down; empty for round ones.

        Returns:
            The pages; that of the comparison first.
        """
        pages = [write_report(folder, radii=radii) for folder in self.parts.values()]
        if len(self.parts) == 1:
            return pages
        together = self.folder / COMPARE_FILE
        write_comparison(compare(self.records(sharing=len(self.parts))), together)
        return [together, *pages]

    def records(self, *, sharing: int = 1) -> list[RunRecords]:
        """The run of each model as pages read it, under its name."""
        return [replace(read_records(folder, sharing=sharing), name=name) for name, folder in self.parts.items()]

    def _one(self, model: str | None) -> str:
        if model is None and len(self.parts) == 1:
            return next(iter(self.parts))
        if model not in self.parts:
            raise InputError(f"model: expected one of {', '.join(self.parts)}, got {model}")
        return model

    def _read(self, name: str) -> tuple[Plan, list[tuple[Task, Record]]]:
        """The plan of a model's run, and its finished tasks in the plan's order."""
        with open_to_read(self.parts[name]) as run:
            return run.plan, [(task, record) for task in run.plan.tasks() if (record := run.store.read(task.key))]

    def _progress(self, name: str) -> tuple[int, int, int]:
        with open_to_read(self.parts[name]) as run:
            found = run.progress()
            return found.done, found.failed, found.total


def setup_of_plan(plan: Plan, norm: float | None, target: str | int | None) -> CallSetup:
    """What was asked of some tasks of a run.

    Args:
        plan: The plan.
        norm: Their norm; `None`: all norms of the plan.
        target: Their target; `None`: all targets of the plan.

    Returns:
        The record.
    """
    norms, targets = plan.threat.norms, tuple(map(str, plan.threat.targets))
    parameters = {**plan.parameters, "time_limit": plan.parameters.get("certificate_seconds")}
    return CallSetup(
        call="bracket",
        model=plan.model,
        norm=norms[0] if norm is None else norm,
        target=str(target) if target is not None else targets[0] if len(targets) == 1 else SEVERAL_TARGETS,
        order=plan.orders[0],
        seed=plan.seed,
        parameters={name: value for name, value in parameters.items() if is_plain(value)},  # pyright: ignore
        threat=plan.threat,
        data=plan.data.name,
        source=plan.data.source,
        class_names=plan.data.class_names,
        versions=plan.versions,
    )


def read_run(folder: str | Path) -> SavedRun:
    """A run that is there, finished or not, also while it goes on: made by `clearance bracket --out` or by `cl.run`.

    Args:
        folder: The run's folder, or one whose folders are the runs of several models.

    Returns:
        The run. Nothing in the folder is changed.

    Raises:
        FileError: If there is no run, or it is damaged.
    """
    place = Path(folder)
    if path_kind(place) == "folder" and path_kind(place / PLAN_FILE) == "none":
        parts = {path.name: path for path in sorted(place.iterdir()) if path_kind(path / PLAN_FILE) == "file"}
        if parts:
            return SavedRun(place, parts)
    require_run(place)
    return SavedRun(place, {read_plan(place / PLAN_FILE).model.name: place})
