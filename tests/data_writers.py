"""Small files of images and labels, as other programs write them."""

import gzip
from pathlib import Path

import numpy as np

IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
LABELS = np.array([1, 0], dtype=np.uint8)


def write_npz(path: Path, **arrays: object) -> Path:
    np.savez(path, **arrays)
    return path


def write_idx(path: Path, array: np.ndarray, *, compress: bool = False) -> Path:
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    data = bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(data) if compress else data)
    return path
