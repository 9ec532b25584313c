"""The question "is there an adversarial example within this radius?" as files that other provers read.

VNN-LIB 1.0 (Demarchi et al. 2023; as the VNN-COMP uses it: Brix et al. 2023) describes a set of inputs and outputs of
an ONNX network. One file asks about one input `x0` and one radius `r` in linf:

    X_i   x0_i - r <= X_i <= x0_i + r, and within the bounds of the model
    Y     Y_t >= Y_c for some class t other than the predicted class c; targeted, for the target t alone

`unsat`: no such input, so that `r` is proved. `sat`: there is one. Inputs and logits are numbered in row-major order.

Provers take a box as the set of inputs, so only linf can be asked about. Numbers are written out in full, as many
digits as give back the same float64, without an exponent; the ends of the box are rounded outwards to float64.
"""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from torch import Tensor

from clearance.certificates.onnx_file import check_onnx, import_onnx, to_onnx
from clearance.certificates.vnnlib_request import check_questions, free_folder
from clearance.data.files import path_kind
from clearance.errors import FileError, InputError, ShapeError
from clearance.model.classifier import Classifier, check_classifier
from clearance.model.inputs import CheckedInputs, prepare
from clearance.model.margins import Target
from clearance.model.seeds import make_generator

NETWORK_FILE = PurePosixPath("onnx/network.onnx")
"""Where the network lies in the folder."""
INSTANCES_FILE = "instances.csv"
"""The list of what is to be proved: network, property and seconds, a line each, as the VNN-COMP has it."""
PROVER_TIMEOUT = 300
"""Seconds for each property, unless the caller says otherwise: of the order of those of the VNN-COMP's benchmarks."""


@dataclass(frozen=True)
class VnnlibInstance:
    """One file of a folder for provers: one input and one radius.

    Source: this project.

    Attributes:
        number: The input's number, as in the file's name.
        radius: The radius of the box.
        predicted: The predicted class.
        targets: The classes of which none may be as high as the predicted one, in order.
        file: The file, relative to the folder.
    """

    number: int
    radius: float
    predicted: int
    targets: tuple[int, ...]
    file: PurePosixPath


def export_vnnlib(
    model: Classifier,
    x: Tensor,
    labels: Tensor | Sequence[int] | None = None,
    *,
    out: str | os.PathLike[str],
    radius: float | Sequence[float],
    norm: float | str = math.inf,
    target: Target = "untargeted",
    timeout: float = PROVER_TIMEOUT,
    seed: int = 0,
    numbers: Sequence[int] | None = None,
) -> list[VnnlibInstance]:
    """Write the network as ONNX, one VNN-LIB 1.0 file for each input and radius, and a list of them for provers.

    A file asks for a point of `{x : |x_i - x0_i| <= r, low_i <= x_i <= high_i}` at which some other class is at least
    as high as the predicted one (targeted: the target is). A prover's `unsat` proves the radius. The folder is written
    whole or not at all; the network's file is run and compared with the network at the inputs and within their boxes.

    Source: VNN-LIB 1.0 and the layout of the VNN-COMP's benchmarks (Brix et al. 2023).

    Args:
        model: The classifier. Its preprocessing is part of the file.
        x: Inputs `(batch, *input)`, within the bounds.
        labels: True classes, `(batch,)`; a misclassified input is left out. `None`: predictions are right.
        out: The folder: a new or an empty one, in a folder that exists. It gets `onnx/network.onnx`,
            `vnnlib/input_NUMBER_radius_R.vnnlib` and `instances.csv`.
        radius: One radius or several for each input, in input units. With a scale, boxes and the network's file are in
            units of that: multiply a prover's point by it.
        norm: `inf`, the only one.
        target: Where an adversarial example would go: as `model.margins.resolve_targets` takes it.
        timeout: Seconds for each property, for `instances.csv`.
        seed: For `target="random"`, and for the points at which the file is compared.
        numbers: Numbers of the inputs in the names of files; `None`: their places.

    Returns:
        One record for each property, in order; none for misclassified inputs.

    Raises:
        InputError: If an argument cannot be used, every input is misclassified, or a package is missing.
        FileError: If the folder is not empty or cannot be written.
        NetworkError: If the network cannot be exported, or its file answers otherwise.
        ClearanceError: If another argument or the network's answer cannot be used.
    """
    check_classifier(model)
    radii, folder = check_questions(norm, radius, timeout), free_folder(Path(out))
    for package in ("onnx", "onnxruntime"):
        import_onnx(package)
    with torch.inference_mode(False):
        inputs = prepare(model, x, labels, target=target, norm=norm, seed=seed)
        numbered = _numbered(inputs, numbers)
        network = to_onnx(inputs.model, inputs.x[:1])
        check_onnx(network, inputs.model, _points(inputs, max(radii)))
        instances = [
            VnnlibInstance(number, size, one.predicted[0], tuple(sorted(one.targets[0])), _property_file(number, size))
            for number, one in numbered
            for size in radii
        ]
        texts = (property_text(one, size) for _, one in numbered for size in radii)
        with _written_whole(folder) as place:
            _write(place, network, zip(instances, texts, strict=True), timeout)
    return instances


