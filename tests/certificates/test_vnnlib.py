"""Questions for other provers: files as the package `vnnlib` reads them, verdicts of Marabou, refusals."""

import csv
import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import clearance as cl
from clearance.certificates import vnnlib
from clearance.certificates.vnnlib import VnnlibInstance, box, in_full
from clearance.model.inputs import CheckedInputs, prepare
from vnnlib_files import read_question

pytest.importorskip("onnxruntime", reason="needs onnx: pip install 'clearance[onnx]'")
reader = pytest.importorskip(
    "vnnlib.compat", reason="the reader of VNN-LIB 1.0 is not installed: pip install 'vnnlib<1'"
)

RADII = [0.05, 8 / 255]
TOLERANCE = 1e-4
"""Above the tolerances of Marabou, 1e-6 to 1e-9 on each of its equations."""


def network(seed: int = 0, entries: int = 6, classes: int = 4) -> nn.Sequential:
    """A small ReLU network."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Flatten(), nn.Linear(entries, 8), nn.ReLU(), nn.Linear(8, classes))


def points(count: int, *shape: int, seed: int = 0) -> Tensor:
    return torch.rand(count, *shape, generator=torch.Generator().manual_seed(seed))


def checked(x: Tensor, bounds: Any = None) -> CheckedInputs:
    model = cl.Classifier(nn.Flatten(), bounds)
    return prepare(model, x, None, target="untargeted", norm=math.inf, seed=0)


@pytest.mark.parametrize("radius", [0.1, 8 / 255, 1e-9, 3.0, 0.25])
def test_the_box_holds_the_ball_exactly_and_is_no_larger_than_rounding(radius: float):
    x = torch.cat([points(1, 200), -points(1, 200, seed=1), torch.tensor([[0.0, 1.0, 1e-20, 0.5]])], dim=1)
    low, high = (end.tolist() for end in box(checked(x), radius))
    for value, least, most in zip(x[0].tolist(), low, high, strict=True):
        exact = Fraction(value) - Fraction(radius), Fraction(value) + Fraction(radius)
        assert Fraction(least) <= exact[0] < Fraction(math.nextafter(least, math.inf))
        assert Fraction(math.nextafter(most, -math.inf)) < exact[1] <= Fraction(most)


def test_the_box_is_cut_by_the_bounds_exactly():
    x = torch.tensor([[0.0, 0.1, 0.5, 1.0]])
    low, high = box(checked(x, (torch.tensor([0.0, 0.1, -5.0, 0.3]), 1.0)), 0.25)
    tenth = float(torch.tensor(0.1))  # as float32, exact in float64
    assert low.tolist() == [0.0, tenth, 0.25, 0.75]
    assert high.tolist() == [0.25, tenth + 0.25, 0.75, 1.0]


def test_numbers_read_back_to_the_same_bits_without_an_exponent():
    numbers = (10.0 ** torch.linspace(-300, 300, 601, dtype=torch.float64) * torch.pi).tolist()
    numbers += [-number for number in numbers] + [0.0, 5e-324, 0.1 + 0.2]
    texts = [in_full(number) for number in numbers]
    assert [float(text) for text in texts] == numbers
    assert not any("e" in text or "+" in text for text in texts) and all("." in text for text in texts)


@pytest.mark.parametrize(
    ("target", "bounds"),
    [("untargeted", (0, 1)), ("runner-up", (0, 1)), ("untargeted", None), ("least-likely", (-1, 2))],
)
def test_a_reader_of_vnnlib_finds_what_was_asked(target: str, bounds: Any, tmp_path: Path):
    x, out = points(5, 1, 2, 3), tmp_path / "questions"
    model = cl.Classifier(network(), bounds)
    instances = cl.export_vnnlib(model, x, out=out, radius=RADII, target=target)
    assert [(one.number, one.radius) for one in instances] == [(n, r) for n in range(5) for r in RADII]
    assert sorted(path.name for path in (out / "vnnlib").iterdir()) == sorted(one.file.name for one in instances)
    logits = model.logits(x)
    for one in instances:
        ends, cases = read_question(out / one.file, 6, 4)
        x0, row = x[one.number].double().flatten().numpy(), logits[one.number]
        limits = (-math.inf, math.inf) if bounds is None else bounds
        expected = np.stack([x0 - one.radius, x0 + one.radius], 1).clip(*limits)
        np.testing.assert_allclose(ends, expected, rtol=0, atol=2.0**-52)  # one unit in the last place, outwards
        order = row.argsort(descending=True).tolist()
        own, others = order[0], {"runner-up": order[1:2], "least-likely": order[-1:]}.get(target, order[1:])
        assert one.predicted == own and one.targets == tuple(sorted(others))
        unit = np.eye(4)
        assert sorted(tuple(rows[0]) for rows, _ in cases) == sorted(tuple(unit[own] - unit[t]) for t in others)
        assert all(len(rows) == 1 and tuple(right) == (0,) for rows, right in cases)


def test_the_disjunction_holds_where_another_class_is_predicted_and_nowhere_else(tmp_path: Path):
    model, x = cl.Classifier(network()), points(1, 6)
    (one,) = cl.export_vnnlib(model, x, out=tmp_path / "q", radius=1.0)
    _, cases = read_question(tmp_path / "q" / one.file, 6, 4)
    logits = model.logits(10 * points(500, 6, seed=3) - 5).double().numpy()
    asked = [any((rows @ y <= right).all() for rows, right in cases) for y in logits]
    assert asked == (logits.argmax(1) != one.predicted).tolist() and 0 < sum(asked) < 500


def test_the_list_is_as_the_competition_has_it(tmp_path: Path):
    x = points(3, 6)
    instances = cl.export_vnnlib(
        cl.Classifier(network()), x, out=tmp_path / "q", radius=0.1, timeout=90, numbers=[7, 8, 12]
    )
    with (tmp_path / "q" / "instances.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [["onnx/network.onnx", f"vnnlib/input_{number}_radius_0.1.vnnlib", "90"] for number in (7, 8, 12)]
    assert [one.number for one in instances] == [7, 8, 12]
    assert all((tmp_path / "q" / name).is_file() for row in rows for name in row[:2])
    assert sorted(path.name for path in (tmp_path / "q").iterdir()) == ["instances.csv", "onnx", "vnnlib"]


def test_misclassified_inputs_are_left_out(tmp_path: Path):
    model, x = cl.Classifier(network()), points(4, 6)
    labels = model.logits(x).argmax(1)
    labels[[0, 2]] = (labels[[0, 2]] + 1) % 4
    assert [one.number for one in cl.export_vnnlib(model, x, labels, out=tmp_path / "q", radius=0.1)] == [1, 3]
    with pytest.raises(
        cl.InputError, match=r"^inputs: expected one that the network classifies correctly, got none of 1$"
    ):
        cl.export_vnnlib(model, x[:1], labels[:1], out=tmp_path / "other", radius=0.1)
    assert [path.name for path in tmp_path.iterdir()] == ["q"]


def verdict(out: Path, one: VnnlibInstance, shape: Sequence[int]) -> tuple[str, Tensor]:
    """What Marabou says of a file, and its point where there is one."""
    marabou = pytest.importorskip("maraboupy.Marabou", reason="Marabou is not installed: pip install maraboupy")
    found = marabou.read_onnx(str(out / "onnx" / "network.onnx"))
    options = marabou.createOptions(verbosity=0)
    word, values, _ = found.solve(verbose=False, options=options, propertyFilename=str(out / one.file))
    entries = [values[index] for index in found.inputVars[0].flatten()] if values else []
    return word, torch.tensor(entries, dtype=torch.float64).reshape(-1, *shape)


def minimum_distortion(x: Tensor, own: int, targets: Sequence[int], given: Any) -> float:
    """The smallest linf distance at which some target is as high as the predicted class, by integer programs."""
    choose = nn.Linear(4, 1 + len(targets), bias=False)
    choose.weight.data = torch.eye(4)[[own, *targets]]
    model = cl.Classifier(network(seed=3).append(choose), dtype=torch.float64, **given)
    (proof,) = cl.certify(model, x.double(), norm="inf", method="exact")
    assert proof.status is cl.CertificateStatus.CERTIFIED and 0 < proof.radius < 10
    return proof.radius


@pytest.mark.filterwarnings("ignore::UserWarning")  # Marabou misses TensorFlow, which it needs for other files
@pytest.mark.parametrize("given", [{}, {"bounds": (0, 1), "preprocessing": cl.Normalize(0.4, 0.5)}], ids=str)
@pytest.mark.parametrize("target", ["untargeted", "runner-up", "random"])
def test_marabou_proves_just_below_the_minimum_distortion_and_finds_a_point_just_above(
    target: str, given: dict[str, Any], tmp_path: Path
):
    model, x = cl.Classifier(network(seed=3), **given), points(1, 1, 2, 3)
    (goal,) = cl.export_vnnlib(model, x, out=tmp_path / "any", radius=1.0, target=target)
    radius = minimum_distortion(x, goal.predicted, goal.targets, given)
    below, above = cl.export_vnnlib(model, x, out=tmp_path / "q", radius=[0.99 * radius, 1.01 * radius], target=target)
    assert verdict(tmp_path / "q", below, (1, 2, 3))[0] == "unsat"
    word, point = verdict(tmp_path / "q", above, (1, 2, 3))
    assert word == "sat"
    assert float((point - x).abs().max()) <= above.radius + TOLERANCE
    assert not given or (float(point.min()) >= -TOLERANCE and float(point.max()) <= 1 + TOLERANCE)
    logits = cl.Classifier(network(seed=3), preprocessing=model.preprocessing, dtype=torch.float64).logits(point)[0]
    assert max(logits[t] for t in above.targets) >= logits[above.predicted] - TOLERANCE


class Flat(nn.Module):
    """A network that torch's exporter has no operator for."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.linalg.svdvals(x.reshape(len(x), 2, 3))


