"""Gradient attacks that start at the input are trapped on adversarially trained networks; what a deep start changes.

    python experiments/trapped_attacks.py                                     # the table of docs/trapped-attacks.md
    python experiments/trapped_attacks.py --figure docs/figures/trapped.svg   # its figure, and nothing else

The attack is DDN (l_2, untargeted), once from the input and once from five long sign steps beyond the boundary
(`clearance.attacks.deep_start`), with the same number of gradients. Networks and MNIST are read from CLEARANCE_DATA
(default ../shared/data). `gradient` is the norm of the margin's gradient at the input as a share of the largest on the
segment to the nearest witness: small on a plateau.
"""

import argparse
import math
import os
import sys
from pathlib import Path

import torch
from torch import Tensor, nn

import clearance as cl
from clearance.attacks import Witnesses, ddn
from clearance.attacks.deep_start import DEEP_STEPS, deep_start
from clearance.attacks.goals import Goal, goal_of
from clearance.attacks.passes import evaluate
from clearance.geometry.norms import vector_norm
from clearance.model.inputs import prepare

DATA = Path(os.environ.get("CLEARANCE_DATA", Path(__file__).parents[1] / ".." / "shared" / "data")).resolve()
NETWORKS = ("mnist-kw-0.1", "mnist-mipverify-wk17a", "mnist-lirpa-a-adv", "mnist-fmn", "mnist-eran-6x100")
STEPS, LONGER = 200, 5
PLACES = 101  # on each segment


def load(name: str, count: int) -> tuple[nn.Module, Tensor]:
    """A public network and the first MNIST test images that it classifies correctly."""
    sys.path.insert(0, str(DATA / "checkpoints"))
    import zoo  # pyright: ignore

    os.environ.setdefault("CLEARANCE_DATA", str(DATA))
    network, test = zoo.load(name), cl.datasets.load("mnist", count=4 * count)
    with torch.no_grad():
        right = (network(test.images).argmax(1) == test.labels).nonzero().flatten()[:count]
    return network, test.images[right]


def goal_at(model: cl.Classifier, x: Tensor) -> Goal:
    """Any other class than the predicted one."""
    return goal_of(prepare(model, x, None, target="untargeted", norm=2, seed=0))


def from_input(model: cl.Classifier, x: Tensor, goal: Goal, steps: int = STEPS + DEEP_STEPS) -> Witnesses:
    """DDN from the input itself."""
    return ddn(model, x, goal, steps=steps)


def from_deep(model: cl.Classifier, x: Tensor, goal: Goal) -> Witnesses:
    """DDN from far beyond the boundary, with as many gradients."""
    return ddn(model, x, goal, steps=STEPS, start=deep_start(model, x, goal))


def along(model: cl.Classifier, x: Tensor, end: Tensor, goal: Goal) -> tuple[Tensor, Tensor]:
    """Margins and gradient norms on the segments from the inputs to `end`, `(PLACES, batch)` each."""
    margins, norms = [], []
    for share in torch.linspace(0, 1, PLACES).tolist():
        seen = evaluate(model, x + share * (end - x), goal)
        margins.append(seen.margin)
        norms.append(vector_norm(seen.gradient, 2.0))
    return torch.stack(margins), torch.stack(norms)


def table(names: list[str], count: int) -> None:
    """One line for each network."""
    print("| network | distance from the input, median | 5 × as many steps | deep start | nearer, farther | gradient |")
    print("|---|---|---|---|---|---|")
    for name in names:
        network, x = load(name, count)
        model = cl.Classifier(network, bounds=(0, 1))
        goal = goal_at(model, x)
        with model.frozen():
            near, deep = from_input(model, x, goal), from_deep(model, x, goal)
            longer = from_input(model, x, goal, steps=LONGER * (STEPS + DEEP_STEPS))
            nearest = torch.where(
                (deep.distance < near.distance)[:, None, None, None], deep.adversarial, near.adversarial
            )
            _, norms = along(model, x, nearest, goal)
        ratios = [(other.distance / near.distance) for other in (longer, deep)]
        counts = int((ratios[1] < 0.99).sum()), int((ratios[1] > 1.01).sum())
        print(
            f"| {name} | {near.distance.median():.3f} | × {ratios[0].median():.2f} | × {ratios[1].median():.2f} "
            f"| {counts[0]}, {counts[1]} of {len(x)} | {(norms[0] / norms.amax(0)).median():.2f} |",
            flush=True,
        )


