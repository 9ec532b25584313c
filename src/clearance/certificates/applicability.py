"""Which methods of the table have a proof for a network, and what is in the way where none has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from clearance.certificates.agreement import Claim
from clearance.certificates.graph import Graph
from clearance.certificates.operations import NotSupportedError
from clearance.certificates.overrides import layer_class
from clearance.certificates.table import CERTIFICATES
from clearance.certificates.translate import translate
from clearance.errors import InputError
from clearance.model.classifier import Classifier
from clearance.model.inputs import prepare


@dataclass(frozen=True)
class Applicability:
    """What certificates can do with a network.

    Attributes:
        refusal: Why no method has a proof, naming the step or the layer; empty where the network was translated.
        unknown: The network's layers of torch for which there is no proof, as `"Kind (name)"`; only where it is
            refused.
        nonlinear: How many steps of each kind are not affine, by the kind's name.
        units: How many numbers feed such a step: the cost of CROWN grows with its square.
        methods: For each method of the table why it does not take the network; empty where it does.
    """

    refusal: str = ""
    unknown: tuple[str, ...] = ()
    nonlinear: Mapping[str, int] = field(default_factory=dict[str, int])
    units: int = 0
    methods: Mapping[str, str] = field(default_factory=dict[str, str])


def applicable_methods(model: Classifier, x: Tensor) -> Applicability:
    """Translate a network as a certificate does, and ask each method of the table whether it takes the result.

    Nothing is proved here: a method that takes a network may still reach its time limit, or find no positive radius.

    Source: this project.

    Args:
        model: The classifier.
        x: One input, `(1, *input)`, at which the translated network is compared with the network.

    Returns:
        What was found.

    Raises:
        ClearanceError: If the input or the network's answer cannot be used.
    """
    one = prepare(model, x, None, target="untargeted", norm=2.0, seed=0)
    try:
        graph = translate(one.model, tuple(x.shape[1:]))  # in units, where there is a scale
        refusal = Claim(one, graph, 0.0).at_input()
    except (NotSupportedError, NotImplementedError) as error:
        return Applicability(str(error), _unknown_layers(model))
    if refusal:
        return Applicability(refusal)
    kinds = Counter(operation.name for operation in graph.nonlinear.values())
    return Applicability("", (), dict(kinds), graph.neurons, {name: _reason(name, graph) for name in CERTIFICATES})


def _reason(name: str, graph: Graph) -> str:
    """Why a method does not take a network."""
    try:
        CERTIFICATES[name].check_package()
        CERTIFICATES[name].check_graph(graph)
    except NotSupportedError as error:
        return str(error).removeprefix(f"{name}: ")
    except InputError:
        return "the package that it needs does not import here"
    return ""


def _unknown_layers(model: Classifier) -> tuple[str, ...]:
    """Layers of torch that are in no line of the table of layers; containers and the user's own classes are left out.

    A module of the user's own is followed step by step, so that its class says nothing.
    """
    if not isinstance(model.network, nn.Module):
        return ()
    return tuple(
        f"{type(module).__name__} ({name or 'the network'})"
        for name, module in model.network.named_modules()
        if type(module).__module__.startswith(torch.nn.modules.__name__)
        and not isinstance(module, nn.Sequential | nn.ModuleList | nn.ModuleDict)
        and layer_class(type(module)) is None
    )