def refused(error: type[Exception], message: str, folder: Path, call: Callable[[], object]) -> None:
    """The error and its line; what was there before is all that is there after."""
    before = sorted(folder.rglob("*"))
    with pytest.raises(error, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"norm": 2}, r"^norm: expected inf, as provers read boxes alone, got 2: its ball is no box$"),
        ({"norm": "l1"}, r"^norm: expected inf, .* got 'l1'"),
        ({"norm": 0}, r"^norm: expected p >= 1, got 0"),
        ({"radius": 0}, r"^radius: expected one finite number > 0 or several, got 0$"),
        ({"radius": -0.1}, r"^radius: .*got -0\.1$"),
        ({"radius": math.nan}, r"^radius: .*got nan$"),
        ({"radius": math.inf}, r"^radius: .*got inf$"),
        ({"radius": [0.1, 0.0]}, r"^radius: .*got \[0\.1, 0\.0\]$"),
        ({"radius": []}, r"^radius: .*got \[\]$"),
        ({"radius": "wide"}, r"^radius: .*got 'wide'$"),
        ({"timeout": 0}, r"^timeout: expected a finite number of seconds > 0, got 0$"),
        ({"timeout": math.nan}, r"^timeout: "),
        ({"timeout": "long"}, r"^timeout: .* got 'long'$"),
        ({"target": 4}, r"^target: .*got 4"),
        ({"target": "nearest"}, r"^target: expected one of .*got 'nearest'"),
        ({"numbers": [1]}, r"^numbers: expected one of its own for each of 2 inputs, got \[1\]$"),
        ({"numbers": [1, 1]}, r"^numbers: expected one of its own for each of 2 inputs, got \[1, 1\]$"),
    ],
)
def test_bad_arguments_are_one_line_and_nothing_is_written(given: dict[str, Any], message: str, tmp_path: Path):
    model, options = cl.Classifier(network()), {"radius": 0.1, "out": tmp_path / "q", **given}
    refused(cl.InputError, message, tmp_path, lambda: cl.export_vnnlib(model, points(2, 6), **options))


