"""One network in every kind of file: the logits of each are those of its eager form."""

import copy
import pickle
from pathlib import Path

import pytest
import torch
from torch import nn

from clearance.model.classifier import Classifier
from clearance.zoo.specs import load_model
from model_files import SHAPE, small_cnn, write_model_files

FILES = ("w.safetensors", "w.pth", "any.pt2", "one.pt2", "any.onnx", "one.onnx")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    return dict(write_model_files(tmp_path_factory.mktemp("models")))


@pytest.fixture
def x() -> torch.Tensor:
    return torch.rand(7, *SHAPE, generator=torch.Generator().manual_seed(1))


def test_there_are_no_other_files(files: dict[str, dict[str, str]]):
    assert tuple(files) == FILES


@pytest.mark.parametrize("name", FILES)
def test_logits_and_gradients_are_those_of_the_eager_form(files: dict[str, dict[str, str]], name: str, x: torch.Tensor):
    loaded, eager = load_model(**files[name]), small_cnn()
    models = [Classifier(network, (0, 1)) for network in (loaded.network, eager)]
    found, wanted = (model.logits(x) for model in models)
    assert (found - wanted).abs().max() <= 1e-6 * wanted.abs().max()
    found, wanted = (model.vjp(x, lambda logits: logits[:, :1])[2](0) for model in models)
    assert (found - wanted).abs().max() <= 1e-6 * wanted.abs().max()
    assert not any(module.training for module in loaded.network.modules())


@pytest.mark.parametrize("name", FILES)
def test_the_network_can_be_copied_sent_and_moved_to_double_precision(
    files: dict[str, dict[str, str]], name: str, x: torch.Tensor
):
    network = load_model(**files[name]).network
    wanted = network(x)
    for other in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert torch.equal(other(x), wanted)
    double = Classifier(network, dtype=torch.float64).logits(x.double())
    assert double.dtype == torch.float64 and (double - wanted).abs().max() < 1e-5


@pytest.mark.parametrize("name", FILES)
def test_the_random_state_of_the_process_is_left_alone(files: dict[str, dict[str, str]], name: str):
    load_model(**files[name])
    if Path(files[name]["spec"]).suffix in (".pt2", ".onnx"):  # the factory of the others draws numbers itself
        before = torch.random.get_rng_state()
        load_model(**files[name])
        assert torch.equal(before, torch.random.get_rng_state())


def test_one_number_changed_in_the_file_is_seen(files: dict[str, dict[str, str]], tmp_path: Path, x: torch.Tensor):
    network = small_cnn()
    with torch.no_grad():
        network[3].bias[0] += 1e-3
    others = write_model_files(tmp_path, network)
    for name in FILES:
        apart = load_model(**others[name]).network(x) - load_model(**files[name]).network(x)
        assert apart[:, 0].sub(1e-3).abs().max() < 1e-5 and apart[:, 1:].abs().max() < 1e-6, name


def test_certificates_see_into_files(files: dict[str, dict[str, str]], x: torch.Tensor):
    import clearance as cl

    radii = [
        cl.certify(Classifier(network, (0, 1)), x[:1], norm=2, method="crown")[0].radius
        for network in (small_cnn(), *(load_model(**files[name]).network for name in FILES))
    ]
    assert all(isinstance(radius, float) and radius > 0 for radius in radii)
    assert radii == pytest.approx([radii[0]] * len(radii), rel=1e-4)


def test_a_factory_takes_arguments(files: dict[str, dict[str, str]]):
    network = load_model(files["w.pth"]["spec"], model_args={"width": 6}).network
    assert isinstance(network, nn.Sequential) and network[0].out_channels == 6
