"""`cl.run`: a run made from Python, of one model or of several, that either Python or the command line resumes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearance.errors import InputError
from clearance.estimates.settings import Bound
from clearance.geometry.exponents import as_norm
from clearance.model.classifier import check_classifier
from clearance.model.progress import Progress, following
from clearance.results.run_inputs import Count, DataLike, ModelLike, run_inputs
from clearance.results.saved_run import SavedRun, read_run
from clearance.results.setup import name_of
from clearance.runs.engines import Engine
from clearance.runs.engines.local import LocalEngine
from clearance.runs.evaluate import Evaluation
from clearance.runs.execute import open_run
from clearance.runs.in_order import evaluate_tasks
from clearance.runs.plan import Plan
from clearance.runs.start import RunChoices, plan_run

ENGINES = ("local", "ray")
"""Where tasks may be computed, by name."""


@dataclass(frozen=True)
class PlannedRun:
    """One model's run before anything of it is computed.

    Attributes:
        folder: Where it will lie.
        plan: What is computed.
        shared: What its tasks share.
    """

    folder: Path
    plan: Plan
    shared: Evaluation


def run(
    models: ModelLike | Sequence[ModelLike] | Mapping[str, ModelLike],
    data: DataLike,
    *,
    out: str | Path,
    norms: float | str | Sequence[float | str] = 2.0,
    targets: str | int | Sequence[str | int] = "untargeted",
    order: int = 1,
    bound: Bound | None = None,
    budget: str | int = "standard",
    certificate: str = "best",
    time_limit: float | None = None,
    seed: int = 0,
    count: Count = None,
    resume: bool = False,
    retry_failed: bool = False,
    engine: str | Engine = "local",
    progress: Progress = True,
) -> SavedRun:
    """Bracket every input for every norm and target, in a folder that keeps each result as soon as it is there.

    The folder is the one that `clearance bracket MODEL DATA --out` makes: of the same specs and choices it has the same
    plan, and either resumes it. A model or inputs in memory are in the plan by their content; only Python resumes that.

    Args:
        models: A model spec or a classifier: `out` is its run. A list or a mapping of them: `out` has the run of each
            in a folder of its name.
        data: A data spec, a set as `load_data` returns it, or inputs `(count, *input)` with their labels.
        out: The folder; made where it is not there.
        norms: The norm `p` of distances, from 1 to infinity, or several.
        targets: A name of `model.targets.TARGETS`, a class index, or several.
        order: Order of the estimate, 1 or 2.
        bound: How the estimate bounds the distance, as in `clever`.
        budget: How hard attack and estimate try, as in `bracket`.
        certificate: How a radius is proved, as in `bracket`.
        time_limit: Seconds for the certificate of each input; `None`: those of the budget.
        seed: With each input's content, fixes every random number.
        count: How many inputs of a data spec: a number, `"all"`, or `None` for 10, the command line's default.
        resume: Go on with the run in the folder, or start it. An interrupted run has lost nothing that was finished.
        retry_failed: Compute failed tasks again; with `resume`.
        engine: `"local"`, this process; `"ray"`; or an engine of `runs.engines`.
        progress: True: a bar where a person watches, a terminal or a notebook; a function: it is told
            `(done, total, left)` after each task, `left` in seconds; False: neither. The environment variable
            `CLEARANCE_PROGRESS=lines` writes a line every five seconds where nobody watches.

    Returns:
        The run, to read results from. Tasks that failed are in its `failures`.

    Raises:
        InputError: If an argument cannot be used; nothing has been computed then.
        FileError: If the folder holds a run and `resume` is false, a run of another plan, or other files.
    """
    if retry_failed and not resume:
        raise InputError("retry_failed: expected resume=True with it: it goes on with a run that is there")
    where = _engine(engine)
    choices = RunChoices(
        norms=[as_norm(norm) for norm in _several(norms)],
        targets=_several(targets),
        order=order,
        bound=bound,
        budget=budget,
        certificate=certificate,
        time_limit=time_limit,
        seed=seed,
    )
    planned: list[PlannedRun] = []
    for name, folder, model in _parts(models, Path(out)):
        inputs = run_inputs(model, data, name=name, count=count)
        planned.append(PlannedRun(folder, *plan_run(inputs, choices)))
    total = sum(_missing(one, resume=resume, retry_failed=retry_failed) for one in planned)
    with following(progress, "bracketing", total) as advance:
        for one in planned:
            with open_run(one.folder, one.plan, resume=True) as opened:  # `_missing` has started it
                shared = one.shared.of(opened.plan)
                for _ in opened.compute(evaluate_tasks, shared=shared, engine=where, retry_failed=retry_failed):
                    advance(1)
    return read_run(out)


def _missing(one: PlannedRun, *, resume: bool, retry_failed: bool) -> int:
    """How many tasks are to be computed; the folder is there and this plan's from then on."""
    with open_run(one.folder, one.plan, resume=resume) as opened:
        return len(opened.missing(retry_failed=retry_failed))


def _parts(
    models: ModelLike | Sequence[ModelLike] | Mapping[str, ModelLike], out: Path
) -> list[tuple[str | None, Path, ModelLike]]:
    """The name, the folder and the model of each run."""  # noqa: DOC501
    if not isinstance(models, Sequence | Mapping) or isinstance(models, str):
        if not isinstance(models, str):
            check_classifier(models, "models")
        return [(None, out, models)]
    if isinstance(models, Mapping):
        named = [(str(name), model) for name, model in models.items()]
    else:
        named = [(None, model) for model in models]
    folders = [_folder_name(name or (model if isinstance(model, str) else name_of(model))) for name, model in named]
    if not folders or len(set(folders)) < len(folders):
        got = ", ".join(folders) or "none"
        raise InputError(f"models: expected at least one, each with a name of its own, got {got}; give a mapping")
    return [(name, out / folder, model) for (name, model), folder in zip(named, folders, strict=True)]


def _folder_name(name: str) -> str:
    r"""A name as a folder may have it.

    >>> _folder_name("net.py:make"), _folder_name("../x"), _folder_name("Net (in memory)")
    ('net.py-make', 'x', 'Net-in-memory')
    """
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-") or "model"


def _several(values: Any) -> list[Any]:
    return list(values) if isinstance(values, Sequence) and not isinstance(values, str) else [values]


def _engine(engine: str | Engine) -> Engine:
    """The engine of a name."""  # noqa: DOC501
    if not isinstance(engine, str):
        return engine
    if engine not in ENGINES:
        raise InputError(f"engine: expected one of {', '.join(ENGINES)} or an engine, got {engine!r}")
    if engine == "local":
        return LocalEngine()
    from clearance.runs.engines.ray import RayEngine

    return RayEngine()
