"""`clearance reproduce weng-2018 --scale tiny`: from training to the pages, and the findings that hold so small."""

from pathlib import Path

import pytest

from clearance.experiments.outcome import Reproduction
from clearance.experiments.reproduce import Sitting, reproduce
from clearance.experiments.table import Scale
from clearance.experiments.weng2018 import small_images


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Reproduction, list[Path]]:
    out = tmp_path_factory.mktemp("out")
    return reproduce(Sitting("weng-2018", Scale.TINY, 0, "cpu", out), lambda _: None)


@pytest.mark.slow
def test_every_table_and_figure_is_there(made: tuple[Reproduction, list[Path]]):
    found, files = made
    assert [table.title.partition(".")[0] for table in found.tables] == ["Table 2", "Table 3a", "Table 3b", "Table 5"]
    assert [len(table.rows) for table in found.tables] == [8, 12, 12, 12]
    names = {file.name for file in files}
    assert names == {"tables.md", "page.html", *(f"figure-{number}.svg" for number in (2, 3, 4, 9))}
    runs = files[0].parent / "runs"
    assert len(list(runs.glob("*/report.html"))) == 4


@pytest.mark.slow
def test_findings_of_direction(made: tuple[Reproduction, list[Path]]):
    verdicts = {finding.sentence: finding for finding in made[0].findings}
    held = {sentence for sentence, finding in verdicts.items() if finding.holds}
    for words in ("CLEVER is below", "SLOPE exceeds", "Kolmogorov-Smirnov", "No proof exceeds"):
        assert any(words in sentence for sentence in held), verdicts
    # One input of a network that the paper has not: whether a defence raises the score is told on MNIST and CIFAR-10.
    untold = [finding for finding in verdicts.values() if finding.holds is None]
    assert len(untold) == 2 and all("CLEVER" in finding.evidence for finding in untold)


@pytest.mark.slow
def test_it_goes_on_where_it_was(made: tuple[Reproduction, list[Path]]):
    said: list[str] = []
    out = made[1][0].parents[1]
    again, _ = reproduce(Sitting("weng-2018", Scale.TINY, 0, "cpu", out), said.append)
    assert said == [] and again.tables == made[0].tables


@pytest.mark.slow
def test_the_findings_on_mnist_at_scale_small(tmp_path: Path, clearance_data: Path, monkeypatch: pytest.MonkeyPatch):
    """About ten minutes on one core: the four bundled networks, without CIFAR-10.

    Not asserted, because they do not hold at this scale: the Kolmogorov-Smirnov share of 95 % (MNIST-BReLU falls short
    of it, as in the paper's table 5; with 48 maxima of 20 samples most fits have no endpoint), and that no single score
    exceeds a witness.
    """
    monkeypatch.setenv("CLEARANCE_DATA", str(clearance_data))
    monkeypatch.setitem(small_images.DATA_OF, Scale.SMALL, ("mnist",))
    found, _ = reproduce(Sitting("weng-2018", Scale.SMALL, 0, "cpu", tmp_path), lambda _: None)
    held = {finding.sentence for finding in found.findings if finding.holds}
    for words in (
        "CLEVER is below the distance of the nearer attack",
        "SLOPE exceeds",
        "Defensive distillation raises the CLEVER score on MNIST",
        "Bounded ReLU raises the CLEVER score on MNIST",
        "No proof exceeds",
    ):
        assert any(words in sentence for sentence in held), found.findings
