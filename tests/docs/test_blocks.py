"""Every block of Python and of commands in README.md and docs runs, page by page, in an empty folder.

Pages whose examples are doctests of a test of their own are left to it.
"""

import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import save_file

from conftest import ROOT
from doc_blocks import Block, Page, blocks, commands, same
from made_runs import far, run_of
from model_files import write_vision_transformer
from torchvision_operators import define_torchvision_operators

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md")), *sorted((DOCS / "guides").glob("*.md"))]
ELSEWHERE = {
    "audit.md": "tests/audit/test_flag_pages.py",
    "estimate.md": "tests/estimates/extremes/test_compare.py",
}
"""Page -> the test that runs its doctests."""
FACTORY = """
from torch import nn

def make(width=16):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))

factory = network = make
"""
"""A module of the reader's."""
RUNS = ("RUN", "RUN-2", "LAST-RELEASE", "my-run", "standard", "robust", "masked", "run-a", "run-b")
"""Runs that pages take as given."""
FEW_PASSES = {"passes": 280, "estimate": 400, "blocks": 4, "max_blocks": 8, "tolerance": 1.0, "seconds": 9.0}
"""What every budget of a name is in these tests: `sdp-crown` runs from 10 seconds on."""

each_page = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())


def found(path: Path) -> list[Block]:
    return [block for block in blocks(path.read_text()) if not (path.name in ELSEWHERE and ">>>" in block.code)]


def fewer(rule: Any) -> Any:
    """A sampler's rule whose default is few and small blocks."""
    if rule is None:
        return None
    size = max(rule.smallest_block, rule.block_size // 8)
    return replace(rule, block_size=size, first_blocks=FEW_PASSES["blocks"], most_blocks=FEW_PASSES["max_blocks"])


@pytest.fixture
def few_passes(monkeypatch: pytest.MonkeyPatch):
    import clearance as cl
    import clearance.bracket
    from clearance.audit.effort import FULL, SHORT
    from clearance.estimates.samplers.table import SAMPLERS
    from clearance.model.budgets import BUDGETS, Budget

    for name in BUDGETS:
        monkeypatch.setitem(BUDGETS, name, Budget(**FEW_PASSES))
    monkeypatch.setattr(sys.modules["clearance.bracket"], "FULL", SHORT)
    monkeypatch.setattr(sys.modules["clearance.audit"], "SHORT", FULL)  # pages show the flags of a whole audit
    for name, line in SAMPLERS.items():
        rules = {field: fewer(getattr(line, field)) for field in ("first_order", "second_order")}
        monkeypatch.setitem(SAMPLERS, name, replace(line, **rules))
    for paper in (cl.PAPER, cl.PAPER_SECOND_ORDER):
        monkeypatch.setitem(paper, "blocks", 12)
        monkeypatch.setitem(paper, "block_size", 8)


@pytest.fixture
def page(here: Path, few_passes: None) -> Page:
    """A folder with the runs, and the names, that pages take as given: a small network and two of its inputs."""
    import torch
    from torch import nn

    import clearance as cl

    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))  # linear: every search is over at once
        made = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))  # as FACTORY has it
    model = cl.Classifier(network, bounds=(0, 1))
    x = torch.rand(2, 1, 8, 8, generator=generator)
    labels = model.logits(x).argmax(1)
    names = {"cl": cl, "torch": torch, "nn": nn, "Path": Path, "network": network, "made": made, "model": model, "x": x}
    names |= {"labels": labels, "images": x, "held_images": x, "held_labels": labels}
    names |= {"Staircase": cl.transforms.Staircase, "__name__": "page"}
    return Page(here, names)


def given(path: Path, page: Page) -> None:
    """The runs and files that a page reads and does not make."""
    text, folder = path.read_text().replace("RUN RUN", "RUN RUN-2"), page.folder
    (folder / "package").mkdir()
    (folder / "package" / "module.py").write_text(FACTORY)
    np.savez(folder / "images.npz", images=page.names["x"].numpy(), labels=page.names["labels"].numpy())
    save_file(dict(page.names["made"].state_dict()), folder / "weights.safetensors")
    if "transformers" in text or "hf:my-classifier" in text:
        define_torchvision_operators()
        pytest.importorskip("transformers", reason="needs transformers: pip install 'clearance[hf]'")
    if "hf:my-classifier" in text:
        (folder / "my-classifier").mkdir()
        write_vision_transformer(folder / "my-classifier")
    for name in RUNS:
        if re.search(rf"(?<![\w-]){name}(?![\w-])", text) and f"--out {name}" not in text:
            run_of(folder / name, [far(1.0), far(1.1), far(1.2)])


@each_page
def test_the_blocks_of_a_page_run(path: Path, page: Page):
    members = found(path)
    if not any(block.kind != "text" for block in members):
        pytest.skip("no code")
    given(path, page)
    before, sys.path[:] = sys.path[:], [str(page.folder), *sys.path]
    try:
        for block, after in zip(members, [*members[1:], None], strict=True):
            page.read(block)
            follows = after is not None and after.kind == "text" and block.kind == "python" and not block.mark
            if follows and page.printed:
                assert same(after.code, page.printed), f"line {after.line}: it prints\n{page.printed}"
    finally:
        sys.path[:] = before


@each_page
def test_marks_have_reasons(path: Path):
    for block in blocks(path.read_text()):
        assert not block.mark or block.mark == "file" or len(block.reason.split()) >= 3


def test_marks_are_few():
    everything = [block for path in PAGES for block in blocks(path.read_text()) if block.kind != "text"]
    skipped = [block for block in everything if block.mark == "skip"]
    assert len(everything) > 80 and len(skipped) <= 0.08 * len(everything)


@pytest.mark.parametrize("name", ELSEWHERE)
def test_the_other_tests_read_the_page(name: str):
    assert name in (ROOT / ELSEWHERE[name]).read_text()


def test_pages_of_flags_hold_doctests_alone():
    for path in (DOCS / "flags").glob("*.md"):
        assert all(">>>" in block.code for block in blocks(path.read_text()) if block.kind != "text")


def test_what_is_wrong_is_seen(page: Page):
    for code in ("clearance brackets a b", "clearance score digits-standard digits --normal 2", "frobnicate"):
        with pytest.raises(Exception, match=r"brackets|normal|frobnicate"):
            page.read(Block(1, "shell", code))
    with pytest.raises(AssertionError, match="none"):
        page.read(Block(1, "shell", "pip install '.[none]'"))
    with pytest.raises(NameError):
        page.read(Block(1, "python", "missing_name"))
    with pytest.raises(AssertionError, match="Expected"):
        page.read(Block(1, "python", ">>> 1 + 1\n3\n"))
    with pytest.raises(AssertionError, match="got"):
        blocks("    this is no code\n")
    with pytest.raises(AssertionError, match="perl"):
        blocks("```perl\n1\n```\n")


def test_blocks_are_told_apart():
    text = "<!-- block: skip: needs a cluster -->\n```bash\nray stop\n```\n\ntext\n\n"
    text += "    x = 1\n    clearance demo \\\n        -h\n"
    assert blocks(text) == [
        Block(2, "shell", "ray stop\n", "skip", "needs a cluster"),
        Block(8, "python", "x = 1\n"),
        Block(8, "shell", "clearance demo \\\n    -h\n"),
    ]
    assert commands("$ clearance a \\\n  b  # c\n\ncd x && make y\n") == [
        ["clearance", "a", "b"],
        ["cd", "x"],
        ["make", "y"],
    ]
    assert same("a 1.00, b", "a 1.02, b") and not same("a 1", "a 2") and not same("a", "a b")
