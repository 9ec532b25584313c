"""The smallest witness for the same number of passes: Clearance's `attack` beside Foolbox, ART and others.

    python benchmarks/attacks.py                     100 inputs of MNIST, network mnist-fmn, l0, l2 and linf
    python benchmarks/attacks.py --images 20 --network mnist-eran-6x100 --norms 0

Everything runs in one process on the same inputs. Passes are counted at the network itself, for every tool alike (one
pass is one sample); a peer gets at least as many as Clearance spent: its iterations are chosen so by a trial on a few
inputs. Every adversarial input is clipped to the bounds and predicted afresh; what does not change the prediction is no
witness, and counts as an infinite distance. Needs the extra `bench`, and `CLEARANCE_DATA`.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from public import NETWORKS, correct_images, load_network
from torch import Tensor, nn

from clearance.attacks import attack
from clearance.geometry.norms import vector_norm
from clearance.model.classifier import Classifier

TRIAL_IMAGES, TRIAL_STEPS = 2, 10
SEARCHES = 9  # constants of Carlini and Wagner's binary search
Peer = Callable[[Tensor, Tensor, int], Tensor]


class Counted(nn.Module):
    """A network that counts the samples that pass it, forwards and backwards."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner, self.forwards, self.backwards = inner, 0, 0

    def forward(self, x: Tensor) -> Tensor:
        """Logits, counted."""
        logits = self.inner(x)
        self.forwards += len(x)
        if logits.requires_grad:
            logits.register_hook(self._back)
        return logits

    def _back(self, gradient: Tensor) -> None:
        self.backwards += len(gradient)

    def reset(self) -> None:
        """Count from zero."""
        self.forwards = self.backwards = 0


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    distance: Tensor
    forward: float
    backward: float
    seconds: float


def peers(network: Counted, order: float) -> dict[str, Peer]:
    """The peers' attacks, each from images, labels and iterations to adversarial images."""
    if order == 0:
        return counting_peers(network)
    import foolbox
    from art.attacks.evasion import CarliniL2Method, CarliniLInfMethod
    from art.estimators.classification import PyTorchClassifier

    foolbox_model = foolbox.PyTorchModel(network.eval(), bounds=(0, 1))
    art_model = PyTorchClassifier(
        network, loss=nn.CrossEntropyLoss(), input_shape=(1, 28, 28), nb_classes=10, clip_values=(0.0, 1.0)
    )

    def by_foolbox(make: Callable[..., object]) -> Peer:
        return lambda x, labels, steps: make(steps=steps).run(foolbox_model, x, labels)  # type: ignore[attr-defined]

    def by_art(make: Callable[..., object], **options: object) -> Peer:
        def run(x: Tensor, labels: Tensor, steps: int) -> Tensor:
            tool = make(art_model, max_iter=steps, batch_size=len(x), verbose=False, **options)
            return torch.from_numpy(tool.generate(x.numpy(), labels.numpy()))  # type: ignore[attr-defined]

        return run

    if order == 2:
        return {
            "Foolbox DDN": by_foolbox(foolbox.attacks.DDNAttack),
            "Foolbox FMN": by_foolbox(foolbox.attacks.L2FMNAttack),
            "ART CW": by_art(CarliniL2Method, binary_search_steps=SEARCHES),
            "ART CW 3 constants": by_art(CarliniL2Method, binary_search_steps=3, learning_rate=0.1, initial_const=1.0),
        }
    return {
        "Foolbox FMN": by_foolbox(foolbox.attacks.LInfFMNAttack),
        "ART CW": by_art(CarliniLInfMethod),
        "ART CW rate .1": by_art(CarliniLInfMethod, learning_rate=0.1),
    }


def counting_peers(network: Counted) -> dict[str, Peer]:
    """Attacks for l0: Foolbox's FMN, and sigma-zero of the adversarial library where that is there (`adv-lib`)."""
    import foolbox

    foolbox_model = foolbox.PyTorchModel(network.eval(), bounds=(0, 1))
    found: dict[str, Peer] = {
        "Foolbox FMN": lambda x, labels, steps: foolbox.attacks.L0FMNAttack(steps=steps).run(foolbox_model, x, labels)
    }
    if importlib.util.find_spec("adv_lib"):
        from adv_lib.attacks.sigma_zero import sigma_zero

        found["adv-lib sigma-zero"] = lambda x, labels, steps: sigma_zero(network, x, labels, num_steps=steps)
    return found