class Followed(nn.Module):
    """A network that remembers, after each pass of one input, the distance of the nearest witness so far."""

    def __init__(self, inner: nn.Module, x: Tensor) -> None:
        super().__init__()
        self.inner, self.x, self.passes, self.nearest = inner, x, 0, math.inf
        self.label = int(inner(x).argmax())
        self.curve: list[tuple[int, float]] = []

    def forward(self, points: Tensor) -> Tensor:
        """Logits; every point is judged."""
        logits = self.inner(points)
        self.passes += 2 if logits.requires_grad else 1  # a gradient is a forward and a backward pass
        if int(logits.argmax()) != self.label:
            self.nearest = min(self.nearest, float((points.detach() - self.x).norm()))
        self.curve.append((self.passes, self.nearest))
        return logits


Row = dict[str, float | str]


def curves(name: str, image: int) -> tuple[list[Row], list[Row]]:
    """The margin along the segments to both witnesses, and the nearest distance after each pass, of one input."""
    network, images = load(name, image + 1)
    x, margins, distances = images[image:], [], []
    for start, run in (("from the input", from_input), ("from a deep start", from_deep)):
        followed = Followed(network, x)
        model = cl.Classifier(followed, bounds=(0, 1))
        with model.frozen():
            goal = goal_at(model, x)
            followed.curve.clear()
            before = followed.passes
            found = run(model, x, goal)
            passed = [(passes - before, nearest) for passes, nearest in followed.curve if nearest < math.inf]
            height, norms = along(model, x, found.adversarial, goal)
        places = torch.linspace(0, float(found.distance), PLACES).tolist()
        margins += [
            {"distance": at, "margin": value, "start": start}
            for at, value in zip(places, height[:, 0].tolist(), strict=True)
        ]
        distances += [{"passes": passes, "nearest": nearest, "start": start} for passes, nearest in passed]
        print(f"{start}: {found.distance.item():.3f}; norm of the gradient ", end="")
        print(f"{norms[0].item():.2f} at the input, {norms.max().item():.2f} at most on the way")
    print(f"{name}, image {image}: margin {height[0].item():.2f} at the input")
    return margins, distances


def draw_figure(path: Path, name: str, image: int) -> None:
    """Two panels as SVG: the margin on the way to each witness, and the nearest distance against passes."""
    import altair
    import vl_convert

    margins, distances = curves(name, image)
    color = (
        altair.Color("start:N").legend(orient="top", title=None, columnPadding=24).scale(range=["#d95f02", "#1b6ca8"])
    )
    line = altair.Chart(
        altair.Data(values=margins), title="margin on the straight line to the witness", width=360, height=240
    )
    left = line.mark_line(strokeWidth=2).encode(
        altair.X("distance:Q").title("l2 distance from the input"), altair.Y("margin:Q").title("margin g"), color
    )
    steps = altair.Chart(altair.Data(values=distances), title="nearest witness so far", width=360, height=240)
    right = steps.mark_line(strokeWidth=2, interpolate="step-after").encode(
        altair.X("passes:Q").title("passes, forward and backward"),
        altair.Y("nearest:Q").title("l2 distance").scale(type="log", nice=False),
        color,
    )
    svg = vl_convert.vegalite_to_svg(altair.hconcat(left, right).to_json())
    path.write_text(svg, encoding="utf-8")
    print(f"{path}: {len(svg)} bytes")


def main() -> None:
    """Read the flags, print the table or draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    parser.add_argument("--inputs", type=int, default=30)
    parser.add_argument("--figure", type=Path, help="write the figure to this SVG file and stop")
    parser.add_argument("--image", type=int, default=0, help="of the figure, which is of the first network")
    chosen = parser.parse_args()
    if chosen.figure is not None:
        draw_figure(chosen.figure, chosen.networks[0], chosen.image)
    else:
        table(chosen.networks, chosen.inputs)


if __name__ == "__main__":
    main()
