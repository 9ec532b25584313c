"""More forms for `soundness.py`: smooth activations, resampling, permutations, products of values, attention."""

from __future__ import annotations

from collections.abc import Callable

import torch
from network_parts import CHANNELS, IMAGE, Form, Step, conv, head, image, mlp, scaled, statistics, vector
from torch import Tensor, nn
from torch.nn import functional as f

SEQUENCE = (2, 6)
"""Shape of a sequence: channels and length."""


def activated(make: Callable[[], nn.Module], factor: float = 3.0) -> Form:
    """Two hidden layers of an activation, the first with larger weights, so that intervals cross inflection points."""
    return Form(lambda: scaled(mlp(8, 5, activation=make), factor))


def prelu(channels: int) -> nn.Module:
    """PReLU with slopes of both signs."""
    layer = nn.PReLU(channels)
    nn.init.normal_(layer.weight)
    return layer


def halves(x: Tensor) -> Tensor:
    """Both halves of a value, joined in another way."""
    a, b = x.chunk(2, 1)
    return torch.cat([f.silu(a) - b, b.exp()], 1)


def attention(x: Tensor) -> Tensor:
    """Attention of a value to itself."""
    return f.scaled_dot_product_attention(x, x, x)


class Heads(nn.Module):
    """`nn.MultiheadAttention` on three tokens of four entries."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.attention = nn.Linear(6, 12), nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens and what they attend to."""
        x = self.tokens(x).unflatten(1, (3, 4))
        return x + self.attention(x, x, x, need_weights=False)[0]


class TransformerBlock(nn.Module):
    """Patches and a class token in a block of a vision transformer."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.token = nn.Conv2d(1, 4, 3, 2), nn.Parameter(torch.randn(1, 1, 4))
        self.first, self.second = nn.LayerNorm(4), nn.LayerNorm(4)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(4, 6), nn.GELU(), nn.Linear(6, 4))

    def forward(self, x: Tensor) -> Tensor:
        """The class token."""
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1)
        y = self.first(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return (x + self.mlp(self.second(x)))[:, 0]


class ConvNeXtBlock(nn.Module):
    """A depthwise convolution, layer normalisation of the channels, GELU, a scale for each channel, a shortcut."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.depthwise = nn.Conv2d(1, 3, 2, 2), nn.Conv2d(3, 3, 3, padding=1, groups=3)
        self.norm, self.wide, self.back = nn.LayerNorm(3), nn.Linear(3, 6), nn.Linear(6, 3)
        self.scale = nn.Parameter(torch.randn(3))

    def forward(self, x: Tensor) -> Tensor:
        """Its channels' means."""
        x = self.stem(x)
        y = self.scale * self.back(f.gelu(self.wide(self.norm(self.depthwise(x).permute(0, 2, 3, 1)))))
        return (x + y.permute(0, 3, 1, 2)).mean([-2, -1])