def measure_clearance(network: Counted, x: Tensor, labels: Tensor, order: float, budget: str) -> Row:
    """`attack` at one budget."""
    model = Classifier(network, bounds=(0, 1))
    network.reset()
    start = time.perf_counter()
    results = attack(model, x, labels, norm=order, budget=budget)
    seconds = time.perf_counter() - start
    passes = network.forwards / len(x), network.backwards / len(x)
    adversarial = torch.stack([x[i] if r.adversarial is None else r.adversarial for i, r in enumerate(results)])
    return Row(f"Clearance {budget}", judge(network, x, labels, adversarial, order), *passes, seconds)


def measure_peer(
    name: str, peer: Peer, network: Counted, x: Tensor, labels: Tensor, order: float, passes: float
) -> Row:
    """A peer's attack with iterations for at least `passes` passes per input, forward and backward together."""
    network.reset()
    peer(x[:TRIAL_IMAGES], labels[:TRIAL_IMAGES], TRIAL_STEPS)
    each = (network.forwards + network.backwards) / TRIAL_IMAGES / TRIAL_STEPS
    network.reset()
    start = time.perf_counter()
    adversarial = peer(x, labels, math.ceil(passes / each))
    seconds = time.perf_counter() - start
    spent = network.forwards / len(x), network.backwards / len(x)
    name = f"{name}, {math.ceil(passes / each)} steps"
    return Row(name, judge(network, x, labels, adversarial, order), *spent, seconds)


def judge(network: Counted, x: Tensor, labels: Tensor, adversarial: Tensor, order: float) -> Tensor:
    """Distance of each witness that a fresh forward pass confirms; infinite for the others."""
    adversarial = adversarial.clamp(0, 1)
    with torch.no_grad():
        moved = network(adversarial).argmax(1) != labels
    return torch.where(moved, vector_norm(adversarial - x, order), torch.inf)


def report(order: float, rows: list[Row], ours: Row) -> None:
    """Print the table of one norm and say where a peer is ahead."""
    print(f"\nl{order:g}".replace(".0", ""))
    titles = ("success", "median", "mean", "forward", "backward", "seconds")
    print(f"{'attack':36}" + "".join(f"{title:>10}" for title in titles) + "  against ours")
    for row in rows:
        success = float(row.distance.isfinite().float().mean())
        nearer = int((row.distance < ours.distance * (1 - 1e-3)).sum())
        farther = int((row.distance > ours.distance * (1 + 1e-3)).sum())
        verdict = "" if row is ours else f"smaller on {nearer}, larger on {farther}"
        if row is not ours and row.distance.median() < ours.distance.median():
            verdict += "  <-- better median than ours"
        print(
            f"{row.name:36}{success:10.0%}{row.distance.median():10.4f}{row.distance.mean():10.4f}"
            f"{row.forward:10.0f}{row.backward:10.0f}{row.seconds:10.1f}  {verdict}",
            flush=True,
        )


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--network", default="mnist-fmn", choices=NETWORKS)
    parser.add_argument("--norms", type=float, nargs="+", default=[0.0, 2.0, math.inf])
    options = parser.parse_args()
    network = Counted(load_network(options.network))
    x, labels = correct_images(network, options.images, options.network)
    print(f"{options.network}, {len(x)} correctly classified MNIST test images; passes are per image")
    for order in options.norms:
        ours = measure_clearance(network, x, labels, order, "standard")
        rows = [measure_clearance(network, x, labels, order, "quick"), ours]
        passes = ours.forward + ours.backward
        for name, peer in peers(network, order).items():
            rows.append(measure_peer(name, peer, network, x, labels, order, passes))
        report(order, rows, ours)


if __name__ == "__main__":
    main()
