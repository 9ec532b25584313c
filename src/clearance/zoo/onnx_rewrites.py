"""An ONNX graph in a form that onnx2torch takes: an opset that it knows, and no copies of values.

A new opset often gives an operator a new number for the sake of another kind of numbers, and a converter that knows the
older one would do. So a graph may be read as one of an older opset, where every operator has the same inputs, outputs
and attributes there. The comparison with onnxruntime, which reads the file as it is, is the second check.

torch's exporter keeps equal values once and copies them by the operator Identity where they are used again. A converter
of a layer looks for its weights among the graph's values: so the copies are replaced by what they copy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

OLDEST_OPSET = 9
"""No older opset is tried: exporters have written newer ones since 2018."""

DOMAINS = ("", "ai.onnx")
"""Names of ONNX's own operators."""


@dataclass(frozen=True)
class Opset:
    """An opset that a graph is read as.

    Attributes:
        version: Its number.
        lacking: Operators that have no converter or another meaning there, with the graph's own opset.
    """

    version: int
    lacking: tuple[str, ...]


def choose_opset(graph: Any, onnx: Any) -> Opset:
    """The newest opset, from the graph's own downwards, in which no operator lacks a converter.

    Args:
        graph: The model, of which nothing is changed.
        onnx: The package.

    Returns:
        The opset, or, where there is none, the one in which the fewest operators lack one.
    """
    own = next((opset.version for opset in graph.opset_import if opset.domain in DOMAINS), 1)
    tried = [own, *range(own - 1, OLDEST_OPSET - 1, -1)]
    found: list[Opset] = []
    for version in tried:
        lacking: dict[str, None] = {}
        for node in graph.graph.node:
            if not _known(node, own, version, onnx):
                name = f"{node.domain}.{node.op_type}" if node.domain else str(node.op_type)
                lacking[f"{name} (opset {own})"] = None
        found.append(Opset(version, tuple(lacking)))
        if not lacking:
            break
    return min(found, key=lambda one: len(one.lacking))


def rewritten(graph: Any, opset: Opset) -> Any:
    """A copy of a graph that says it is of another opset, and has no copies of values.

    Args:
        graph: The model.
        opset: The opset.

    Returns:
        The copy.
    """
    copied = type(graph)()
    copied.CopyFrom(graph)
    for entry in copied.opset_import:
        if entry.domain in DOMAINS:
            entry.version = opset.version
    _remove_copies(copied.graph)
    return copied


def _remove_copies(graph: Any) -> None:
    """Let every step use a value of the graph itself, where it used a copy of it."""
    values = {value.name for value in graph.initializer}
    kept = {value.name for value in graph.output}
    source: dict[str, str] = {}
    steps: list[Any] = []
    for node in graph.node:
        copied: str = source.get(node.input[0], str(node.input[0])) if node.op_type == "Identity" and node.input else ""
        if copied in values and not kept.intersection(node.output):
            source[node.output[0]] = copied
        else:
            steps.append(node)
    for node in steps:
        node.input[:] = [source.get(name, name) for name in node.input]
    del graph.node[:]
    graph.node.extend(steps)


def _known(node: Any, own: int, version: int, onnx: Any) -> bool:
    """Whether onnx2torch converts an operator of an opset, and it is the operator that the graph means."""
    from onnx2torch.node_converters.registry import (
        get_converter,  # pyright: ignore[reportUnknownVariableType, reportMissingImports]
    )

    try:
        get_converter(node.op_type, version, node.domain)
    except NotImplementedError:
        return False
    return version == own or _signature(node, own, onnx) == _signature(node, version, onnx)


def _signature(node: Any, version: int, onnx: Any) -> object:
    """Names of inputs, outputs and attributes of an operator in an opset, with what attributes are by default."""
    try:
        schema = onnx.defs.get_schema(node.op_type, version, node.domain)
    except onnx.defs.SchemaError:
        return f"none in {version}"
    attributes = {
        name: (attribute.required, attribute.default_value.SerializeToString())
        for name, attribute in schema.attributes.items()
    }
    return [value.name for value in schema.inputs], [value.name for value in schema.outputs], attributes