def test_a_folder_that_cannot_be_used(tmp_path: Path):
    model, x = cl.Classifier(network()), points(1, 6)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for name, message in {
        "full": "^out: expected a new or an empty folder, got .*full, which is not empty$",
        "file": "^out: expected a new or an empty folder, got .*file, which is a file$",
        "nowhere/q": "^out: expected a folder in one that exists, got .*nowhere/q$",
    }.items():
        refused(
            cl.FileError, message, tmp_path, lambda n=name: cl.export_vnnlib(model, x, out=tmp_path / n, radius=0.1)
        )


def test_an_empty_folder_is_filled(tmp_path: Path):
    cl.export_vnnlib(cl.Classifier(network()), points(1, 6), out=str(tmp_path), radius=0.1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["instances.csv", "onnx", "vnnlib"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_nothing_is_half_written(error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    written: list[int] = []

    def second_fails(*given: Any) -> str:
        written.append(1)
        if len(written) > 1:
            raise error
        return "; the first\n"

    monkeypatch.setattr(vnnlib, "property_text", second_fails)
    expected = cl.FileError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected) as caught:
        cl.export_vnnlib(cl.Classifier(network()), points(3, 6), out=tmp_path / "q", radius=0.1)
    assert len(written) == 2 and not list(tmp_path.iterdir())
    assert expected is KeyboardInterrupt or "cannot be written (No space left on device)" in str(caught.value)


def test_a_network_that_cannot_be_exported_or_that_its_file_does_not_hold(tmp_path: Path):
    x = points(1, 6)

    def branch(inputs: Tensor) -> Tensor:
        """The recording holds one side alone: that of the input at which it is made."""
        return inputs[:, :3] if bool((inputs == x).all()) else inputs[:, 3:]

    cases = ((Flat(), "can export, got UnsupportedOperatorError"), (branch, "expected an ONNX file with its logits"))
    for bad, message in cases:
        export = partial(cl.export_vnnlib, cl.Classifier(bad), x, out=tmp_path / "q", radius=0.1)
        refused(cl.NetworkError, message, tmp_path, export)
