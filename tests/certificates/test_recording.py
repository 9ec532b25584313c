"""Recorded networks: the graph answers as the network, for all forms of the fuzz, and what is not seen is refused."""

import resource
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import clearance as cl
from clearance.certificates.builder import Builder
from clearance.certificates.operations import NotSupportedError
from clearance.certificates.recording import record
from clearance.certificates.translate import Whole, _Reader, translate

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
from network_forms import FORMS  # pyright: ignore[reportMissingImports]

HIDDEN = {"heads", "transformer block"}
"""Forms whose attention layer is read by its class alone."""
HONEST = [name for name, form in FORMS.items() if form.certified and name not in HIDDEN]


def margins(logits: Tensor) -> Tensor:
    return logits - logits[:, :1]


def same(graph: Any, model: cl.Classifier, x: Tensor) -> bool:
    with torch.no_grad():
        return torch.allclose(margins(graph(x.double())), margins(model.logits(x).double()), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", HONEST)
def test_a_recorded_network_answers_as_the_network(name: str):
    form = FORMS[name]
    torch.manual_seed(0)
    model, x = cl.Classifier(form.make().eval()), torch.rand(3, *form.shape)
    with model.frozen(), torch.no_grad(), form.around():
        found = record(lambda: Whole(model), form.shape, model.dtype)
        graph = _Reader(*found, Builder(form.shape, model.device)).graph()
    assert same(graph, model, x)


class Loose(nn.Module):
    """What `torch.fx` cannot follow: an argument that is looked at, a shape that decides, a dict that comes back."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.last = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Linear(36, 3)
        self.token = nn.Parameter(torch.rand(1, 2))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> dict[str, Tensor | None]:
        if x.shape[1] != 1:
            raise ValueError
        x = functional.max_pool2d(functional.relu_(self.norm(self.conv(x))), 2)
        x = 2 - torch.flatten(x, 1)
        x += 2
        x = torch.cat([self.token.expand(len(x), -1), x[:, 2:]], 1).to(x.dtype)
        return {"loss": mask, "logits": self.last(x.reshape(x.shape[0], -1))}


def test_a_network_that_fx_cannot_follow_is_proved():
    torch.manual_seed(0)
    model = cl.Classifier(Loose().double().eval(), (0, 1))
    x = torch.rand(3, 1, 8, 8, dtype=torch.float64)
    assert same(translate(model, (1, 8, 8)), model, x)
    for proof, attack in zip(
        cl.certify(model, x, norm="inf"), cl.attack(model, x, norm="inf", budget=200), strict=True
    ):
        assert proof.status.has_radius
        assert 0 < proof.radius <= attack.distance


def test_one_logit_is_proved_as_two():
    layer = nn.Linear(2, 1, bias=False)
    layer.weight.data.copy_(torch.tensor([[3.0, 4.0]]))
    (proof,) = cl.certify(cl.Classifier(layer), torch.tensor([[1.0, 0.5]]))
    assert (round(proof.radius, 6), proof.predicted) == (1.0, 1)


class Decides(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x) if x.sum() > 0 else -self.layer(x)


class Draws(Decides):
    def forward(self, x: Tensor) -> Tensor:
        return (self.layer(x) + torch.rand(2), None)[0 if isinstance(x, Tensor) else 1]


class Unseen(Decides):
    """Makes a tensor out of the recorder's sight."""

    def forward(self, x: Tensor) -> Tensor:
        with torch._C.DisableTorchFunction():
            hidden = x * -1.0
        return self.layer(hidden)


class Behind(Decides):
    """Changes what was recorded, out of the recorder's sight."""

    def forward(self, x: Tensor) -> Tensor:
        h = self.layer(x)
        with torch._C.DisableTorchFunction():
            h.mul_(-1.0)
        return h * 1.0


class Counts(Decides):
    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x) * x.size(0) + self.layer(x.reshape(x.size(0), 2))


class Rounds(Decides):
    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x.half().to(x.dtype))


def recorded(network: nn.Module) -> Any:
    model = cl.Classifier(network.eval())
    with model.frozen(), torch.no_grad(), torch.random.fork_rng(devices=[]):
        return _Reader(*record(lambda: Whole(model), (2,), model.dtype), Builder((2,), model.device)).graph()


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (Decides, "cannot be recorded"),
        (Draws, "random numbers"),
        (Unseen, "no recorded step has made"),
        (Behind, "changed without being recorded"),
        (Counts, "depend on the size of the batch"),
        (Rounds, "numbers of type torch.float16"),
    ],
)
def test_what_a_record_cannot_hold_is_refused(kind: type[nn.Module], said: str):
    with pytest.raises(NotSupportedError, match=said):
        recorded(kind())


def test_a_constant_that_follows_the_input_stays_a_constant():
    class Follows(Decides):
        def forward(self, x: Tensor) -> Tensor:
            shift = torch.ones(2, dtype=torch.float64).to(x)
            return self.layer(functional.softmax(x + shift, -1, dtype=torch.float32))

    network = Follows()
    assert same(recorded(network), cl.Classifier(network), torch.rand(3, 2))


