"""Train the two bundled classifiers of 8 × 8 digits and write their weights.

    python experiments/train_digits.py                     # writes src/clearance/zoo/weights/digits-*.safetensors
    python experiments/train_digits.py --out FOLDER

Both are `clearance.zoo.networks.digits_cnn`, trained on the 1,437 training digits: `digits-standard` as usual,
`digits-robust` at the points that PGD finds within an l_inf distance of 0.15 (Madry et al. 2018). Grey levels are 0,
1/16, ..., 1. The header of each file says what made it and how accurate it is on the 360 test digits.
"""

import argparse
from pathlib import Path

import torch
from safetensors.torch import save_file

from clearance.data.datasets import load
from clearance.training.train import PgdSettings, accuracy, adversarial_accuracy, train
from clearance.zoo.networks import digits_cnn

SEED = 0
EPOCHS, BATCH_SIZE, LEARNING_RATE = 60, 64, 2e-3
TRAINING_ATTACK = PgdSettings(radius=0.15, step_size=0.04, steps=10)
TEST_ATTACK = PgdSettings(radius=0.15, step_size=0.01, steps=50)


def make(name: str, adversarial: PgdSettings | None) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Train one classifier.

    Args:
        name: What it is called.
        adversarial: PGD in training, or `None`.

    Returns:
        Its weights, and the header for their file.
    """
    training, test = load("digits", train=True), load("digits")
    network = digits_cnn(seed=SEED)
    losses = train(
        network,
        training.images,
        training.labels,
        epochs=EPOCHS,
        batch_size=BATCH_SIZE,
        learning_rate=LEARNING_RATE,
        seed=SEED,
        adversarial=adversarial,
    )
    attacked = adversarial_accuracy(network, test.images, test.labels, settings=TEST_ATTACK, seed=SEED)
    metadata = {
        "name": name,
        "architecture": "clearance.zoo.networks:digits_cnn",
        "data": "scikit-learn digits, grey levels / 16, index % 5 != 0 for training",
        "settings": f"epochs={EPOCHS}, batch_size={BATCH_SIZE}, learning_rate={LEARNING_RATE}, seed={SEED}",
        "adversarial": repr(adversarial),
        "last_loss": f"{losses[-1]:.4f}",
        "test_accuracy": f"{accuracy(network, test.images, test.labels):.4f}",
        "pgd": repr(TEST_ATTACK),
        "pgd_accuracy": f"{attacked:.4f}",
        "command": "python experiments/train_digits.py",
        "torch": torch.__version__,
    }
    return {key: value.detach().contiguous() for key, value in network.state_dict().items()}, metadata


def main() -> None:
    """Train both, write both, and print a line for each."""
    bundled = Path(__file__).resolve().parent.parent / "src" / "clearance" / "zoo" / "weights"
    parser = argparse.ArgumentParser(description="Train the bundled classifiers of 8 × 8 digits.")
    parser.add_argument("--out", type=Path, default=bundled, help="folder for the .safetensors files")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    for name, adversarial in (("digits-standard", None), ("digits-robust", TRAINING_ATTACK)):
        weights, metadata = make(name, adversarial)
        path = out / f"{name}.safetensors"
        save_file(weights, path, metadata=metadata)
        clean, attacked = metadata["test_accuracy"], metadata["pgd_accuracy"]
        print(f"{path}: {path.stat().st_size} bytes; test accuracy {clean}, under PGD (l_inf 0.15) {attacked}")


if __name__ == "__main__":
    main()
