"""Networks of the experiments: trained once, kept, and the same from the file."""

from pathlib import Path

import pytest
import torch

from clearance.errors import InputError
from clearance.experiments import networks
from clearance.experiments.networks import NETWORK_KINDS, open_network
from clearance.experiments.reproduce import Sitting, open_session
from clearance.experiments.table import Scale


@pytest.fixture(autouse=True)
def one_epoch(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(networks.EPOCHS, "tiny", 1)


@pytest.mark.parametrize("kind", NETWORK_KINDS)
def test_a_network_is_trained_once(tmp_path: Path, kind: str):
    said: list[str] = []
    with open_session(Sitting("weng-2018", Scale.TINY, 0, "cpu", tmp_path), said.append) as session:
        first = open_network(session, f"digits-{kind}")
        again = open_network(session, f"digits-{kind}")
    assert said == [f"training digits-{kind}, 1 epochs"]
    assert first.shown == f"Digits-{NETWORK_KINDS[kind].shown}" and first.digest == again.digest
    x = torch.full((1, 1, 8, 8), 0.5)
    assert torch.equal(first.model.logits(x), again.model.logits(x)) and not first.loaded.network.training


def test_an_unknown_network_is_refused(tmp_path: Path):
    with open_session(Sitting("weng-2018", Scale.TINY, 0, "cpu", tmp_path), print) as session:
        for name in ("digits-rnn", "svhn-cnn", "cnn"):
            with pytest.raises(InputError, match="DATA-KIND"):
                open_network(session, name)
