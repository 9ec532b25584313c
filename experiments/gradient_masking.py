"""Goodfellow's counterexample to CLEVER, and the answer of Weng et al. (2018b): masked, measured, and unmasked again.

    python experiments/gradient_masking.py                                   # digits; about two minutes
    python experiments/gradient_masking.py --data mnist --blocks 8           # the MNIST network of CLEARANCE_DATA
    python experiments/gradient_masking.py --figure staircase.svg            # figure 1 of Goodfellow; nothing else

Prints Markdown tables: for each front, the plain CLEVER score (uniform samples, fixed ball, target runner-up) with what
the audit says about the classifier, and the score with `bpda` in shares of the score of the network without the front.

1. Staircases and ramps (Goodfellow 2018, sections 3 and 4, figure 1). `zero` is the share of the samples without any
   gradient. A sample has one as soon as a single coordinate is on a ramp: for ramps of width w and d coordinates that
   is `1 - (1 - w)^d`, so the score is the ball's radius only where `samples × d × w` is well below 1.
2. Bit depth and JPEG (Weng, Zhang, Chen, Lozano, Hsieh and Daniel 2018, section 5.2 and table 4).
3. Saturated sigmoids (Goodfellow 2018, section 4): outputs `sigmoid(10⁴ (f_k - max of the others))` in float32.
"""

import argparse
import os
import statistics
import sys
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

import clearance as cl
from clearance.audit import audit
from clearance.geometry.balls import sample_ball
from clearance.geometry.norms import vector_norm
from clearance.model.gradients import margin_gradients
from clearance.model.seeds import make_generator
from clearance.model.transforms import BitDepth, Jpeg, Ramp, Staircase
from clearance.zoo.specs import load_model

SINGLE, DOUBLE = torch.float32, torch.float64
STEPS: list[tuple[str, nn.Module, torch.dtype]] = [
    ("Staircase(255)", Staircase(255), SINGLE),
    ("Ramp(255, 1/5)", Ramp(255, 1 / 5), SINGLE),
    ("Ramp(255, 1/50)", Ramp(255, 1 / 50), SINGLE),
    ("Ramp(255, 1/500)", Ramp(255, 1 / 500), SINGLE),
    ("Ramp(255, 1e-6), float64", Ramp(255, 1e-6), DOUBLE),
    ("Ramp(255, 1e-9), float64", Ramp(255, 1e-9), DOUBLE),
]
COMPRESSION: list[tuple[str, nn.Module, torch.dtype]] = [
    ("BitDepth(3)", BitDepth(3), SINGLE),
    ("Jpeg(75)", Jpeg(75), SINGLE),
]
PAPER_RATIOS = {"BitDepth(3)": 0.10223 / 0.14229, "Jpeg(75)": 0.11539 / 0.14229}
"""Table 4 of Weng et al. (2018b), runner-up: scores with BPDA over scores without a transformation."""

SMALL_RADIUS = 1.0
"""A ball in which few samples come near a decision boundary: there alone a saturated sigmoid has a gradient."""


