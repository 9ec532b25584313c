"""A small valid set of each kind of data, as other programs write it, for tests that damage them."""

import io
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from data_writers import write_idx, write_npz

PIXELS = np.random.default_rng(7).integers(0, 256, (4, 3, 32, 32), dtype=np.uint8)
CLASSES = [1, 0, 2, 1]


def picture(level: int, kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(PIXELS[level % 4].transpose(1, 2, 0)).save(stream, kind)
    return stream.getvalue()


def idx(folder: Path, *, compress: bool = False) -> str:
    write_idx(folder / "t10k-images-idx3-ubyte", PIXELS[:, 0], compress=compress)
    write_idx(folder / "t10k-labels-idx1-ubyte", np.array(CLASSES), compress=compress)
    return f"mnist:{folder}"


def npz(folder: Path) -> str:
    shape = PIXELS.shape[1:]
    write_npz(
        folder / "a.npz",
        images=PIXELS / 255,
        labels=CLASSES,
        low=np.zeros(shape),
        high=np.ones(shape),
        class_names=["x", "y", "z"],
        fixed=np.arange(PIXELS[0].size).reshape(shape) < 5,
    )
    return str(folder / "a.npz")


def cifar10_binary(folder: Path) -> str:
    rows = [bytes([label]) + image.tobytes() for label, image in zip(CLASSES, PIXELS, strict=True)]
    (folder / "test_batch.bin").write_bytes(b"".join(rows))
    return f"cifar10:{folder}"


def cifar10_python(folder: Path) -> str:
    content = {b"labels": CLASSES, b"data": PIXELS.reshape(4, -1)}
    (folder / "test_batch").write_bytes(pickle.dumps(content, protocol=3))
    return f"cifar10:{folder}"


def cifar10_pictures(folder: Path) -> str:
    tiles = PIXELS.reshape(2, 2, 3, 32, 32).transpose(0, 3, 1, 4, 2).reshape(64, 64, 3)
    Image.fromarray(tiles).save(folder / "test_batch.webp", lossless=True)
    write_npz(folder / "labels.npz", y_test=np.uint8(CLASSES))
    return f"cifar10:{folder}"


def csv_file(folder: Path) -> str:
    rows = [f"{row},{row / 7:.4f},yes,{'abc'[label]}" for row, label in enumerate(CLASSES)]
    (folder / "a.csv").write_text("\n".join(["age,income,smoker,kind", *rows]))
    return str(folder / "a.csv")


def parquet(folder: Path) -> str:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"a": np.arange(4.0), "b": [1, 2, 3, 4], "y": CLASSES}), folder / "a.parquet")
    return str(folder / "a.parquet")


def parquet_pictures(folder: Path) -> str:
    import pyarrow as pa
    import pyarrow.parquet as pq

    cells = [{"bytes": picture(row), "path": f"{row}.png"} for row in range(4)]
    pq.write_table(pa.table({"image": cells, "label": CLASSES}), folder / "a.parquet")
    return str(folder / "a.parquet")


def hugging_face(folder: Path) -> str:
    import datasets

    datasets.Dataset.from_dict({"a": [0.5, 1.5, 2.5, 3.5], "y": CLASSES}).save_to_disk(folder)
    return f"hf:{folder}"


def picture_folder(folder: Path, kind: str = "png") -> str:
    for row, label in enumerate(CLASSES):
        (folder / f"class{label}").mkdir(exist_ok=True)
        (folder / f"class{label}" / f"{row}.{kind}").write_bytes(picture(row, kind.upper()))
    return f"folder:{folder}"


def listed_folder(folder: Path) -> str:
    lines = ["file,label,name"]
    for row, label in enumerate(CLASSES):
        (folder / f"{row}.png").write_bytes(picture(row))
        lines.append(f"{row}.png,{label},name{label}")
    (folder / "labels.csv").write_text("\n".join(lines))
    return f"folder:{folder}"


WRITERS: dict[str, Callable[[Path], str]] = {
    "idx": idx,
    "idx.gz": lambda folder: idx(folder, compress=True),
    "npz": npz,
    "cifar10 binary": cifar10_binary,
    "cifar10 python": cifar10_python,
    "cifar10 pictures": cifar10_pictures,
    "csv": csv_file,
    "parquet": parquet,
    "parquet pictures": parquet_pictures,
    "hf": hugging_face,
    "folder png": picture_folder,
    "folder jpeg": lambda folder: picture_folder(folder, "jpeg"),
    "folder gif": lambda folder: picture_folder(folder, "gif"),
    "folder list": listed_folder,
}
"""Name of a form -> writes it into an empty folder, and says what to load."""
