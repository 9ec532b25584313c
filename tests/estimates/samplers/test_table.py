"""The table of samplers: every line can be used, is documented, and a new one is one file and one line."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from clearance.cli.model_commands import score
from clearance.errors import InputError
from clearance.estimates.clever import clever
from clearance.estimates.samplers.table import SAMPLERS, BlockChoice, SamplerChoice, default_text
from clearance.estimates.settings import Settings
from clearance.model.classifier import Classifier
from closed_forms import random_linear
from conftest import ROOT

DUMMY = '''
"""The gradient at the input itself, in every block."""

from clearance.estimates.samplers.uniform import uniform_gradients


def at_input(problem, radius, blocks, block_size, purpose, refute=None):
    return uniform_gradients(problem, 1e-9 * radius, blocks, 1, purpose, refute)
'''
LINE = SamplerChoice("at the input", BlockChoice("one gradient", "dummy_sampler:at_input", 1, 4, 4), None, 0.0, 1)


@pytest.fixture
def dummy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "dummy_sampler.py").write_text(DUMMY)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(SAMPLERS, "dummy", LINE)
    monkeypatch.delitem(sys.modules, "dummy_sampler", raising=False)
    return tmp_path


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("order", [1, 2])
def test_every_line_names_a_rule_that_is_there(name: str, order: int):
    rule = SAMPLERS[name].rule(order)
    assert rule is not None and callable(rule.load())
    assert rule.smallest_block <= rule.block_size and rule.first_blocks <= rule.most_blocks
    settings = Settings(bound="ball", sampler=name, order=order)
    assert (settings.size, settings.most_blocks) == (rule.block_size, rule.most_blocks)
    assert settings.draw is rule.load()


def test_a_new_sampler_is_one_file_and_one_line(dummy: Path):
    network, x = random_linear(0), torch.zeros(1, 6, dtype=torch.float64)
    model = Classifier(network, dtype=torch.float64)
    (found,) = clever(model, x, bound="ball", sampler="dummy", blocks=4)
    assert found.sampler == "dummy" and len(found.maxima) == 4
    assert found.radius == pytest.approx(float(network.distance(x, 2.0)), rel=1e-4)
    with pytest.raises(InputError, match=r"sampler: expected one with order 2 \(directed, uniform\), got 'dummy'"):
        clever(model, x, sampler="dummy", order=2)


def test_the_command_line_knows_a_new_sampler(dummy: Path):
    program = (
        "import sys\nfrom clearance.estimates.samplers.table import SAMPLERS, BlockChoice, SamplerChoice\n"
        f"SAMPLERS['dummy'] = {LINE!r}\n"
        "from clearance.cli import run\n"
        "flags = ['--count', '1', '--bound', 'ball', '--sampler', 'dummy', '--blocks', '4']\n"
        "sys.exit(run(['score', 'digits-standard', 'digits', *flags]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=dummy, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "dummy sampler" in done.stdout


def test_an_unknown_sampler_is_answered_with_the_names():
    with pytest.raises(InputError, match=f"sampler: expected one of {', '.join(SAMPLERS)}, got 'none'"):
        Settings(sampler="none")


def test_choices_help_and_docs_are_read_from_the_table():
    options = {option.name: option for option in score.params}
    assert list(options["sampler"].type.choices) == list(SAMPLERS)
    assert all(choice.meaning in options["sampler"].help for choice in SAMPLERS.values())
    assert default_text("block_size") in options["block_size"].help
    assert default_text("most_blocks") in options["max_blocks"].help
    first, second = ((ROOT / "docs" / name).read_text() for name in ("estimate.md", "second-order.md"))
    for name, choice in SAMPLERS.items():
        one, two = choice.first_order, choice.second_order
        assert f'| `"{name}"` | {one.meaning} | {one.block_size:,} | {one.first_blocks} to {one.most_blocks} |' in first
        if two is not None:
            assert f'| `"{name}"` | {two.meaning}' in second
            assert f"| {two.block_size:,} | {two.first_blocks} to {two.most_blocks} |" in second