@dataclass(frozen=True)
class Subject:
    """A network, inputs that it classifies correctly, and how their scores are made."""

    network: nn.Module
    images: Tensor
    options: dict[str, object]
    audited: int
    seed: int

    def classifier(self, front: nn.Module, dtype: torch.dtype = SINGLE, back: nn.Module | None = None) -> cl.Classifier:
        """The network behind a front (and in front of a back)."""
        parts = [front, self.network, *([] if back is None else [back])]
        return cl.Classifier(nn.Sequential(*parts).eval(), bounds=(0, 1), dtype=dtype)

    def scores(self, model: cl.Classifier) -> list[float]:
        """Plain CLEVER scores, against the runner-up."""
        found = cl.clever(model, self.images.to(model.dtype), target="runner-up", seed=self.seed, **self.options)  # pyright: ignore
        return [score.radius for score in found]

    def zero_share(self, model: cl.Classifier, count: int = 2000) -> float:
        """The share of uniform samples of the first input's ball whose margin has no gradient at all."""
        x = self.images[0].to(model.dtype)
        generator = make_generator("cpu", self.seed, "zero-share")
        radius = float(self.options["radius"])  # pyright: ignore
        near = x + sample_ball(count, x.shape, norm=2.0, radius=radius, generator=generator).to(model.dtype)
        best, second = model.logits(x[None])[0].topk(2).indices.tolist()
        return (vector_norm(margin_gradients(model, near, best, second)[1], 2.0) == 0).double().mean().item()

    def flags(self, model: cl.Classifier) -> str:
        """What the audit says at severity `warning` or above, with the number of inputs it says it of."""
        audits = audit(model, self.images[: self.audited].to(model.dtype), seed=self.seed)
        codes = Counter(flag.code for audit in audits for flag in audit.flags if flag.severity != "info")
        return ", ".join(f"{code} {count}/{len(audits)}" for code, count in codes.most_common()) or "none"


