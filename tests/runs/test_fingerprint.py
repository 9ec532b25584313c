"""The digest of a network: it is the same in another process, and another one whatever was changed."""

import os
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from clearance.runs.fingerprint import fingerprint
from conftest import ROOT


class Net(nn.Module):
    """A network with an attribute of each kind."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)
        with torch.no_grad():
            self.layer.weight.copy_(torch.arange(6.0).reshape(2, 3))
            self.layer.bias.zero_()
        self.register_buffer("mask", torch.ones(3), persistent=False)
        self.gain, self.shift, self.name = 1.0, torch.zeros(2), "net"
        self.config = {"clip": [0.0, 1.0], "options": SimpleNamespace(depth=2)}
        self.hidden = [nn.Linear(1, 1, bias=False).requires_grad_(False)]
        self.hidden[0].weight.zero_()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x * self.mask) * self.gain + self.shift


def scaled(x: torch.Tensor) -> torch.Tensor:
    return 0.5 * x


def shifted(x: torch.Tensor) -> torch.Tensor:
    return 0.25 * x


def times(factor: float) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda x: factor * x


CHANGES: dict[str, Callable[[Net], object]] = {
    "a parameter": lambda net: net.layer.bias.data.fill_(1e-7),
    "a non-persistent buffer": lambda net: net.mask.mul_(0.5),
    "a plain tensor": lambda net: net.shift.add_(1),
    "a number": lambda net: setattr(net, "gain", 0.5),
    "a word": lambda net: setattr(net, "name", "ten"),
    "a nested number": lambda net: net.config["clip"].__setitem__(1, 2.0),
    "a namespace": lambda net: setattr(net.config["options"], "depth", 3),
    "a module in a list": lambda net: net.hidden[0].weight.data.fill_(1),
    "a patched forward": lambda net: setattr(net.layer, "forward", scaled),
    "another patch": lambda net: setattr(net.layer, "forward", shifted),
    "a closure": lambda net: setattr(net.layer, "forward", times(2.0)),
    "another closure": lambda net: setattr(net.layer, "forward", times(3.0)),
    "a hook": lambda net: net.layer.register_forward_hook(lambda module, x, y: 2 * y),
    "another hook": lambda net: net.layer.register_forward_hook(lambda module, x, y: 3 * y),
    "a parametrisation": lambda net: parametrizations.weight_norm(net.layer),
}


def changed(name: str) -> Net:
    net = Net()
    CHANGES[name](net)
    return net


def test_every_change_is_another_digest_and_none_is_the_same():
    digests = {name: fingerprint(changed(name)) for name in CHANGES}
    assert len({*digests.values(), fingerprint(Net())}) == len(CHANGES) + 1
    assert digests == {name: fingerprint(changed(name)) for name in CHANGES}


@pytest.mark.parametrize(
    "change",
    [
        lambda net: net.eval(),
        lambda net: net.requires_grad_(False),
        lambda net: net(torch.ones(1, 3)).sum().backward(),
        lambda net: setattr(net, "generator", torch.Generator()),
    ],
)
def test_what_changes_no_answer_is_the_same_digest(change: Callable[[Net], object]):
    one, other = Net(), Net()
    one.generator = torch.Generator()
    other.generator = torch.Generator().manual_seed(3)
    change(other)
    assert fingerprint(one) == fingerprint(other)


class ExtraState(nn.Linear):
    """A layer that keeps a dict as its extra state."""

    def __init__(self, steps: int) -> None:
        super().__init__(2, 2)
        nn.init.ones_(self.weight)
        nn.init.zeros_(self.bias)
        self._steps = weakref.WeakKeyDictionary({self: steps})  # seen through the state alone

    def get_extra_state(self) -> dict[str, int]:
        return {"steps": self._steps[self]}


def test_extra_state_may_be_a_dict():
    assert fingerprint(ExtraState(1)) == fingerprint(ExtraState(1)) != fingerprint(ExtraState(2))


@pytest.mark.filterwarnings("ignore")
def test_dynamically_quantised_networks():
    def quantised(value: float) -> nn.Module:
        network = nn.Sequential(nn.Linear(2, 2))
        nn.init.constant_(network[0].weight, value)
        nn.init.zeros_(network[0].bias)
        return torch.ao.quantization.quantize_dynamic(network, {nn.Linear}, dtype=torch.qint8)

    assert fingerprint(quantised(1.0)) == fingerprint(quantised(1.0)) != fingerprint(quantised(2.0))


KINDS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "bfloat16": lambda x: x.bfloat16(),
    "float8": lambda x: x.to(torch.float8_e4m3fn),
    "complex": lambda x: x.to(torch.complex64).conj(),
    "bool": lambda x: x > 0,
    "sparse": lambda x: x.to_sparse(),
    "compressed": lambda x: x.to_sparse_csr(),
    "quantised": lambda x: torch.quantize_per_tensor(x, 0.1, 0, torch.qint8),
    "per channel": lambda x: torch.quantize_per_channel(x, torch.ones(2).double(), torch.zeros(2), 0, torch.qint8),
    "scalar": lambda x: x.sum(),
    "strided": lambda x: x.repeat(2, 2)[::2, ::2],
    "a subclass": lambda x: x.as_subclass(Subclass),
}


class Subclass(torch.Tensor):
    pass


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", KINDS)
def test_tensors_of_every_kind_are_read_by_their_values(kind: str):
    make = KINDS[kind]
    assert fingerprint(make(torch.ones(2, 2))) == fingerprint(make(torch.ones(2, 2)))
    assert fingerprint(make(torch.ones(2, 2))) != fingerprint(make(torch.zeros(2, 2)))


def test_tensors_without_values_have_a_digest():
    kinds = [nn.LazyLinear(2), nn.Linear(2, 2, device="meta"), nn.Linear(2, 3, device="meta")]
    assert len({fingerprint(kind) for kind in kinds}) == 3


SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from clearance.runs.fingerprint import fingerprint
for gain in ("1.0", "0.5"):
    Path(sys.argv[1], "deeper.py").write_text(f"GAIN = {gain}")
    for name in ("nets", "helper", "deeper"):
        sys.modules.pop(name, None)
    import nets
    print(fingerprint(nets.Net()))
"""
NETS = """
import helper
from torch import nn
class Net(nn.Module):
    words = {"a", "b", "c", "d"}
    def __init__(self):
        super().__init__()
        self.act, self.bag = helper.act, {"x", "y", "z"}
    def forward(self, x):
        return self.act(x)
"""


def digests_in_a_process(folder: Path) -> list[str]:
    """Of a network whose helper reads one constant, then another."""
    path = os.pathsep.join([str(ROOT / "src"), str(folder)])
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "random"}
    command = [sys.executable, "-c", SCRIPT, str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return done.stdout.split()


def test_a_helper_file_belongs_to_the_network_and_processes_agree(tmp_path: Path):
    (tmp_path / "nets.py").write_text(NETS)
    (tmp_path / "helper.py").write_text("import deeper\ndef act(x):\n    return x * deeper.GAIN\n")
    digests, again = digests_in_a_process(tmp_path), digests_in_a_process(tmp_path)
    assert digests == again and digests[0] != digests[1]
