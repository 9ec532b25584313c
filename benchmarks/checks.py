"""How often one bracket checks, hashes and prepares the same thing: counts from one traced call.

    python benchmarks/checks.py

Counted are the calls of some functions of the library during one `bracket` of one digit (bundled robust classifier,
budget quick, l2, untargeted), forward passes of nothing but the input itself, and how often the network is frozen.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import torch

import clearance as cl
from clearance.model.classifier import Classifier
from clearance.zoo.specs import load_model

WATCHED = {
    "check_inputs": "inputs checked",
    "resolve_targets": "labels and targets resolved",
    "content_key": "inputs hashed",
    "cut_off": "gradient flow probed",
    "as_norm": "norm read",
}
"""Names of functions of the library, and what a call of each does."""


def main() -> None:
    """Trace one bracket and print the counts."""
    data = cl.datasets.load("digits", count=1)
    model = Classifier(load_model("digits-robust").network, bounds=(0, 1))
    counts = trace(model, data.images, data.labels)
    for name, count in counts.items():
        print(f"{count:6,}  {name}")


def trace(model: Classifier, x: torch.Tensor, labels: torch.Tensor) -> dict[str, int]:
    """The counts of one bracket, by what is counted."""
    calls, home = Counter[str](), str(Path(cl.__file__).parent)
    forward, vjp, freeze = model._forward, Classifier.vjp, Classifier._freeze

    def watch(frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event == "call" and code.co_name in WATCHED and code.co_filename.startswith(home):
            calls[code.co_name] += 1

    def counted(points: torch.Tensor) -> torch.Tensor:
        alone = points.shape == x.shape and bool((points.detach() == x).all())
        calls["x0"] += alone
        return forward(points)

    def graph(self: Classifier, *given: Any) -> Any:
        calls["vjp"] += 1
        return vjp(self, *given)

    def freezing(self: Classifier) -> Any:
        calls["frozen"] += 1
        return freeze(self)

    model._forward = counted
    Classifier.vjp, Classifier._freeze = graph, freezing
    sys.setprofile(watch)
    try:
        cl.bracket(model, x, labels, budget="quick")
    finally:
        sys.setprofile(None)
        Classifier.vjp, Classifier._freeze = vjp, freeze
    found = {what: calls[name] for name, what in WATCHED.items()}
    return found | {
        "forward passes of the input alone": calls["x0"],
        "times the network was frozen": calls["frozen"],
        "passes with a gradient": calls["vjp"],
    }


if __name__ == "__main__":
    main()