def property_text(one: CheckedInputs, radius: float) -> str:
    """The VNN-LIB 1.0 file of one input and radius.

    Source: VNN-LIB 1.0 as the VNN-COMP's benchmarks use it (Brix et al. 2023). Comments stand on lines of their own,
    and no number has an exponent: some provers' readers know neither otherwise.

    Args:
        one: The input, as a batch of one.
        radius: The radius of the box.

    Returns:
        The text.
    """
    own, targets, classes = one.predicted[0], sorted(one.targets[0]), one.logits.shape[1]
    low, high = box(one, radius)
    others = f"class {targets[0]}" if len(targets) == 1 else "another class"
    lines = [
        f"; linf distance of at most {radius!r} from an input of class {own}, within the bounds",
        f"; sat: {others} is at least as high as class {own} at some such input; unsat: at none",
        *(f"(declare-const X_{place} Real)" for place in range(len(low))),
        *(f"(declare-const Y_{place} Real)" for place in range(classes)),
    ]
    for place, (least, most) in enumerate(zip(low.tolist(), high.tolist(), strict=True)):
        lines += [f"(assert (>= X_{place} {in_full(least)}))", f"(assert (<= X_{place} {in_full(most)}))"]
    wins = [f"(>= Y_{target} Y_{own})" for target in targets]
    lines += [f"(assert {wins[0]})"] if len(wins) == 1 else ["(assert (or", *(f"    (and {win})" for win in wins), "))"]
    return "\n".join(lines) + "\n"


def box(one: CheckedInputs, radius: float) -> tuple[Tensor, Tensor]:
    """The linf ball around one input, cut by the model's bounds, the ball rounded outwards to float64.

    The rounding error of a sum is a float64 itself (Knuth 1997, section 4.2.2): where it points inwards, the end is
    moved on by one unit in the last place.

    Args:
        one: The input, as a batch of one.
        radius: The radius.

    Returns:
        The lowest and the highest values, `(entries,)` each, float64, in row-major order.
    """
    x = one.x.double().flatten()
    size, bounds = torch.full_like(x, radius), one.model.bounds
    low, high = -_sum_upwards(-x, size), _sum_upwards(x, size)
    if bounds is not None:
        least, most = (end.double().expand_as(one.x).flatten() for end in bounds)
        low, high = torch.maximum(low, least), torch.minimum(high, most)
    return low, high


def _sum_upwards(a: Tensor, b: Tensor) -> Tensor:
    """`a + b`, rounded up where it is no float64."""
    total = a + b
    part = total - a
    error = (a - (total - part)) + (b - part)
    return torch.where(error > 0, torch.nextafter(total, torch.full_like(total, math.inf)), total)


def in_full(number: float) -> str:
    """A float64 in decimal digits that give it back exactly, without an exponent.

    >>> in_full(1e-5), in_full(-0.30000000000000004), in_full(2.0), in_full(-0.0)
    ('0.00001', '-0.30000000000000004', '2.0', '0.0')
    """
    return np.format_float_positional(number + 0.0, unique=True, trim="0")


def _numbered(inputs: CheckedInputs, numbers: Sequence[int] | None) -> list[tuple[int, CheckedInputs]]:
    """Each input that is not misclassified, with its number."""  # noqa: DOC501
    names = range(len(inputs)) if numbers is None else numbers
    if len(set(names)) != len(inputs):
        raise ShapeError(f"numbers: expected one of its own for each of {len(inputs)} inputs, got {list(names)}")
    if not inputs.judged:
        raise InputError(f"inputs: expected one that the network classifies correctly, got none of {len(inputs)}")
    return [(names[place], inputs.rows([place])) for place in inputs.judged]


def _points(inputs: CheckedInputs, radius: float) -> Tensor:
    """Where the file is compared with the network: each input that is judged, and a random point of its box."""
    judged = inputs.rows(inputs.judged)
    points = [judged.x]
    for one in judged.each():
        low, high = box(one, radius)
        draw = make_generator("cpu", inputs.seed, "vnnlib", one.keys[0])
        share = torch.rand(low.shape, generator=draw, dtype=torch.float64).to(low.device)
        points.append(inputs.model.clip((low + share * (high - low)).reshape(one.x.shape).to(one.x.dtype)))
    return torch.cat(points)


def _property_file(number: int, radius: float) -> PurePosixPath:
    return PurePosixPath(f"vnnlib/input_{number}_radius_{radius!r}.vnnlib")


@contextmanager
def _written_whole(folder: Path) -> Generator[Path]:
    """A folder beside this one, which takes its place when the block ends without an error, and else is removed."""  # noqa: DOC402, DOC501
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        part.mkdir()
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        yield part
        if path_kind(folder) == "folder":
            folder.rmdir()
        part.rename(folder)
    except OSError as error:
        raise _unwritable(folder, error) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _unwritable(folder: Path, error: OSError) -> FileError:
    return FileError(f"out: {folder} cannot be written ({error.strerror or error})")


def _write(place: Path, network: bytes, properties: Iterator[tuple[VnnlibInstance, str]], timeout: float) -> None:
    rows, seconds = list[str](), str(int(timeout)) if timeout == int(timeout) else in_full(timeout)
    for name in ("onnx", "vnnlib"):
        (place / name).mkdir()
    (place / NETWORK_FILE).write_bytes(network)
    for instance, text in properties:
        (place / instance.file).write_text(text, encoding="utf-8", newline="\n")
        rows.append(f"{NETWORK_FILE},{instance.file},{seconds}")
    (place / INSTANCES_FILE).write_text("\n".join(rows) + "\n", encoding="utf-8", newline="\n")
