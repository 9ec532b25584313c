"""The nearest witness at equal passes: `attack` beside every peer that is installed, on ordinary and robust networks.

    python benchmarks/witnesses.py                                     MNIST networks, 12 inputs, l1, l2 and linf
    python benchmarks/witnesses.py --networks cifar10-resnet20 --count 5

One tracker wraps the network for every tool alike: it counts passes (one pass is one sample, forward or backward), and
keeps for each input the nearest point within the bounds that was predicted as another class, to predict it again alone.
Peers run as many iterations as the budget has passes; where a peer needs a radius or a step, it runs with two settings,
one for small and one for large distances. Of ours two numbers are printed: the passes of an input, and all rows that
went through the network, with those that fill up a batch or find out what gives the same bits (docs/attacks.md). Needs
Foolbox (extra `bench`), adv-lib where it is installed, and `CLEARANCE_DATA`.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import warnings
from collections.abc import Callable, Mapping
from functools import partial

import torch
from public import correct_images, load_network
from torch import Tensor, nn

from attacks import Counted
from clearance.attacks import attack
from clearance.model.classifier import Classifier

NETWORKS = ("mnist-fmn", "mnist-kw-0.1", "mnist-lirpa-a-adv", "mnist-mipverify-wk17a")
BUDGETS = {"quick": 280, "standard": 2000}
RADII = {1.0: (12.0, 50.0), 2.0: (1.0, 10.0), math.inf: (0.06, 1.0)}
"""Where a peer's bisection of the radius begins: for small and for large distances."""
STEPS = {1.0: (0.05, 1.0), 2.0: (0.05, 1.0), math.inf: (0.5, 10.0)}
"""First step of FMN, in adv-lib's units."""
ROUNDS, TARGETS = 7, 3
"""Radii of a peer's bisection, and classes that its targeted form tries."""
NEARER = 1.01
"""A peer counts as nearer when ours is farther by more than this factor."""
Peer = Callable[[nn.Module, Tensor, Tensor], object]


class Tracker(Counted):
    """A network that counts its passes and keeps the nearest witness that was ever predicted."""

    def __init__(self, network: nn.Module, x: Tensor, labels: Tensor, norm: float, batched: bool) -> None:
        super().__init__(network)
        self.x, self.labels, self.norm, self.batched = x, labels, norm, batched
        self.distance, self.nearest = torch.full((len(x),), torch.inf, device=x.device), x.clone()

    def forward(self, points: Tensor) -> Tensor:
        """Logits, counted and looked at."""
        logits = super().forward(points)
        self._keep(points.detach(), logits.detach())
        return logits

    def _keep(self, points: Tensor, logits: Tensor) -> None:
        flat, inputs = points.flatten(1), self.x.flatten(1)
        same = self.batched and len(points) == len(inputs)
        rows = torch.arange(len(points), device=points.device) if same else torch.cdist(flat, inputs).argmin(1)
        distance = (flat - inputs[rows]).norm(p=self.norm, dim=1)
        inside = (flat.amin(1) >= 0) & (flat.amax(1) <= 1)
        for place in (inside & (logits.argmax(1) != self.labels[rows])).nonzero().flatten().tolist():
            row = int(rows[place])
            if distance[place] < self.distance[row]:
                self.distance[row], self.nearest[row] = distance[place], points[place]

    def verdict(self) -> Tensor:
        """The distances of the witnesses that a pass of each alone confirms, `(batch,)`."""
        with torch.no_grad():
            alone = torch.cat([self.inner(row[None]) for row in self.nearest]).argmax(1)
        return torch.where(alone != self.labels, self.distance, torch.inf).cpu()


