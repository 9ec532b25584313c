"""Public checkpoints, honest as far as anyone knows: read from `CLEARANCE_DATA`, skipped where that is absent."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from clearance import Classifier, datasets
from masking.entries import Data, Entry, make_entry

PUBLIC = (
    "mnist-eran-6x100",
    "mnist-kw-0.1",
    "mnist-lirpa-a-adv",
    "mnist-mipverify-wk17a",
    "mnist-fmn",
    "cifar10-oval-base",
    "cifar10-captum",
)
"""Standard, adversarially trained and certified networks; the first two are small."""
COUNT = 300
"""Test images that are read."""


def public(name: str) -> Entry:
    """The network with its first inputs."""
    folder = Path(os.environ.get("CLEARANCE_DATA", Path(__file__).parents[2] / ".." / "shared" / "data")).resolve()
    if not (folder / "checkpoints" / "zoo.py").exists():
        pytest.skip(f"no public checkpoints in {folder} (CLEARANCE_DATA)")
    sys.path.insert(0, str(folder / "checkpoints"))
    import zoo  # pyright: ignore

    data = mnist() if name.startswith("mnist") else cifar(folder)
    entries = json.loads((folder / "checkpoints" / "manifest.json").read_text())
    network = zoo.load(next(entry for entry in entries if entry["id"] == name))
    return make_entry(name, Classifier(network, bounds=(0, 1)), data)


def mnist() -> Data:
    test = datasets.load("mnist", count=COUNT)
    return Data(test.images, test.labels, test.images, test.labels)


def cifar(folder: Path) -> Data:
    image = pytest.importorskip("PIL.Image", reason="CIFAR-10 is read with Pillow")
    sheet = np.asarray(image.open(folder / "cifar10" / "test_batch.webp").convert("RGB"))
    rows = sheet.reshape(100, 32, 100, 32, 3).transpose(0, 2, 4, 1, 3).reshape(-1, 3, 32, 32)[:COUNT]
    images = torch.from_numpy(rows.copy()).float() / 255
    labels = torch.from_numpy(np.load(folder / "cifar10" / "labels.npz")["y_test"][:COUNT]).long()
    return Data(images, labels, images, labels)