class ConstantChanges(nn.Module):
    """A constant that is changed in place between two uses: class 1 lies behind `w x = 2`."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3).double()
        self.layer.weight.data.zero_()
        self.layer.bias.data = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)

    def forward(self, x: Tensor, *_: object) -> dict[str, Tensor]:
        constant = torch.zeros(3, dtype=x.dtype)
        logits = self.layer(x) + constant
        constant[1] = 50.0
        return {"logits": logits + constant * torch.relu(x.sum(1, keepdim=True) / 2 - 2)}


def test_a_constant_that_is_changed_in_place_is_recorded_anew():
    model = cl.Classifier(ConstantChanges())
    x = torch.tensor([[0.0] * 4, [1.1] * 4], dtype=torch.float64)
    assert same(translate(model, (4,)), model, x)
    assert cl.certify(model, x[:1])[0].radius <= 2.02


class Cubes(nn.Module):
    """A power in place, of which a view is read afterwards."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.step = nn.Linear(4, 3).double(), nn.Linear(4, 1).double()

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.relu(self.step(x)) * 100
        seen = hidden.view(-1, 1)
        hidden **= 3
        return self.layer(x) + seen


class Casts(Decides):
    def forward(self, x: Tensor, *_: object) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return self.layer(x).float()


class Halves(Decides):
    def forward(self, x: Tensor) -> Tensor:
        return torch.softmax(self.layer(x), -1, torch.float16).float()


class Reads(Decides):
    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x).view(torch.int32).float()


@pytest.mark.parametrize(("kind", "shape"), [(Cubes, (4,)), (Casts, (2,)), (Halves, (2,)), (Reads, (2,))])
def test_what_has_no_exact_graph_has_no_proof(kind: type[nn.Module], shape: tuple[int, ...]):
    torch.manual_seed(0)
    model = cl.Classifier(kind().eval())
    with pytest.raises(NotSupportedError):
        translate(model, shape)


TOKENS = {
    "repeated": lambda token, x: token.repeat(len(x), 1),
    "repeated sizes": lambda token, x: token.repeat((x.shape[0], 1)),
    "a new side": lambda token, x: token[0].repeat(len(x), 1),
    "a sum": lambda token, x: token.expand(len(x), -1) + torch.arange(2, device=x.device),
    "zeros": lambda token, x: torch.zeros(len(x), 2, dtype=x.dtype, device=x.device) - 1,
    "ones of a kind": lambda token, x: torch.ones_like(x[:, :2]) * token,
    "a new tensor": lambda token, x: x.new_full((len(x), 2), 0.25),
    "where it lies": lambda token, x: (token * (2 if x.device.type == "cpu" else 3)).to(x.device).expand(len(x), -1),
    "asked": lambda token, x: token.expand(len(x), -1) * (2 if x.is_cuda or x.is_meta else 3),
}
"""What networks make for each input of a batch."""


class WithToken(nn.Module):
    """A network that puts a constant beside its values, adds it to them, or keeps it for the next call."""

    def __init__(self, make: Any) -> None:
        super().__init__()
        self.first, self.last, self.make = nn.Linear(4, 2).double(), nn.Linear(4, 3).double(), make
        self.token = nn.Parameter(torch.rand(1, 2, dtype=torch.float64))
        self.kept: Tensor | None = None

    def forward(self, x: Tensor, *_: object) -> dict[str, Tensor]:
        hidden = torch.relu(self.first(x))
        if self.kept is None or len(self.kept) < len(x):
            self.kept = torch.ones(len(x), 1, dtype=x.dtype, device=x.device)
        made = self.make(self.token, x)
        return {"logits": self.last(torch.cat([hidden + made, made.to(x)], 1)) * self.kept[: len(x)]}


@pytest.mark.parametrize("name", TOKENS)
def test_what_is_made_for_each_input_is_a_constant(name: str):
    torch.manual_seed(1)
    network = WithToken(TOKENS[name])
    model, x = cl.Classifier(network, (0, 1)), torch.rand(3, 4, dtype=torch.float64)
    assert same(translate(model, (4,)), model, x)
    assert all(proof.status.has_radius for proof in cl.certify(model, x))
    assert model.logits(torch.rand(9, 4, dtype=torch.float64)).shape == (9, 3)  # nothing was kept of the record


def test_a_repeated_constant_is_not_copied_while_it_is_recorded():
    class Large(nn.Module):
        """Its token would take 8 GB for each of the batches that are recorded."""

        def __init__(self) -> None:
            super().__init__()
            self.token, self.last = nn.Parameter(torch.rand(1, 2**18)), nn.Linear(2**18 + 2, 2)

        def forward(self, x: Tensor, *_: object) -> Tensor:
            return self.last(torch.cat([x, self.token.repeat(len(x), 1)], 1))

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    model = cl.Classifier(Large())
    assert same(translate(model, (2,)), model, torch.rand(3, 2))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**20  # KiB


class Written(Decides):
    """Writes what follows the input into a tensor that does not."""

    def forward(self, x: Tensor, *_: object) -> Tensor:
        kept = torch.zeros(len(x), 2)
        kept[:, 0] = x[:, 0]
        return self.layer(kept + x)


class AddedTo(Decides):
    def forward(self, x: Tensor, *_: object) -> Tensor:
        return self.layer(torch.ones(len(x), 2).add_(x))


class Out(Decides):
    def forward(self, x: Tensor, *_: object) -> Tensor:
        kept = torch.zeros(len(x), 2)
        torch.add(x, x, out=kept)
        return self.layer(kept + x)


@pytest.mark.parametrize("kind", [Written, AddedTo, Out])
def test_what_is_written_into_a_constant_is_refused(kind: type[nn.Module]):
    with pytest.raises(NotSupportedError, match="written into another tensor"):
        recorded(kind())
