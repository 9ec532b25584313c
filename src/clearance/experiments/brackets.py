"""Brackets of an experiment's inputs, as a real run with its report: it resumes by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clearance.experiments.session import Session

if TYPE_CHECKING:
    from clearance.data.dataset import Dataset
    from clearance.experiments.networks import PaperNetwork

FEWEST_AT_ONCE = 8
"""Inputs that are looked at together for correct ones, at least."""


@dataclass(frozen=True)
class BracketChoices:
    """What a run of an experiment asks for.

    Attributes:
        norms: Norms of distances.
        targets: Names of targets.
        budget: How hard attacks and estimates try.
        certificate: Method of the certificate, or `"none"`.
        time_limit: Seconds that a certificate may take.
    """

    norms: tuple[float, ...]
    targets: tuple[str, ...]
    budget: str | int
    certificate: str
    time_limit: float

    def in_words(self) -> str:
        """In a sentence.

        >>> BracketChoices((2.0,), ("random",), "quick", "crown", 1.0).in_words()
        'Brackets: budget quick, certificate crown within 1 s.'
        """
        return f"Brackets: budget {self.budget}, certificate {self.certificate} within {self.time_limit:g} s."


@dataclass(frozen=True)
class KnownBracket:
    """What is known of one input, norm and target.

    Attributes:
        proof: Certified radius; 0 where nothing is proved, `None` where no certificate was asked for.
        estimate: The profile's estimate, or the proof where that is larger; `None` where it must not be read.
        witness: Distance of the nearest adversarial example; `None` where none was found.
        status: The bracket's standing.
    """

    proof: float | None
    estimate: float | None
    witness: float | None
    status: str


Brackets = dict[tuple[int, float, str], KnownBracket]
"""Place of the input in its set, norm, target -> what is known."""


def run_brackets(session: Session, network: PaperNetwork, data: Dataset, choices: BracketChoices) -> Brackets:
    """Compute the brackets of inputs that are still missing in the run of this network, and write the run's report.

    Args:
        session: The session; the run lies in its folder of runs.
        network: The network.
        data: The inputs.
        choices: What to compute.

    Returns:
        What is known of each input, norm and target. A task that failed is left out.
    """
    from clearance.report.page import write_report
    from clearance.runs.engines.local import LocalEngine
    from clearance.runs.evaluate import Evaluation, make_plan
    from clearance.runs.execute import open_run
    from clearance.runs.export import iterate_records
    from clearance.runs.in_order import evaluate_tasks

    shared = Evaluation(
        model=network.model,
        data=data,
        budget=choices.budget,
        certificate=choices.certificate,
        time_limit=choices.time_limit,
        seed=session.seed,
    )
    plan = make_plan(shared, network.loaded, network.data, norms=choices.norms, targets=choices.targets)
    session.runs.mkdir(parents=True, exist_ok=True)
    with open_run(session.runs / network.name, plan, resume=True) as run:
        missing = len(run.missing())
        for place, _ in enumerate(
            run.compute(evaluate_tasks, shared=shared.of(run.plan), engine=LocalEngine()), start=1
        ):
            session.say(f"{network.name}: bracket {place} of {missing}")
        records = list(iterate_records(run))
    write_report(session.runs / network.name)
    return as_brackets(records)


def as_brackets(records: Sequence[dict[str, Any]]) -> Brackets:
    """The records of a run by input, norm and target.

    Args:
        records: As `iterate_records` gives them.

    Returns:
        What is known; a task that failed is left out.
    """
    return {
        (record["input"], record["norm"], record["target"]): KnownBracket(
            proof=_proof(record["certified"]),
            estimate=_larger(record),
            witness=record["attacked"]["distance"],
            status=record["status"],
        )
        for record in records
        if record["error"] is None
    }


def _larger(record: dict[str, Any]) -> float | None:
    """The estimate, or the proof where that is larger."""
    estimated = record["estimated"]
    return _proof(record["certified"]) if estimated.get("below_proof") else estimated["radius"]


def _proof(certificate: dict[str, Any] | None) -> float | None:
    return None if certificate is None else float(certificate["radius"] or 0.0)


def correct_inputs(session: Session, network: PaperNetwork, count: int) -> Dataset:
    """The first inputs of the test part that a network classifies correctly: the papers skip the others.

    Args:
        session: The session.
        network: The network.
        count: How many.

    Returns:
        The inputs, fewer where the set has no more.
    """
    found: list[int] = []
    total = session.data(network.data, count=1, **network.options).total
    portion = max(FEWEST_AT_ONCE, 2 * count)
    for offset in range(0, total, portion):
        data = session.data(network.data, count=min(portion, total - offset), offset=offset, **network.options)
        right = network.model.logits(data.images.to(network.model.device)).argmax(1).cpu() == data.labels
        found += [data.indices[place] for place in right.nonzero().flatten().tolist()]
        if len(found) >= count:
            break
    return session.data(network.data, indices=found[:count], **network.options)
