"""What the audit of one input costs beside its score: passes of `audit` and of `clever`.

    python benchmarks/audit_cost.py                     10 inputs of MNIST, network mnist-fmn
    python benchmarks/audit_cost.py --images 3 --network mnist-lirpa-a-adv

One line for each norm and target: medians over the inputs of forward and backward passes added (one pass is one
sample), what the audit's own parts take of it, and in how many inputs the audit is the cheaper one. Needs
`CLEARANCE_DATA`.
"""

from __future__ import annotations

import argparse
from statistics import median

import torch
from public import NETWORKS, correct_images, load_network

import clearance as cl
from clearance.model.cost import Cost

TARGETS, NORMS = ("runner-up", "untargeted"), (2.0, float("inf"))
LINE = "{:<11} {:<5} {:>9} {:>9} {:>7} {:>9} {:>14} {:>9}"


def passes(cost: Cost) -> int:
    """Forward and backward passes together."""
    return cost.forward + cost.backward


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=10)
    parser.add_argument("--network", choices=NETWORKS, default="mnist-fmn")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    network = load_network(chosen.network)
    images, labels = correct_images(network, chosen.images, chosen.network)
    print(f"{chosen.network}, {len(images)} inputs; medians of forward and backward passes added")
    print(LINE.format("target", "norm", "audit", "score", "ratio", "its attack", "without attack", "cheaper"))
    for target in TARGETS:
        for norm in NORMS:
            rows: list[tuple[int, int, int]] = []
            for image, label in zip(images.split(1), labels.split(1), strict=True):
                options = {"norm": norm, "target": target}
                model = cl.Classifier(network, bounds=(0, 1))
                (audit,) = cl.audit(model, image, label, **options)
                (score,) = cl.clever(model, image, labels=label, **options)
                (attack,) = cl.attack(model, image, label, **options)
                rows.append((passes(audit.cost), passes(score.cost), passes(attack.cost)))
            whole, scores, attacks = (median(row[place] for row in rows) for place in range(3))
            ratio = median(row[0] / row[1] for row in rows)
            cheaper = sum(row[0] <= row[1] for row in rows)
            print(
                LINE.format(
                    target,
                    f"{norm:g}",
                    f"{whole:,.0f}",
                    f"{scores:,.0f}",
                    f"{ratio:.2f}",
                    f"{attacks:,.0f}",
                    f"{median(row[0] - row[2] for row in rows):,.0f}",
                    f"{cheaper} of {len(rows)}",
                ),
                flush=True,
            )


if __name__ == "__main__":
    main()
