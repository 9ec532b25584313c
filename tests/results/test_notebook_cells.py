"""A notebook, run cell by cell by nbclient: what a person sees of each call, without errors and without a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from conftest import ROOT
from waiting import HANG

CELLS = (
    "import clearance as cl\nmodels = {name: cl.load_model(name) for name in ('digits-standard', 'digits-robust')}",
    "data = cl.load_data('digits', count=2)\ndata",
    "choices = {'budget': 1500, 'certificate': 'none', 'references': data.images}\n"
    "results = {n: cl.bracket(m, data.images, data.labels, **choices) for n, m in models.items()}",
    "results['digits-robust']",
    "print(results['digits-robust'].summary())",
    "results['digits-robust'].to_dataframe()[['input', 'status', 'attacked.distance']]",
    "cl.compare(results)",
    "results['digits-robust'].save('kept')\ncl.load('kept') == results['digits-robust']",
)
"""What the notebook's cells hold."""


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> list[list[Any]]:
    """What each cell shows."""
    folder = tmp_path_factory.mktemp("notebook")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT / "src"))
        patch.delenv("CLEARANCE_PROGRESS", raising=False)
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("JUPYTER_PLATFORM_DIRS", "1")
        book = new_notebook(cells=[new_code_cell(cell) for cell in CELLS])
        client = NotebookClient(book, timeout=HANG, kernel_name="python3", resources={"metadata": {"path": folder}})
        client.execute()
    nbformat.validate(book)
    nbformat.write(book, Path(folder) / "shown.ipynb")
    return [cell["outputs"] for cell in book.cells]


def html_of(outputs: list[Any]) -> str:
    return "".join(output["data"].get("text/html", "") for output in outputs if "data" in output)


def test_no_cell_fails_or_complains(outputs: list[list[Any]]):
    assert not [one for shown in outputs for one in shown if one["output_type"] == "error"]
    assert not [one for shown in outputs for one in shown if one.get("name") == "stderr"]


def test_a_long_call_ends_with_a_line_for_each_model(outputs: list[list[Any]]):
    shown = html_of(outputs[2])
    assert shown.count("<small>bracketing: 2 of 2") == 2 and "<progress" not in shown


def test_results_show_a_table_and_their_chart(outputs: list[list[Any]]):
    shown = html_of(outputs[3])
    assert "bracket, digits-robust, l2, untargeted: 2 inputs" in shown and "<th>attacked (witness)</th>" in shown
    assert shown.count("<tr>") == 3 and "data:image/svg+xml;base64," in shown
    assert "Results(bracket, digits-robust" in outputs[3][0]["data"]["text/plain"]


def test_text_frames_and_comparisons(outputs: list[list[Any]]):
    assert outputs[1][0]["data"]["text/plain"].startswith("Dataset(digits-test: 2 of 360 inputs")
    assert outputs[4][0]["text"].startswith("2 inputs (1 ok, 1 misclassified): median estimated")
    assert "attacked.distance" in html_of(outputs[5])
    shown = html_of(outputs[6])
    assert "digits-standard" in shown and "<th>rank</th>" in shown and "data:image/svg+xml;base64," in shown
    assert outputs[7][0]["data"]["text/plain"] == "True"


def test_nothing_is_loaded_from_a_network(outputs: list[list[Any]]):
    shown = "".join(html_of(one) for one in outputs)
    assert "http" not in shown and "<script" not in shown and 'src="data:' in shown
