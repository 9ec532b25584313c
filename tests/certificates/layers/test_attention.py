"""Attention: sandwiches at every value of the graph, brute force in the plane, a vision transformer and a ConvNeXt."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from clearance import Classifier, certify
from clearance.certificates.operations import NotSupportedError
from clearance.certificates.translate import translate
from layer_cases import Function, check_graph, check_radius


class Attention(nn.Module):
    """One head of attention over tokens of an input of `2 tokens` entries."""

    def __init__(self, tokens: int, fused: bool) -> None:
        super().__init__()
        self.tokens, self.fused = tokens, fused
        self.query, self.key, self.value = nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2)
        self.last = nn.Linear(2 * tokens, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = x.unflatten(1, (self.tokens, 2))
        q, k, v = 3 * self.query(x), self.key(x), self.value(x)
        if self.fused:
            y = functional.scaled_dot_product_attention(q, k, v)
        else:
            y = (q @ k.transpose(-2, -1) / math.sqrt(2)).softmax(dim=-1) @ v
        return self.last(y.flatten(1))


class Heads(nn.Module):
    """`nn.MultiheadAttention` and a shortcut."""

    def __init__(self, need_weights: bool, **options: object) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(4, 2, **{"batch_first": True, **options})  # type: ignore[arg-type]
        self.last, self.need_weights = nn.Linear(12, 3), need_weights

    def forward(self, x: Tensor) -> Tensor:
        out, weights = self.attention(x, x, x, need_weights=self.need_weights)
        return self.last((x + out).flatten(1)) + (weights[:, 0] if self.need_weights else 0.0)


class Block(nn.Module):
    """A block of a vision transformer (Dosovitskiy et al. 2021)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, 2, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.norm2(x))


class VisionTransformer(nn.Module):
    """Patches, a class token, positions, one block, the logits from the class token."""

    def __init__(self, width: int = 6) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, width, 3, 3)
        self.token = nn.Parameter(0.1 * torch.randn(1, 1, width))
        self.positions = nn.Parameter(0.1 * torch.randn(1, 5, width))
        self.block, self.norm, self.last = Block(width), nn.LayerNorm(width), nn.Linear(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], dim=1) + self.positions
        return self.last(self.norm(self.block(x))[:, 0])


class ConvNeXt(nn.Module):
    """A ConvNeXt block (Liu et al. 2022) between a stem and a mean."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.stem, self.depthwise = nn.Conv2d(1, width, 2, 2), nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.norm, self.wide, self.back = nn.LayerNorm(width), nn.Linear(width, 8), nn.Linear(8, width)
        self.scale, self.last = nn.Parameter(0.5 * torch.ones(width)), nn.Linear(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        y = self.scale * self.back(functional.gelu(self.wide(y)))
        return self.last((x + y.permute(0, 3, 1, 2)).mean([-2, -1]))


def seeded(make: object, seed: int = 0) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make().double().eval()  # type: ignore[operator]


@pytest.mark.parametrize("fused", [True, False])
def test_every_bound_of_attention_holds_at_points(fused: bool):
    check_graph(seeded(lambda: Attention(3, fused)), (6,), radii=(0.0, 1e-3, 0.1, 1.0))


@pytest.mark.parametrize("need_weights", [True, False])
def test_every_bound_of_multihead_attention_holds_at_points(need_weights: bool):
    check_graph(seeded(lambda: Heads(need_weights)), (3, 4), radii=(0.0, 1e-3, 0.1))
    check_graph(seeded(lambda: Heads(need_weights, bias=False)), (3, 4), radii=(0.01,))


def test_keys_and_values_of_other_sizes():
    class Other(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention, self.key = nn.MultiheadAttention(4, 2, kdim=3, vdim=5, batch_first=True), nn.Linear(4, 3)
            self.value, self.last = nn.Linear(4, 5), nn.Linear(12, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.last(self.attention(x, self.key(x), self.value(x), need_weights=False)[0].flatten(1))

    check_graph(seeded(Other), (3, 4), radii=(0.0, 0.05))


@pytest.mark.parametrize("norm", [2.0, math.inf])
def test_no_point_of_the_plane_is_nearer_than_the_radius(norm: float):
    check_radius(nn.Sequential(nn.Linear(2, 6), seeded(lambda: Attention(3, True))), norm)
    check_radius(nn.Sequential(nn.Linear(2, 12), nn.Unflatten(1, (3, 4)), seeded(lambda: Heads(False))), norm)


@pytest.mark.thinned(2)
@pytest.mark.parametrize("norm", [2.0, math.inf])
@pytest.mark.parametrize(("make", "side"), [(VisionTransformer, 6), (ConvNeXt, 6)])
def test_networks_of_one_block_have_a_radius(make: type[nn.Module], side: int, norm: float):
    network = seeded(make)
    x = torch.rand(1, 1, side, side, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    (proof,) = certify(Classifier(network, (0, 1)), x, norm=norm, method="crown")
    assert proof.status == "certified" and proof.radius > 1e-3


@pytest.mark.parametrize("make", [VisionTransformer, ConvNeXt])
def test_every_bound_of_one_block_holds_at_points(make: type[nn.Module]):
    check_graph(seeded(make), (1, 6, 6), radii=(0.0, 0.03))


MASK = torch.zeros(3, 3, dtype=torch.float64)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Function(lambda x: functional.scaled_dot_product_attention(x, x, x, attn_mask=MASK)), "with a mask"),
        (lambda: Function(lambda x: functional.scaled_dot_product_attention(x, x, x, is_causal=True)), "causal"),
        (lambda: Function(lambda x: functional.scaled_dot_product_attention(x, x, x, dropout_p=0.1)), "dropout"),
        (lambda: Heads(False, batch_first=False), "without batch_first"),
        (lambda: Heads(False, add_zero_attn=True), "keys of its own"),
        (lambda: Heads(False, add_bias_kv=True), "keys of its own"),
    ],
)
def test_what_is_not_known_is_refused(make: object, said: str):
    with pytest.raises(NotSupportedError, match=said):
        translate(Classifier(seeded(make)), (3, 4))
