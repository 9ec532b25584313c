"""How near branch and bound comes to the nearest point of another class, and whether it agrees with the MILP.

    python benchmarks/branch_and_bound.py                          linf, untargeted and runner-up, 20 inputs, 120 s each
    python benchmarks/branch_and_bound.py --inputs 10 --seconds 20 --networks mnist-kw-0.1
    python benchmarks/branch_and_bound.py --tiny 100               100 tiny networks: `branch-and-bound` beside `exact`

Public MNIST networks that were trained for provable robustness; bounds are [0, 1]. `share` is the certified radius
divided by the distance of the nearest witness of `cl.attack(budget="standard")`; an input is closed to 5 % where it is
.95 or more. It never exceeds 1; the benchmark stops if it does. Tiny networks have two hidden layers of `--units` ReLU
units, 8 inputs in [0, 1] and 4 classes, Gaussian weights from a seed. Needs `CLEARANCE_DATA`, except for `--tiny`.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from pathlib import Path
from statistics import median

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from public import correct_images, load_network
from torch import nn

from clearance import Certificate, Classifier, attack, certify
from closed_forms import random_inputs, random_network

NETWORKS = ("mnist-mipverify-wk17a", "mnist-kw-0.1")
TINY = 8, 4  # inputs, classes


def report(name: str, norm: float, target: str, inputs: int, seconds: float) -> None:
    """One line: how CROWN's and branch and bound's radii compare with the witnesses of one network."""
    network = load_network(name)
    x, labels = correct_images(network, inputs, name)
    model = Classifier(network, bounds=(0, 1))
    witnesses = attack(model, x, labels, norm=norm, target=target, budget="standard")
    shares: dict[str, list[float]] = {"crown": [], "branch-and-bound": []}
    for method, found in shares.items():
        proofs = certify(model, x, labels, norm=norm, target=target, method=method, time_limit=seconds)
        found += [proof.radius / witness.distance for proof, witness in zip(proofs, witnesses, strict=True)]
        assert max(found) <= 1, "a certified radius exceeds the distance of a witness"
    print(f"{name:24}{norm:5g} {target:12}", end="")
    for found in shares.values():
        near = (sum(share >= limit for share in found) for limit in (0.95, 0.99))
        print(
            f"{median(found):8.3f}{min(found):8.3f}{max(found):8.3f}", *(f"{n:3d}/{len(found)}" for n in near), end=""
        )
    print(flush=True)


def relative_difference(radius: float, lower: float, gap: float) -> float:
    """How far a radius lies outside the exact solver's own two bounds, relative to the lower one."""
    upper = lower if math.isnan(gap) else lower + gap
    if radius in {lower, upper}:
        return 0.0
    return max(lower - radius, radius - upper, 0.0) / lower if math.isfinite(lower) else math.inf


def report_tiny(networks: int, units: int, norm: float) -> None:
    """Agreement with the exact solver and the time of both, on tiny networks."""
    apart, seconds, certified = list[float](), list[tuple[float, float]](), 0
    for seed in range(networks):
        network = random_network(seed, (TINY[0], units, units, TINY[1]), nn.ReLU)
        model, x = Classifier(network, bounds=(0, 1)), random_inputs(seed, 1, TINY[0])
        proofs, clock = list[Certificate](), [time.perf_counter()]
        for method in ("exact", "branch-and-bound"):
            proofs += certify(model, x, norm=norm, method=method, time_limit=600)
            clock.append(time.perf_counter())
        seconds.append((clock[1] - clock[0], clock[2] - clock[1]))
        certified += all(proof.status == "certified" for proof in proofs)
        apart.append(relative_difference(proofs[1].radius, proofs[0].radius, proofs[0].gap))
    exact, ours = (sum(pair[side] for pair in seconds) for side in (0, 1))
    ratios = sorted(pair[1] / pair[0] for pair in seconds)
    print(f"{networks} networks {TINY[0]}-{units}-{units}-{TINY[1]}, l{norm:g}: both finished on {certified}")
    print(f"largest relative difference {max(apart):.1e}; above 1e-5: {sum(a > 1e-5 for a in apart)}")
    print(f"exact {exact:.1f} s, branch-and-bound {ours:.1f} s, ratio {ours / exact:.3f}; by network: ", end="")
    print(f"median {median(ratios):.3f}, {ratios[0]:.3f} to {ratios[-1]:.3f}")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--norm", type=float, default=math.inf)
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS))
    parser.add_argument("--targets", nargs="+", default=["untargeted", "runner-up"])
    parser.add_argument("--tiny", type=int, default=0)
    parser.add_argument("--units", type=int, default=20)
    options = parser.parse_args()
    if options.tiny:
        report_tiny(options.tiny, options.units, options.norm)
        return
    print(f"{options.inputs} correctly classified images, {options.seconds:g} s each; certified / witness")
    columns = "".join(f"{c:>8}" for c in ("median", "least", "most")) + f"{'5 %':>7}{'1 %':>7}"
    print(f"{'network':24}{'norm':5} {'target':12}{'crown':>8}{'':30}branch-and-bound\n{'':42}{columns}{columns}")
    for name in options.networks:
        for target in options.targets:
            report(name, options.norm, target, options.inputs, options.seconds)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
