"""A network that keeps something for its next call is left as it was found, and is proved."""

import pytest
import torch
from torch import Tensor, nn

import clearance as cl
from clearance.certificates.unchanged import unchanged


class Keeps(nn.Module):
    """Keeps a mask for the largest batch that it has met, and its last input in places of several kinds."""

    def __init__(self) -> None:
        super().__init__()
        self.last, self.mask = nn.Linear(3, 2), torch.ones(1, 3)
        self.seen: list[Tensor] = []
        self.by_name: dict[str, Tensor] = {}

    def forward(self, x: Tensor, *, again: bool = False) -> dict[str, Tensor]:
        if len(self.mask) < len(x):
            self.mask = torch.ones(len(x), 3, device=x.device)
        self.seen.append(x)
        self.by_name["last"] = x
        self.newest = x
        return {"logits": self.last(torch.relu(x)) * 2.0}


class KeepsPlainly(Keeps):
    """As `Keeps`, for `torch.fx` to follow: a symbol may stay behind instead of a tensor without values."""

    def forward(self, x: Tensor) -> Tensor:  # pyright: ignore
        self.seen.append(x)
        self.by_name["last"] = x
        self.newest = x
        return self.last(torch.relu(x)) * 2.0


@pytest.mark.parametrize("kind", [Keeps, KeepsPlainly])
def test_a_proof_leaves_nothing_behind(kind: type[Keeps]):
    torch.manual_seed(0)
    network = kind()
    model = cl.Classifier(network, bounds=(0, 1))
    (proof,) = cl.certify(model, torch.tensor([[0.2, 0.6, 0.4]]), norm=2)
    assert proof.radius > 0
    kept = [network.mask, network.newest, network.by_name["last"], *network.seen]
    assert all(type(value) is Tensor and not value.is_meta for value in kept)
    assert model.logits(torch.rand(4, 3)).isfinite().all()


def test_attributes_and_contents_come_back_after_an_error_too():
    network = nn.Sequential(nn.Linear(2, 2))
    network.names, weight = ["a"], network[0].weight

    def fails() -> None:
        with unchanged(network):
            network.names.append("b")
            network.names, network.extra = ["c"], 1
            del network[0]
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert network.names == ["a"] and not hasattr(network, "extra") and network[0].weight is weight
