"""The list that every call returns, one record for each input; it can show itself, be kept in a file, become a page."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Generic, Literal, Self, SupportsIndex, TypeVar, overload

from clearance.errors import InputError
from clearance.geometry.exponents import as_norm
from clearance.model.robustness import RobustShares, check_level, is_radius
from clearance.records import PublicRecord, name_norm
from clearance.report.figures.brackets import panels
from clearance.report.page import write_pages
from clearance.report.paired import INTERVAL_LEVEL
from clearance.report.security import missing_curve, security_curves
from clearance.results.frames import PART_OF_CALL, as_dataframe, choose_columns, rows_of
from clearance.results.kept import KeptResults, read_results, write_results
from clearance.results.notebook import chart_html, table_html
from clearance.results.pages import as_run
from clearance.results.setup import SEVERAL, CallSetup, joined_setup, numbered_on, with_names
from clearance.results.short import ResultsSummary, groups_of, summarise_results

Item = TypeVar("Item", bound=PublicRecord, covariant=False)


class Results(list[Item], Generic[Item]):
    """The records of a call, one for each input, in order: a list like any other, which knows what was asked.

    A slice is such a list as well; so are the results that `load` reads back, and the sum of two (the batches of a
    loader) that were asked the same of the same network.

    Args:
        records: The records.
        setup: What was asked.

    Attributes:
        setup: What was asked: model, norm, target, choices, versions.

    >>> import torch, clearance as cl
    >>> line = torch.nn.Linear(2, 2, bias=False)
    >>> _ = line.weight.data.copy_(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
    >>> results = cl.certify(cl.Classifier(line), torch.tensor([[1.0, 0.5], [2.0, 1.0]]))
    >>> results
    Results(certify, Linear (in memory), l2, untargeted: 2 inputs (2 certified): median certified 1.49 over 2)
    >>> results[0].radius == results[:1][0].radius, results.summary().proofs
    (True, 2)
    """

    setup: CallSetup

    def __init__(self, records: Iterable[Item], setup: CallSetup) -> None:
        super().__init__(records)
        self.setup = setup

    @overload
    def __getitem__(self, place: SupportsIndex) -> Item: ...

    @overload
    def __getitem__(self, place: slice) -> Results[Item]: ...

    def __getitem__(self, place: SupportsIndex | slice) -> Item | Results[Item]:
        """One record, or those of a slice as such a list."""
        if isinstance(place, slice):
            return Results(super().__getitem__(place), self.setup)
        return super().__getitem__(place)

    def __add__(self, others: Any) -> Any:
        """These results and those of the same question on other inputs; with another list, a plain list."""
        if not isinstance(others, Results):
            return list(self) + others
        both = Results(self, self.setup)
        both.extend(others)
        return both

    def __radd__(self, others: Any) -> Any:
        """`sum` begins with 0."""
        return self[:] if others == 0 else NotImplemented

    def __iadd__(self, others: Iterable[Any]) -> Self:
        """Add the results of the same question on other inputs."""
        self.extend(others)
        return self

    def extend(self, others: Iterable[Any]) -> None:
        """Add the results of the same question on other inputs, which are numbered on; those of another are refused.

        Args:
            others: The results, or records.

        Raises:
            InputError: If others are results of another question: another call, network, norm, target or choice.
        """
        if isinstance(others, Results):
            setup, others = joined_setup(self.setup, others.setup), numbered_on(self, others)
            self.setup = setup
        super().extend(others)

    def __repr__(self) -> str:
        """What was asked, and what came out, in a line."""
        return f"{type(self).__name__}({self.in_short()})"

    def in_short(self) -> str:
        """The same without the name of the class."""
        found, groups = self.summary(), groups_of(self, each_its_own=self._each_its_own)
        about = "" if found.groups else f", {next(iter(groups), f'{name_norm(self.setup.norm)}, {self.setup.target}')}"
        return f"{self.setup.call}, {self.setup.model.name}{about}: {found}"

    @property
    def _each_its_own(self) -> bool:
        """Whether the call gave each input a target of its own."""
        return self.setup.target == SEVERAL

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return self.html()

    def html(self) -> str:
        """A table, and the chart of brackets, as a part of a page. It loads nothing from a network."""
        head = f"<p>{html.escape(self.in_short())}</p>"
        if not self:
            return head
        chart = ""
        if self.setup.call == "bracket":
            chart = chart_html(panels([as_run("results", self, self.setup, pictures=False)]))
        return f"<div>{head}{chart}{table_html(self, self.setup)}</div>"

    def summary(self) -> ResultsSummary:
        """Counts by status, medians, flags and cost: the numbers of the command line's summary.

        Brackets of several norms, targets or orders have a summary for each, in `groups`, and no median of all.

        Returns:
            A record that prints as one line.
        """
        found = summarise_results(self, each_its_own=self._each_its_own)
        if self.setup.parameters.get("radius") is not None and self.setup.call == "attack":
            return replace(found, attacked=None)  # each input was done at its first witness, not at its nearest
        return found

    def to_dataframe(self, columns: Literal["short", "all"] = "short") -> Any:
        """A `pandas.DataFrame` with a row for each input (the extra `pandas`).

        What must not be read is missing. `flags` has the codes of the flags as text.

        Args:
            columns: `"short"`: `input`, `label`, `predicted`, `norm`, `target`, `order`, `certified.radius`,
                `estimated.radius`, `estimated.interval`, `estimated.below_proof`, `attacked.distance`, `status`,
                `flags`, and passes and seconds; of one part alone, such as the results of `attack`, its own.
                `"all"`: every column that `clearance export` has.

        Returns:
            The frame.

        Raises:
            InputError: If `columns` is another word, or pandas is not installed.
        """
        names, rows = rows_of(self, self.setup)
        return as_dataframe(choose_columns(names, columns, PART_OF_CALL.get(self.setup.call, "")), rows)

    def robust_accuracy(
        self, radius: float, *, norm: float | str | None = None, level: float = INTERVAL_LEVEL
    ) -> RobustShares:
        """Robust accuracy of these brackets at one radius, from both ends; nothing is computed anew.

        The share proved and the share not broken; `cl.robust_accuracy` is the call that attacks at one radius only.
        Source: see `report.security`.

        Args:
            radius: The radius, in the units that results are in, >= 0.
            norm: Of brackets of several norms, which.
            level: Confidence level of the intervals, between 0 and 1.

        Returns:
            Both shares, with the standing of each input.

        Raises:
            InputError: If these are no brackets or their targets leave classes out, the radius or the level cannot be
                used, or the norm is none of theirs.

        >>> import torch, clearance as cl
        >>> line = torch.nn.Linear(2, 2, bias=False)
        >>> _ = line.weight.data.copy_(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
        >>> results = cl.bracket(cl.Classifier(line), torch.tensor([[1.0, 0.5], [0.1, 0.1]]), [0, 0], budget="quick")
        >>> results.robust_accuracy(0.5)
        RobustShares(1 proved, 1 not broken of 2 at 0.5)
        """
        run = as_run("results", self, self.setup, pictures=False)
        _check_radius(radius)
        if missing := missing_curve(run):
            raise InputError(f"results: {missing}")
        curves = {curve.norm: curve for curve in security_curves(run)}
        wanted = as_norm(norm) if norm is not None else next(iter(curves))
        if wanted not in curves or (norm is None and len(curves) > 1):
            got = "none" if norm is None else name_norm(wanted)
            raise InputError(f"norm: expected one of {', '.join(map(name_norm, curves))}, got {got}")
        return curves[wanted].at(radius, check_level(level))

    def save(self, path: str | Path) -> Path:
        """Write the records to a file, tensors included, all at once; an older file is replaced. `load` reads it.

        The file is a safetensors file: it holds no code.

        Args:
            path: The file.

        Returns:
            Its path.
        """
        write_results(KeptResults(self, self.setup), Path(path))
        return Path(path)

    def report(
        self,
        path: str | Path,
        *,
        radii: Sequence[float] = (),
        name: str = "",
        data: str = "",
        features: Sequence[str] = (),
    ) -> Path:
        """Write the page of these brackets, and beside it the auditor's, as `clearance report` does.

        Each is one HTML file that needs nothing else.

        Args:
            path: The file; an older one is replaced.
            radii: At which robust accuracy is written down; empty for round ones.
            name: What the pages call the network; empty for its kind.
            data: What they call the inputs; empty for what they were made from.
            features: What they call the features of a table, in their order, such as `list(frame.columns)`; empty for
                numbers from 0 on.

        Returns:
            Its path.

        Raises:
            InputError: If a radius or the names cannot be used.
        """
        setup = self.setup
        if isinstance(radii, str) or not isinstance(radii, Sequence):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InputError(f"radii: expected a list of numbers >= 0, such as [8 / 255], got {radii!r}")
        for radius in radii:
            _check_radius(radius)
        if name:
            setup = replace(setup, model=setup.model.model_copy(update={"name": name}))
        if len(features) > 0:
            setup = replace(setup, threat=with_names(setup.threat, features))
        run = as_run(Path(path).stem, self, replace(setup, data=data) if data else setup)
        return write_pages(run, Path(path), radii=radii)


def _check_radius(radius: object) -> None:
    """Raise unless it is a number from 0 on."""  # noqa: DOC501
    if not is_radius(radius):
        raise InputError(f"radius: expected a number >= 0, such as 8 / 255, got {radius!r}")


def load(path: str | Path) -> Results[Any]:
    """Read back what `Results.save` wrote: equal records, tensors included. Nothing in the file is run.

    Args:
        path: The file.

    Returns:
        The results.
    """
    found = read_results(Path(path))
    return Results(found.records, found.setup)