ACTIVATIONS: dict[str, Form] = {
    "GELU": activated(nn.GELU),
    "GELU, tanh": activated(lambda: nn.GELU(approximate="tanh")),
    "SiLU": activated(nn.SiLU),
    "Mish": activated(nn.Mish),
    "ELU": activated(nn.ELU),
    "ELU, steep": activated(lambda: nn.ELU(2.5)),
    "ELU, negative alpha": activated(lambda: nn.ELU(-0.7)),
    "SELU": activated(nn.SELU),
    "CELU": activated(lambda: nn.CELU(0.25)),
    "Softsign": activated(nn.Softsign),
    "LogSigmoid": activated(nn.LogSigmoid),
    "Tanhshrink": activated(nn.Tanhshrink),
    "Hardsigmoid": activated(nn.Hardsigmoid, 10.0),
    "Hardswish": activated(nn.Hardswish, 10.0),
    "Softshrink": activated(nn.Softshrink),
    "Hardshrink": Form(vector(nn.Hardshrink(0.3))),
    "PReLU": activated(lambda: prelu(1)),
    "PReLU of channels": Form(image(conv(), lambda: prelu(3)), IMAGE),
    "LeakyReLU, negative": activated(lambda: nn.LeakyReLU(-0.5)),
    "LeakyReLU, steep": activated(lambda: nn.LeakyReLU(2.0)),
    "abs": Form(vector(Step(torch.abs), Step(lambda x: abs(x - 0.3)))),
    "exp": Form(vector(Step(torch.exp))),
    "square": Form(vector(Step(lambda x: x * x), Step(lambda x: x.square() - x**3))),
    "erf": Form(vector(Step(lambda x: torch.erf(2 * x)))),
    "roots": Form(vector(Step(lambda x: (1 + x**2).sqrt() - (0.5 + x.abs()).rsqrt()))),
    "a quotient": Form(vector(Step(lambda x: 1 / (1 + x.square())), Step(lambda x: (0.1 + x).log()))),
    "GELU in float32": Form(lambda: scaled(mlp(8, 5, activation=nn.GELU), 3.0), single=True),
    "SiLU, images": Form(image(conv(), nn.SiLU, conv(3, 2, 2), nn.Hardswish), IMAGE),
}
"""Functions of one number."""
LINEAR: dict[str, Form] = {
    "sequence": Form(image(lambda: nn.Conv1d(2, 3, 3, padding="same"), nn.ReLU, shape=SEQUENCE), SEQUENCE),
    "sequence, pools": Form(
        image(lambda: nn.Conv1d(2, 3, 2), nn.GELU, lambda: nn.MaxPool1d(2, ceil_mode=True), shape=SEQUENCE), SEQUENCE
    ),
    "sequence, means": Form(
        image(lambda: nn.Conv1d(2, 3, 2), nn.ReLU, lambda: nn.AvgPool1d(2), shape=SEQUENCE), SEQUENCE
    ),
    "transposed": Form(image(lambda: nn.ConvTranspose2d(1, 2, 2, stride=2), nn.ReLU, conv(2, 2, 3)), IMAGE),
    "transposed sequence": Form(
        image(lambda: nn.ConvTranspose1d(2, 2, 3, stride=2, output_padding=1), nn.SiLU, shape=SEQUENCE), SEQUENCE
    ),
    "padding same": Form(image(conv(padding="same"), nn.ReLU, conv(3, 2, (2, 4), padding="same"), nn.ReLU), IMAGE),
    "nearest": Form(image(conv(), nn.ReLU, lambda: nn.Upsample(scale_factor=2), conv(3, 2), nn.ReLU), IMAGE),
    "bilinear": Form(
        image(conv(), nn.ReLU, lambda: nn.Upsample(size=5, mode="bilinear", align_corners=True), conv(3, 2)), IMAGE
    ),
    "pixel shuffle": Form(image(conv(outputs=4), nn.ReLU, lambda: nn.PixelShuffle(2), conv(), nn.GELU), IMAGE),
    "max pooling, rounded up": Form(image(conv(), lambda: nn.MaxPool2d(2, ceil_mode=True)), IMAGE),
    "adaptive max pooling": Form(image(conv(), lambda: nn.AdaptiveMaxPool2d(2), nn.ReLU), IMAGE),
    "chunks": Form(vector(Step(halves))),
    "permuted": Form(
        image(conv(2, 2, 2), lambda: Step(lambda x: x.permute(0, 2, 3, 1)), nn.GELU, shape=CHANNELS), CHANNELS
    ),
    "stacked": Form(vector(Step(lambda x: torch.stack([x, -x.relu(), x.roll(1, 1)], 2).sum(2)))),
    "expanded": Form(vector(Step(lambda x: x.unsqueeze(1).expand(-1, 2, -1) * 0.5), Step(lambda x: x.flip(1).tanh()))),
    "unbound": Form(vector(Step(lambda x: x.unflatten(1, (2, 4)).unbind(1)[1].relu()))),
}
"""Affine steps and pools."""
PRODUCTS: dict[str, Form] = {
    "a product of values": Form(vector(Step(lambda x: x * x.sigmoid()))),
    "GLU": Form(vector(nn.GLU(), nn.ReLU())),
    "a gate": Form(lambda: head(Step(lambda x, a, b: f.silu(a(x)) * b(x), nn.Linear(6, 8), nn.Linear(6, 8)))),
    "largest and smallest": Form(
        vector(Step(lambda x: torch.maximum(x[:, :4], x[:, 4:]) - torch.minimum(x[:, :4], 0.5 - x[:, 4:])))
    ),
    "a quotient of values": Form(vector(Step(lambda x: x[:, :4] / (1 + x[:, 4:].exp())))),
    "matrix products": Form(vector(Step(lambda x: x.unflatten(1, (2, 4)) @ x.unflatten(1, (4, 2)).tanh()))),
    "softmax": Form(vector(nn.Softmax(1))),
    "softmax last": Form(lambda: nn.Sequential(mlp(8), nn.Softmax(1))),
    "log softmax last": Form(lambda: nn.Sequential(mlp(8), nn.LogSoftmax(1))),
    "log softmax in float32": Form(lambda: nn.Sequential(mlp(8), nn.LogSoftmax(1)), single=True),
    "layer norm": Form(lambda: head(nn.Linear(6, 8), nn.LayerNorm(8), nn.GELU())),
    "RMS norm": Form(lambda: head(nn.Linear(6, 8), nn.RMSNorm(8, eps=1e-4), nn.ReLU())),
    "group norm": Form(image(conv(outputs=4), lambda: nn.GroupNorm(2, 4), nn.ReLU), IMAGE),
    "instance norm": Form(image(conv(), lambda: nn.InstanceNorm2d(3), nn.ReLU), IMAGE),
    "instance norm, running": Form(
        image(conv(), lambda: statistics(nn.InstanceNorm2d(3, affine=True, track_running_stats=True)), nn.ReLU), IMAGE
    ),
    "attention": Form(vector(Step(lambda x: attention(4 * x.unflatten(1, (4, 2)))))),
    "heads": Form(lambda: head(Heads())),
    "transformer block": Form(image(TransformerBlock), IMAGE),
    "ConvNeXt block": Form(image(ConvNeXtBlock), IMAGE),
}
"""Products of two values, and what is made of them."""
LAYER_FORMS: dict[str, Form] = {**ACTIVATIONS, **LINEAR, **PRODUCTS}
"""The forms by name."""
