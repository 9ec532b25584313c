"""Values of the flags that several commands share, each under its name and with its type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeVar

Flags = TypeVar("Flags")


def pick(kind: type[Flags], flags: Mapping[str, Any]) -> Flags:
    """Those among the values of a command's flags that a record of this kind holds."""
    return kind(**{field.name: flags[field.name] for field in fields(kind)})  # pyright: ignore[reportArgumentType]


@dataclass(frozen=True)
class InputFlags:
    """What names a model, its bounds, and the inputs it is evaluated on.

    Attributes:
        model: The model, as given.
        data: The data, as given.
        weights: File of a factory's weights.
        model_args: Arguments for the factory, as names and values.
        trust_pickle: Load a model from a file that can run code.
        count: How many inputs, or `"all"`.
        offset: How many inputs to pass over.
        indices: Places of inputs in the whole set, such as 3,17,40-44.
        per_class: How many inputs of each class.
        classes: Classes whose inputs alone are taken, with commas between them.
        skip_misclassified: Take only inputs that the model classifies correctly.
        train: The training part of the data.
        resize: Size that pictures are resized to.
        crop: Size of the centre of pictures that is kept.
        channels: How many channels pictures become, 1 or 3.
        label: Column of labels; class of a single picture.
        class_names: Classes in the order of the model's outputs, with commas between them.
        fixed: Columns that cannot move, with commas between them.
        movable: Columns that can move although they hold two values only.
        bounds_file: File with the valid range of each feature.
        bounds: Valid range of an input.
        no_bounds: Inputs have no valid range.
        mean: Subtracted per channel before the network.
        std: Divided by per channel, after `mean`.
        preset: Name of a known pair of `mean` and `std`.
        scale: What distances are measured in: a name of `UNIT_NAMES`, or a file; `None`: the units of the data.
        device: Where to compute.
        dtype: Precision to compute in; `None`: the network's.
        micro_batch: Inputs per pass; `None`: as many as fit.
        compiled: Compute with torch.compile.
        channels_last: Keep the channels of images last in memory.
        given: Names of the flags that the user spelled out.
    """

    model: str
    data: str
    weights: str | None
    model_args: tuple[tuple[str, int | float | bool | str | None], ...]
    trust_pickle: bool
    count: int | str
    offset: int
    indices: str | None
    per_class: int | None
    classes: str | None
    skip_misclassified: bool
    train: bool
    resize: int | tuple[int, int] | None
    crop: int | tuple[int, int] | None
    channels: str | None
    label: str | None
    class_names: str | None
    fixed: str | None
    movable: str | None
    bounds_file: str | None
    bounds: tuple[float, float] | None
    no_bounds: bool
    mean: list[float] | None
    std: list[float] | None
    preset: str | None
    scale: str | None
    device: str | None
    dtype: str | None
    micro_batch: int | None
    compiled: bool
    channels_last: bool
    given: frozenset[str]


@dataclass(frozen=True)
class EngineFlags:
    """Where the tasks of a run are computed.

    Attributes:
        engine: Name of the engine.
        address: Ray: address of a cluster.
        workers: Ray: how many workers.
        gpus_per_task: Ray: GPUs of each worker.
        given: Names of the flags that the user spelled out.
    """

    engine: str
    address: str | None
    workers: int | None
    gpus_per_task: float
    given: frozenset[str]


@dataclass(frozen=True)
class RunFlags:
    """What a run is to compute, and whether it goes on with one that is there.

    Attributes:
        out: Folder of the run.
        target: Targets, with commas between them.
        norm: Norms, with commas between them.
        order: Order of the estimate.
        bound: How the estimate bounds the distance; `None`: the order's default.
        budget: How hard attacks and estimates try: a name, or a number of passes.
        certificate: Method of the certificate, or `"none"`.
        time_limit: Seconds for the certificate of each input; `None`: those of the budget.
        seed: The user's seed.
        resume: Go on with the run in the folder, or start it.
        retry_failed: Compute failed tasks again.
    """

    out: str
    target: str
    norm: str
    order: int
    bound: Literal["profile", "ball"] | None
    budget: str | int
    certificate: str
    time_limit: float | None
    seed: int
    resume: bool
    retry_failed: bool


@dataclass(frozen=True)
class GateFlags:
    """A run and what is asked of it; see `report.demands.Limits` for the limits.

    Attributes:
        run: The run's folder.
        min_median: Smallest median estimated radius.
        min_certified: Smallest median certified radius.
        min_attacked: Smallest median attack distance.
        min_readable: Smallest share of inputs whose estimate may be read.
        max_flagged: Largest share of inputs whose estimate must not be read.
        max_misclassified: Largest share of misclassified inputs.
        max_failed: How many tasks may have failed.
        baseline: Folder of an earlier run.
        max_drop: Largest relative drop from the baseline.
        min_proved: Smallest robust accuracy that is proved.
        min_not_broken: Smallest robust accuracy that is not broken.
        at: Radii of robust accuracy.
        min_class_median: Smallest median estimated radius of a class.
        min_class_certified: Smallest median certified radius of a class.
        min_class_attacked: Smallest median attack distance of a class.
        min_class_proved: Smallest robust accuracy of a class that is proved.
        min_class_not_broken: Smallest robust accuracy of a class that is not broken.
        class_inputs: How many inputs a class needs.
        drop_of: Of which numbers.
        allow_unfinished: Judge an unfinished run by what there is.
        norm: Norms to judge, with commas between them; `None`: all.
        target: Targets to judge, with commas between them; `None`: all.
        junit: File for the outcome as JUnit XML.
        markdown: File for the outcome as Markdown.
        given: Names of the flags that the user spelled out.
    """

    run: str
    min_median: float | None
    min_certified: float | None
    min_attacked: float | None
    min_readable: float | None
    max_flagged: float | None
    max_misclassified: float | None
    max_failed: int
    baseline: str | None
    max_drop: float | None
    min_proved: float | None
    min_not_broken: float | None
    at: list[float] | None
    min_class_median: float | None
    min_class_certified: float | None
    min_class_attacked: float | None
    min_class_proved: float | None
    min_class_not_broken: float | None
    class_inputs: int
    drop_of: tuple[str, ...]
    allow_unfinished: bool
    norm: str | None
    target: str | None
    junit: str | None
    markdown: str | None
    given: frozenset[str]


@dataclass(frozen=True)
class AttackFlags:
    """What is attacked, and how hard.

    Attributes:
        target: Where an adversarial example would go.
        norm: The norm of distances.
        method: The ensemble, or a name of the table of attacks.
        budget: A name of the table of budgets, or a number of passes.
        radius: Where any witness within it will do; `None`: the nearest is looked for.
        seed: The user's seed.
    """

    target: str
    norm: str
    method: str
    budget: str | int
    radius: float | None
    seed: int

    @property
    def settings(self) -> dict[str, str | int | float | None]:
        """The choices but the target, as the document has them."""
        return {
            "norm": self.norm,
            "method": self.method,
            "budget": self.budget,
            "radius": self.radius,
            "seed": self.seed,
        }


@dataclass(frozen=True)
class CertifyFlags:
    """What is to be proved, and how.

    Attributes:
        target: Where an adversarial example would go.
        norm: The norm of distances.
        method: `"best"` or a name of the table of certificates.
        time_limit: Seconds for each input.
        seed: For random targets.
    """

    target: str
    norm: str
    method: str
    time_limit: float
    seed: int

    @property
    def settings(self) -> dict[str, str | float]:
        """The choices but the target, as the document has them."""
        return {"norm": self.norm, "method": self.method, "time_limit": self.time_limit, "seed": self.seed}
