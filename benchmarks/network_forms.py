"""Forms of small networks for `soundness.py`: what a certificate may meet, honest and not.

Every form makes a network with random weights. `certified` says what is expected of `best`: True for what must have a
proof, False for what must be refused, because it is no function that the proofs know, or does not compute what its
trace says.
"""

from __future__ import annotations

import torch
from layer_forms import LAYER_FORMS
from network_parts import (
    CHANNELS,
    CLASSES,
    IMAGE,
    Constant,
    Counting,
    Form,
    Fused,
    Louder,
    Own,
    Residual,
    Step,
    Symmetric,
    TwoFaced,
    changed,
    constant,
    conv,
    differs,
    head,
    hook_on_all,
    image,
    in_place,
    louder,
    masked,
    mlp,
    parametrised,
    patched_class,
    scaled,
    staircase,
    statistics,
    twice,
    vector,
)
from torch import nn
from torch.nn import functional as f
from torch.nn.utils import parametrizations

FORMS: dict[str, Form] = {
    # functions of a vector
    "affine": Form(mlp),
    "one hidden layer": Form(lambda: mlp(8)),
    "two hidden layers": Form(lambda: mlp(7, 6)),
    "four hidden layers": Form(lambda: mlp(6, 6, 6, 6)),
    "LeakyReLU": Form(lambda: mlp(8, 5, activation=lambda: nn.LeakyReLU(0.2))),
    "LeakyReLU of slope 1": Form(lambda: mlp(8, activation=lambda: nn.LeakyReLU(1.0))),
    "softplus": Form(lambda: mlp(8, activation=nn.Softplus)),
    "softplus, steep": Form(lambda: mlp(8, 5, activation=lambda: nn.Softplus(beta=5))),
    "tanh": Form(lambda: mlp(8, 5, activation=nn.Tanh)),
    "sigmoid": Form(lambda: mlp(8, 5, activation=nn.Sigmoid)),
    "steep tanh": Form(lambda: scaled(mlp(8, activation=nn.Tanh), 20.0)),
    "ReLU6": Form(lambda: scaled(mlp(8, 5, activation=nn.ReLU6), 10.0)),
    "Hardtanh": Form(lambda: mlp(8, 5, activation=lambda: nn.Hardtanh(-0.2, 0.5))),
    "clamp": Form(vector(Step(lambda x: x.clamp(-0.3, 0.7)))),
    "clamp at 0": Form(vector(Step(lambda x: x.clamp(min=0)))),
    "functions and methods": Form(vector(Step(lambda x: torch.tanh(f.relu(x) - x.sigmoid())))),
    "different activations": Form(vector(nn.Tanh(), Step(lambda x: f.softplus(-x)), nn.ReLU())),
    "activation last": Form(lambda: nn.Sequential(mlp(8), nn.Softplus())),
    "residual": Form(lambda: head(Step(lambda x, a: x + f.relu(a(x)), nn.Linear(6, 6)))),
    "residual, subtracted": Form(
        lambda: head(Step(lambda x, a, b: a(x) - f.relu(b(x)), nn.Linear(6, 8), nn.Linear(6, 8)))
    ),
    "residual, scaled": Form(lambda: head(Step(lambda x, a: x - 0.5 * f.relu(a(-x)), nn.Linear(6, 6)))),
    "concatenation": Form(lambda: head(Step(lambda x, a: torch.cat([x, f.relu(a(x)), -x], 1), nn.Linear(6, 5)))),
    "reused layer": Form(lambda: head(Step(twice, nn.Linear(6, 6), nn.Linear(6, 6)))),
    "reused activation": Form(
        lambda: head(Step(lambda x, a, b, r: r(b(r(a(x)))), nn.Linear(6, 6), nn.Linear(6, 5), nn.ReLU()))
    ),
    "reused value": Form(
        lambda: head(Step(lambda x, a, b: a(x).relu() + b(x).tanh() - x, nn.Linear(6, 6), nn.Linear(6, 6)))
    ),
    "slices": Form(lambda: head(Step(lambda x, a: torch.cat([a(x[:, :3]).relu(), x[:, 3:]], 1), nn.Linear(3, 4)))),
    "strided slices": Form(lambda: head(Step(lambda x, a: a(x[:, ::2]).relu() - x[:, 1::2], nn.Linear(3, 3)))),
    "constants": Form(Constant),
    "negative scaling": Form(vector(Step(lambda x: (-2.0 * x) / 3 - 0.1), nn.ReLU(), Step(lambda x: x / -0.7))),
    "a constant less the input": Form(lambda: head(Step(lambda x: 0.5 - x), nn.Linear(6, 8), nn.ReLU())),
    "scaling first": Form(lambda: head(Step(lambda x: (x - 0.4) / 0.3), nn.Linear(6, 8), nn.ReLU())),
    "steps in place": Form(lambda: head(Step(in_place, nn.Linear(6, 8)))),
    "ReLU in place": Form(lambda: head(nn.Linear(6, 8), nn.ReLU(inplace=True), nn.Linear(8, 5), nn.ReLU(inplace=True))),
    "batch norm": Form(lambda: head(nn.Linear(6, 8), statistics(nn.BatchNorm1d(8)), nn.ReLU())),
    "batch norm first": Form(lambda: head(statistics(nn.BatchNorm1d(6)), nn.Linear(6, 8), nn.ReLU())),
    "batch norm without weights": Form(
        lambda: head(nn.Linear(6, 8), statistics(nn.BatchNorm1d(8, affine=False)), nn.ReLU())
    ),
    "weight norm": Form(lambda: head(parametrizations.weight_norm(nn.Linear(6, 8)), nn.ReLU())),
    "spectral norm": Form(lambda: head(parametrizations.spectral_norm(nn.Linear(6, 8)), nn.ReLU())),
    "orthogonal": Form(lambda: head(parametrizations.orthogonal(nn.Linear(6, 6)), nn.ReLU())),
    "own parametrisation": Form(lambda: head(parametrised(nn.Linear(6, 6), Symmetric()), nn.ReLU())),
    "dropout, identity": Form(lambda: head(nn.Dropout(0.5), nn.Identity(), nn.Linear(6, 8), nn.ReLU())),
    "a traced subclass": Form(lambda: head(Louder(6, 8), nn.ReLU())),
    "matrix product": Form(lambda: head(Step(lambda x, a: torch.relu(x @ a.weight), nn.Linear(4, 6)))),
    "functional linear": Form(lambda: head(Step(lambda x, a: f.relu(f.linear(x, a.weight, a.bias)), nn.Linear(6, 5)))),
    "means": Form(vector(Step(lambda x: x.reshape(-1, 2, 4).mean(1)), nn.ReLU())),
    "reshapes": Form(
        vector(nn.Unflatten(1, (2, 4)), nn.Tanh(), nn.Flatten(), Step(lambda x: x.unsqueeze(1).squeeze(1)))
    ),
    "padded vector": Form(vector(Step(lambda x: f.pad(x, (1, 2), value=0.3)), nn.ReLU())),
    "nested": Form(
        lambda: nn.Sequential(nn.Sequential(nn.Sequential(nn.Linear(6, 8)), nn.ReLU()), nn.Linear(8, CLASSES))
    ),
    "masked at -1e6": Form(masked(-1e6)),
    "masked at -1e9": Form(masked(-1e9), single=True),
    "masked at finfo.min": Form(masked(torch.finfo(torch.float32).min), single=True),
    "constant classes": Form(lambda: constant(mlp(8))),
    "dead layer": Form(lambda: scaled(mlp(8, 5), 0.0)),
    "large weights": Form(lambda: scaled(mlp(8, 5), 1e4)),
    "tiny weights": Form(lambda: scaled(mlp(8, 5), 1e-4)),
    "large, then tiny": Form(lambda: scaled(scaled(mlp(8, 5), 1e4), 1e-4, 1)),
    "large in float32": Form(lambda: scaled(scaled(mlp(8, 5), 1e3), 1e-3, 1), single=True),
    "offset logits": Form(lambda: nn.Sequential(mlp(8), Step(lambda x: x + 100.0))),
    "float32": Form(lambda: mlp(8, 8), single=True),
    "deep in float32": Form(lambda: mlp(*[8] * 12), single=True),
    # functions of an image
    "convolution": Form(image(conv(), nn.ReLU), IMAGE),
    "convolution in float32": Form(image(conv(), nn.ReLU), IMAGE, single=True),
    "strided": Form(image(conv(stride=2), nn.ReLU), IMAGE),
    "strided on one side": Form(image(conv(stride=(2, 1), padding=1), nn.ReLU), IMAGE),
    "dilated": Form(image(conv(size=2, dilation=3), nn.ReLU), IMAGE),
    "grouped": Form(image(conv(2, 4, 2, groups=2), nn.ReLU, shape=CHANNELS), CHANNELS),
    "depthwise and pointwise": Form(
        image(conv(2, 2, 3, groups=2), nn.ReLU, conv(2, 3, 1), nn.ReLU, shape=CHANNELS), CHANNELS
    ),
    "padded": Form(image(conv(padding=1), nn.ReLU), IMAGE),
    "padded on one side": Form(image(conv(padding=(2, 0)), nn.ReLU), IMAGE),
    "asymmetric padding": Form(image(lambda: Step(lambda x: f.pad(x, (1, 0, 2, 0))), conv(), nn.ReLU), IMAGE),
    "padded with a constant": Form(
        image(lambda: Step(lambda x: f.pad(x, (1, 0, 0, 1), value=0.4)), conv(), nn.ReLU), IMAGE
    ),
    "ZeroPad2d": Form(image(lambda: nn.ZeroPad2d((1, 0, 1, 0)), conv(), nn.ReLU), IMAGE),
    "rectangular kernel": Form(image(conv(size=(1, 4)), nn.ReLU), IMAGE),
    "without offsets": Form(image(conv(bias=False), nn.ReLU), IMAGE),
    "two convolutions": Form(image(conv(outputs=2), nn.ReLU, conv(2, 2, 2), nn.ReLU), IMAGE),
    "convolution, tanh": Form(image(conv(), nn.Tanh), IMAGE),
    "convolution, softplus": Form(image(conv(), nn.Softplus), IMAGE),
    "convolution, weight norm": Form(image(lambda: parametrizations.weight_norm(nn.Conv2d(1, 3, 3)), nn.ReLU), IMAGE),
    "average pooling": Form(image(conv(outputs=2, padding=1), nn.ReLU, lambda: nn.AvgPool2d(2)), IMAGE),
    "average pooling, padded": Form(image(conv(), nn.ReLU, lambda: nn.AvgPool2d(2, padding=1)), IMAGE),
    "average pooling, padding not counted": Form(
        image(conv(), nn.ReLU, lambda: nn.AvgPool2d(2, padding=1, count_include_pad=False)), IMAGE
    ),
    "average pooling, rounded up": Form(image(conv(), nn.ReLU, lambda: nn.AvgPool2d(2, ceil_mode=True)), IMAGE),
    "average pooling, another divisor": Form(
        image(conv(), nn.ReLU, lambda: nn.AvgPool2d(2, divisor_override=3)), IMAGE
    ),
    "average pooling, a negative divisor": Form(
        image(conv(), nn.ReLU, lambda: nn.AvgPool2d(2, divisor_override=-3), nn.ReLU), IMAGE
    ),
    "average pooling first, a negative divisor": Form(
        image(lambda: nn.AvgPool2d(2, divisor_override=-3), nn.Tanh), IMAGE
    ),
    "average pooling, overlapping": Form(image(lambda: nn.AvgPool2d(3, 1), conv(size=2), nn.ReLU), IMAGE),
    "adaptive pooling": Form(image(conv(), nn.ReLU, lambda: nn.AdaptiveAvgPool2d(2)), IMAGE),
    "global mean": Form(image(conv(outputs=4), nn.ReLU, lambda: Step(lambda x: x.mean((2, 3)))), IMAGE),
    "max pooling": Form(image(conv(outputs=2, padding=1), lambda: nn.MaxPool2d(2)), IMAGE),
    "max pooling, padded": Form(image(conv(outputs=2), lambda: nn.MaxPool2d(2, padding=1)), IMAGE),
    "max pooling, overlapping": Form(image(conv(outputs=2), lambda: nn.MaxPool2d(2, 1), nn.ReLU), IMAGE),
    "max pooling, dilated": Form(image(lambda: nn.MaxPool2d(2, 1, dilation=2), conv(), nn.ReLU), IMAGE),
    "max pooling first": Form(image(lambda: nn.MaxPool2d(2, padding=1), conv(size=2), nn.ReLU), IMAGE),
    "max pooling, sign changed": Form(
        image(lambda: Step(lambda x: -f.max_pool2d(-x, 2)), conv(size=2), nn.ReLU), IMAGE
    ),
    "batch norm of images": Form(image(conv(), lambda: statistics(nn.BatchNorm2d(3)), nn.ReLU), IMAGE),
    "residual block": Form(image(Residual), IMAGE),
    "residual block, strided": Form(image(lambda: Residual(2)), IMAGE),
    "channels joined": Form(
        image(lambda: Step(lambda x, a: torch.cat([x, f.relu(a(x))], 1), nn.Conv2d(1, 2, 3, padding=1)), conv(3, 2)),
        IMAGE,
    ),
    "image slices": Form(
        image(lambda: Step(lambda x: x[:, :, ::2, 1:] - x[:, :, 2:, :4]), conv(size=2), nn.ReLU), IMAGE
    ),
    "a channel alone": Form(image(lambda: Step(lambda x: x[:, 1:]), conv(size=2), nn.ReLU, shape=CHANNELS), CHANNELS),
    **LAYER_FORMS,
    # what must be refused: layers without bounds, and networks that are not what their trace says
    "sine": Form(vector(Step(torch.sin)), certified=False),
    "bicubic interpolation": Form(image(lambda: nn.Upsample(size=4, mode="bicubic")), IMAGE, certified=False),
    "circular padding": Form(image(conv(padding=1, padding_mode="circular"), nn.ReLU), IMAGE, certified=False),
    "in place, read again": Form(vector(Step(lambda x: f.relu(x[:, :4], inplace=True) + x[:, :4])), certified=False),
    "a forward of the instance": Form(
        changed(lambda n: setattr(n[1], "forward", lambda x: 3 * f.relu(x))), certified=False
    ),
    "forward hook": Form(changed(lambda n: n[2].register_forward_hook(louder)), certified=False),
    "hook before": Form(changed(lambda n: n[2].register_forward_pre_hook(lambda _, x: (3 * x[0],))), certified=False),
    "hook on all modules": Form(lambda: mlp(8), certified=False, around=hook_on_all),
    "patched class": Form(lambda: mlp(8), certified=False, around=patched_class),
    "parametrised subclass": Form(lambda: head(parametrizations.weight_norm(Louder(6, 8)), nn.ReLU()), certified=False),
    "subclass under another name": Form(lambda: head(Fused(6, 8), nn.ReLU()), certified=False),
    "old weight norm": Form(lambda: head(torch.nn.utils.weight_norm(nn.Linear(6, 8)), nn.ReLU()), certified=False),
    "tensor subclass": Form(
        changed(lambda n: setattr(n[0], "weight", nn.Parameter(n[0].weight.detach().as_subclass(Own)))), certified=False
    ),
    "two-faced": Form(lambda: TwoFaced(differs), certified=False),
    "two-faced, masked": Form(masked(-1e9, lambda: TwoFaced(differs)), certified=False),
    "two-faced for gradients": Form(lambda: TwoFaced(lambda _: not torch.is_grad_enabled()), certified=False),
    "two-faced for single inputs": Form(lambda: TwoFaced(lambda x: len(x) > 1), certified=False),
    "counting": Form(Counting, certified=False),
    "staircase of floats": Form(lambda: nn.Sequential(Step(staircase), mlp(8)), certified=False, single=True),
    "staircase of logits": Form(lambda: nn.Sequential(mlp(8), Step(staircase)), certified=False, single=True),
}
"""The forms by name."""
