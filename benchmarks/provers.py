"""Our CROWN beside auto_LiRPA's: certified radius, seconds and memory, network by network.

    python benchmarks/provers.py                        5 inputs each, l2 and linf, runner-up, one thread
    python benchmarks/provers.py --networks mnist-fmn,cifar10-resnet20 --methods crown --time-limit 60

Each method runs in a process of its own, in turn, with one input first that is not timed. `least` is the smallest ratio
of a method's radius to the last one's over the inputs; auto_LiRPA's search ends with a bracket of a relative width of
1e-4, as `crown`'s does. `MB` is the peak of the process above what it held before the first proof. Needs
`CLEARANCE_DATA`, and for its lines auto_LiRPA, whose source of May 2026 imports beside torch 2.13 with `appdirs` and
`tqdm` installed.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import time
from statistics import median
from typing import Any

import torch
from public import correct_images, load_network

from clearance import Classifier, certify
from clearance.certificates.sdp_crown import LARGEST_NORM

NETWORKS = ("mnist-kw-0.1", "mnist-lirpa-a-adv", "mnist-mipverify-wk17a", "mnist-eran-6x100", "cifar10-oval-base")
"""The public networks of the table in docs/certificates.md."""


def measure(name: str, norm: float, method: str, count: int, limit: float) -> dict[str, Any]:
    """Radii, seconds of each input, and memory in MB."""
    torch.set_num_threads(1)
    network = load_network(name)
    x, labels = correct_images(network, count, name)
    model = Classifier(network, bounds=(0, 1))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    radii: list[float] = []
    seconds: list[float] = []
    status: list[str] = []
    for place in (0, *range(count)):
        started = time.perf_counter()
        (proof,) = certify(
            model, x[[place]], labels[[place]], norm=norm, target="runner-up", method=method, time_limit=limit
        )
        radii.append(proof.radius)
        seconds.append(time.perf_counter() - started)
        status.append(str(proof.status))
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return {"radii": radii[1:], "seconds": seconds[1:], "memory": memory, "status": status[1:]}


def in_a_process(*given: object) -> dict[str, Any]:
    """`measure` in a process of its own; its last line is the answer."""
    command = [sys.executable, "-W", "ignore", __file__, "--measure", json.dumps(given)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr.strip().splitlines()[-1])
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--norms", default="2,inf")
    parser.add_argument("--methods", default="crown,sdp-crown,auto-lirpa")
    parser.add_argument("--count", type=int, default=5)
    parser.add_argument("--time-limit", type=float, default=120.0)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        name, norm, method, count, limit = json.loads(options.measure)
        print(json.dumps(measure(name, float(norm), method, count, limit)))
        return
    print(f"{'network':24}{'norm':6}{'method':12}{'radius':>11}{'least':>9}{'seconds':>9}{'MB':>7}  statuses")
    for name in options.networks.split(","):
        for norm in options.norms.split(","):
            report(name, norm, options.methods.split(","), options)


def report(name: str, norm: str, methods: list[str], options: argparse.Namespace) -> None:
    """One line for each method."""
    fitting = [method for method in methods if not (method == "sdp-crown" and float(norm) > LARGEST_NORM)]
    found = {m: in_a_process(name, norm, m, options.count, options.time_limit) for m in fitting}
    for method, one in found.items():
        pairs = zip(one["radii"], found[methods[-1]]["radii"], strict=True)
        least = min((ours / theirs if theirs > 0 else math.inf) for ours, theirs in pairs)
        line = f"{name:24}{'l' + norm:6}{method:12}{median(one['radii']):11.4g}{least:9.4f}"
        statuses = ", ".join(f"{one['status'].count(s)} {s}" for s in dict.fromkeys(one["status"]))
        print(f"{line}{median(one['seconds']):9.3f}{one['memory']:7.0f}  {statuses}", flush=True)


if __name__ == "__main__":
    main()
