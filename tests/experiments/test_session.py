"""What an experiment is given, and what `--force` takes away."""

from pathlib import Path

import pytest

from clearance.errors import InputError
from clearance.experiments.journal import JOURNAL_FILE
from clearance.experiments.reproduce import Sitting, forget, open_session
from clearance.experiments.table import Scale


def sitting(out: Path, name: str = "weng-2018", **values: object) -> Sitting:
    return Sitting(name, **{"scale": Scale.TINY, "seed": 0, "device": "cpu", "out": out, **values})  # pyright: ignore


def test_it_chooses_by_scale_and_loads_data(tmp_path: Path):
    with open_session(sitting(tmp_path), print) as session:
        assert session.choose(tiny=1, small=2, paper=3) == 1
        assert len(session.data("digits", count=3, train=True)) == 3
        assert session.runs == tmp_path / "weng-2018" / "runs" and session.networks == tmp_path / "networks"


def test_imagenet_lies_in_the_folder_of_data(tmp_path: Path, clearance_data: Path, monkeypatch: pytest.MonkeyPatch):
    if not (clearance_data / "imagenet-sample").is_dir():
        pytest.skip(f"no imagenet-sample at {clearance_data}")
    monkeypatch.setenv("CLEARANCE_DATA", str(clearance_data))
    with open_session(sitting(tmp_path), print) as session:
        assert session.data("imagenet-sample", count=1, resize=(32, 32)).images.shape == (1, 3, 32, 32)


def test_the_command_says_what_was_asked_for(tmp_path: Path):
    assert sitting(tmp_path).command == "clearance reproduce weng-2018 --scale tiny"
    assert sitting(tmp_path, seed=3, scale=Scale.PAPER).command.endswith("--scale paper --seed 3")


def test_an_unknown_experiment_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="weng-2018"), open_session(sitting(tmp_path, "nobody-1900"), print):
        pass


def test_forgetting_leaves_what_is_not_its_own(tmp_path: Path):
    forget(sitting(tmp_path))  # nothing there
    with open_session(sitting(tmp_path), print) as session:
        session.runs.mkdir(parents=True)
        for file in (session.folder / "notes.txt", session.runs / "a", tmp_path / "networks"):
            file.write_text("")
    forget(sitting(tmp_path))
    assert [path.name for path in (tmp_path / "weng-2018").iterdir()] == ["notes.txt"]
    assert not (tmp_path / "weng-2018" / JOURNAL_FILE).exists() and (tmp_path / "networks").exists()