def foolbox_peers(norm: float, passes: int) -> dict[str, Peer]:
    """Foolbox's attacks of minimum distance, half of the passes forward and half backward."""
    import foolbox.attacks as fa
    from foolbox import PyTorchModel

    def run(make: Callable[..., object], network: nn.Module, x: Tensor, labels: Tensor, **given: object) -> object:
        model = PyTorchModel(network, bounds=(0, 1), device=x.device)
        return make(**given)(model, x, labels, epsilons=None)  # type: ignore[operator]

    if norm == 1:
        return {"Foolbox EAD": partial(run, fa.EADAttack, binary_search_steps=5, steps=max(1, passes // 10))}
    if norm == 2:
        return {"Foolbox DDN": partial(run, fa.DDNAttack, steps=passes // 2)}
    return {"Foolbox FMN": partial(run, fa.LInfFMNAttack, steps=passes // 2)}


def library_peers(norm: float, passes: int) -> dict[str, Peer]:
    """Attacks of the adversarial library (`adv-lib`), where it is installed."""
    if importlib.util.find_spec("adv_lib") is None:
        print("adv-lib is not installed: its attacks are left out")
        return {}
    import adv_lib.attacks as al
    from adv_lib.attacks.auto_pgd import minimal_apgd

    steps = passes // 2
    found: dict[str, Peer] = {"PDPGD": lambda m, x, y: al.pdpgd(m, x, y, norm=norm, num_steps=steps)}
    for step in STEPS[norm]:
        found[f"FMN {step:g}"] = lambda m, x, y, a=step: al.fmn(m, x, y, norm=norm, steps=steps, **{"\u03b1_init": a})
    for radius in RADII[norm]:
        bisect = {"norm": norm, "max_eps": radius, "binary_search_steps": ROUNDS}
        each = {"targeted_version": True, "num_targets": TARGETS, "n_iter": max(3, steps // (ROUNDS * TARGETS))}
        found[f"APGD-T {radius:g}"] = lambda m, x, y, given={**bisect, **each}: minimal_apgd(m, x, y, **given)
        if norm != 1:
            given = {**bisect, "n_iter": max(3, steps // ROUNDS)}
            found[f"APGD {radius:g}"] = lambda m, x, y, given=given: minimal_apgd(m, x, y, **given)
    if norm == 2:
        found["DDN"] = lambda m, x, y: al.ddn(m, x, y, steps=steps, levels=None)
        found["PDGD"] = lambda m, x, y: al.pdgd(m, x, y, num_steps=steps)
    if norm < math.inf:
        kind, rate = ("l2", 1.0) if norm == 2 else ("l1", 0.5)
        found["ALMA"] = lambda m, x, y: al.alma(m, x, y, num_steps=steps, distance=kind, init_lr_distance=rate)
    return found


def measure_peers(network: nn.Module, x: Tensor, labels: Tensor, norm: float, passes: int) -> dict[str, Tensor]:
    """What each peer finds, `(batch,)`; a peer that fails says so and is left out."""
    found: dict[str, Tensor] = {}
    for name, peer in (foolbox_peers(norm, passes) | library_peers(norm, passes)).items():
        tracker = Tracker(network, x, labels, norm, batched=True)
        try:
            peer(tracker, x, labels)
        except Exception as error:
            print(f"    {name} stopped: {type(error).__name__}: {error}")
            continue
        found[name] = tracker.verdict()
    return found


def measure_ours(
    network: nn.Module, x: Tensor, labels: Tensor, norm: float, budget: str
) -> tuple[Tensor, tuple[float, float]]:
    """What `attack` returns, `(batch,)`; its passes per input, and the rows that went through the network per input."""
    tracker = Tracker(network, x, labels, norm, batched=False)
    results = attack(Classifier(tracker, bounds=(0, 1)), x, labels, norm=norm, budget=budget)
    passes = sum(result.cost.forward + result.cost.backward for result in results) / len(x)
    rows = (tracker.forwards + tracker.backwards) / len(x)
    return torch.tensor([result.distance for result in results]), (passes, rows)


def line(ours: Tensor, peers: Mapping[str, Tensor], everything: Tensor | None) -> str:
    """One cell of the table: ratios of medians over inputs, and on how many inputs a peer is nearer."""
    medians = {name: float((ours / distance).median()) for name, distance in peers.items()}
    best = max(medians, key=lambda name: medians[name])
    shares = {name: float((ours > NEARER * distance).float().mean()) for name, distance in peers.items()}
    most = max(shares, key=lambda name: shares[name])
    text = f"{float(ours.isfinite().float().mean()):8.0%}{medians[best]:9.3f} {best:14}{shares[most]:7.0%} {most:14}"
    return text + ("" if everything is None else f"{float((ours / everything).median()):9.3f}")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("--skip", type=int, default=0, help="correct inputs that are left out before the first one")
    parser.add_argument("--norms", type=float, nargs="+", default=[1.0, 2.0, math.inf])
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    print(
        f"{'network':24}{'norm':>6}{'budget':>10}{'passes':>8}{'rows':>7}{'found':>8}{'to the best peer':>24}", end=""
    )
    print(f"{'nearer than ours by 1 %':>24}{'to all':>9}")
    for name in options.networks:
        network = load_network(name).eval()
        correct = correct_images(network, options.skip + options.count, name)
        x, labels = (given[options.skip :].to(options.device) for given in correct)
        network.to(options.device)
        for norm in options.norms:
            peers = {budget: measure_peers(network, x, labels, norm, passes) for budget, passes in BUDGETS.items()}
            everything = torch.stack(list(peers["standard"].values())).amin(0)
            for budget in BUDGETS:
                ours, (passes, rows) = measure_ours(network, x, labels, norm, budget)
                cell = line(ours, peers[budget], everything)
                print(f"{name:24}{f'l{norm:g}':>6}{budget:>10}{passes:8.0f}{rows:7.0f}{cell}", flush=True)


if __name__ == "__main__":
    main()