class OneAgainstRest(nn.Module):
    """`sigmoid(scale (f_k - max_{j != k} f_j))`: how sure a network says it is of each class."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, logits: Tensor) -> Tensor:
        """Logits to confidences, both `(batch, classes)`."""
        best, second = logits.topk(2, dim=1).values.split(1, dim=1)
        return ((logits - torch.where(logits == best, second, best)) * self.scale).sigmoid()


def masking_table(subject: Subject, fronts: list[tuple[str, nn.Module, torch.dtype]]) -> None:
    """Tables 1 and 2: each front with and without `bpda`."""
    bare = {dtype: subject.scores(subject.classifier(nn.Identity(), dtype)) for dtype in (SINGLE, DOUBLE)}
    radius = subject.options["radius"]
    print(
        "| front | zero | score, median [smallest, largest] | score = R | with bpda, share of the bare score | flags |"
    )
    print("|---|---|---|---|---|---|")
    for name, front, dtype in [("none", nn.Identity(), SINGLE), *fronts]:
        model = subject.classifier(front, dtype)
        scores = subject.scores(model)
        shown = subject.scores(subject.classifier(cl.bpda(front), dtype))
        shares = [seen / own for seen, own in zip(shown, bare[dtype], strict=True)]
        paper = f" (paper: {PAPER_RATIOS[name]:.2f})" if name in PAPER_RATIOS else ""
        print(
            f"| {name} | {subject.zero_share(model):.1%} | {spread(scores)} | {scores.count(radius)}/{len(scores)} "
            f"| {spread(shares)}{paper} | {subject.flags(model)} |",
            flush=True,
        )


def saturation_table(subject: Subject) -> None:
    """Table 3: the same network read as logits and as saturated confidences, in the given ball and in a small one."""
    print("| output | R | zero | score, median [smallest, largest] | score = R | flags |\n|---|---|---|---|---|---|")
    for scale, dtype in ((None, SINGLE), (1e4, SINGLE), (1e4, DOUBLE)):
        model = subject.classifier(nn.Identity(), dtype, None if scale is None else OneAgainstRest(scale))
        title = "logits" if scale is None else f"sigmoid × {scale:g}, {str(dtype).removeprefix('torch.')}"
        flags = subject.flags(model)
        for radius in (subject.options["radius"], SMALL_RADIUS):
            part = replace(subject, options={**subject.options, "radius": radius})
            scores, zero = part.scores(model), part.zero_share(model)
            at_radius = f"{scores.count(radius)}/{len(scores)}"
            print(f"| {title} | {radius:g} | {zero:.1%} | {spread(scores)} | {at_radius} | {flags} |", flush=True)


def spread(values: list[float]) -> str:
    """Median and range."""
    return f"{statistics.median(values):.4g} [{min(values):.4g}, {max(values):.4g}]"


def load_subject(data: str, count: int) -> tuple[nn.Module, Tensor]:
    """The bundled digits network or the public MNIST one, and the first inputs that it classifies correctly."""
    if data == "digits":
        network, test = load_model("digits-standard").network, cl.datasets.load("digits")
    else:
        test = cl.datasets.load("mnist", count=4 * count)
        sys.path.insert(0, str(Path(os.environ.get("CLEARANCE_DATA", "../shared/data")) / "checkpoints"))
        import zoo  # pyright: ignore

        network = zoo.load("mnist-fmn")
    with torch.no_grad():
        right = (network(test.images).argmax(1) == test.labels).nonzero().flatten()[:count]
    return network, test.images[right]


def draw_figure(path: Path) -> None:
    """Figure 1 of Goodfellow (2018): staircase and ramps (a fifth of a step wide), from afar and from near, as SVG."""
    import altair
    import vl_convert

    panels = []
    for title, end, points in (("from afar", 1.0, 256), ("from near: five of the 255 steps", 5 / 255, 1001)):
        x = torch.linspace(0, end, points, dtype=DOUBLE)
        curves = {"staircase": Staircase(255)(x), "ramps, 1/5 of a step": Ramp(255, 1 / 5)(x)}
        rows = [
            {"x": at, "h(x)": value, "function": name}
            for name, values in curves.items()
            for at, value in zip(x.tolist(), values.tolist(), strict=True)
        ]
        chart = altair.Chart(altair.Data(values=rows), title=title, width=560, height=240)
        panels.append(
            chart.mark_line(strokeWidth=1.5).encode(
                altair.X("x:Q").scale(domain=[0, end]),
                altair.Y("h(x):Q").scale(domain=[0, end]),
                altair.Color("function:N").legend(orient="top", title=None).scale(range=["#d95f02", "#1b6ca8"]),
                altair.StrokeDash("function:N").legend(None).scale(range=[[4, 2], [1, 0]]),
            )
        )
    svg = vl_convert.vegalite_to_svg(altair.vconcat(*panels).to_json())
    path.write_text(svg, encoding="utf-8")
    print(f"{path}: {len(svg)} bytes")


def main() -> None:
    """Read the flags, print the tables."""
    parser = argparse.ArgumentParser(description="Reproduce gradient masking in CLEVER, and its remedy.")
    parser.add_argument("--data", choices=["digits", "mnist"], default="digits")
    parser.add_argument("--inputs", type=int, default=20, help="inputs that are scored")
    parser.add_argument("--audited", type=int, default=3, help="how many of them are audited")
    parser.add_argument("--radius", type=float, default=5.0, help="of the ball; the paper's is 5")
    parser.add_argument("--blocks", type=int, default=20, help="blocks of samples; the paper has 500")
    parser.add_argument("--block-size", type=int, default=256, help="samples in a block; the paper has 1024")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--figure", type=Path, help="write figure 1 to this SVG file and stop")
    chosen = parser.parse_args()
    if chosen.figure is not None:
        draw_figure(chosen.figure)
        return
    network, images = load_subject(chosen.data, chosen.inputs)
    sizes = {"radius": chosen.radius, "blocks": chosen.blocks, "block_size": chosen.block_size}
    subject = Subject(network, images, {**cl.PAPER, **sizes}, chosen.audited, chosen.seed)
    print(f"{chosen.data}: {len(images)} inputs, l2, runner-up, R = {chosen.radius:g}, ", end="")
    print(f"{chosen.blocks} × {chosen.block_size} uniform samples; the audit: {chosen.audited} inputs")
    print("\n## 1. Steps and ramps\n")
    masking_table(subject, STEPS)
    print("\n## 2. Bit depth and JPEG\n")
    masking_table(subject, COMPRESSION)
    print("\n## 3. Saturation\n")
    saturation_table(subject)


if __name__ == "__main__":
    main()
