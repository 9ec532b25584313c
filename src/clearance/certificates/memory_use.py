"""Which values of a network may share memory, and what a step in place leaves of them.

`relu_(flatten(h))` changes `h` as well, and nothing in the graph says so. So every value has roots, the steps that may
have made its memory: a step whose result is certainly new is its own root, and every other one has the roots of what it
takes. After a step in place, the earlier values with a common root count as overwritten: whatever reads one of them is
refused.
"""

from __future__ import annotations

from torch import Tensor, fx

from clearance.certificates.builder import Ref
from clearance.certificates.graph import Step
from clearance.certificates.operations import Affine, refuse

NEW_MEMORY = (
    "addition",
    "average pooling",
    "concatenation",
    "convolution",
    "linear",
    "mean",
    "scaling",
    "stack",
    "subtraction",
    "sum",
    "transposed convolution",
)
"""Affine steps whose result is always new memory; other affine steps may return what they take, or a view of it."""


class MemoryUse:
    """Follows the memory of the values, step by step."""

    def __init__(self) -> None:
        self._roots: dict[fx.Node, frozenset[fx.Node]] = {}
        self._overwritten: dict[fx.Node, str] = {}

    def read(self, step: fx.Node) -> None:
        """A step that returns numbers reads its arguments.

        Raises:
            NotSupportedError: If one of them has been changed in place.
        """
        for source in step.all_input_nodes:
            if source in self._overwritten:
                refuse(f"uses what {self._overwritten[source]} has changed in place")

    def write(self, step: fx.Node, name: str) -> None:
        """A step changes its first argument in place, and with it all that may share its memory.

        Args:
            step: The step.
            name: What to call it.

        Raises:
            NotSupportedError: If the memory is not the network's own, or the step also reads it in another way.
        """
        changed = step.args[0]
        if not isinstance(changed, fx.Node):
            refuse("changes in place what is not known")
        roots = self._roots[changed]
        if any(root.op in {"placeholder", "get_attr"} for root in roots):
            refuse("changes the network's input or a constant in place")
        shared = [value for value, others in self._roots.items() if roots & others]
        if any(source in shared and source is not changed for source in step.all_input_nodes):
            refuse("changes in place what it reads in another way too")
        self._overwritten.update(dict.fromkeys(shared, name))
        self._roots[step] = roots

    def keep(self, step: fx.Node, value: object, made: Step | None) -> None:
        """A step has returned a value.

        Args:
            step: The step.
            value: What it returned; only tensors, and several of them, have memory.
            made: The last step that it added to the graph, if it added any.
        """
        if not isinstance(value, Ref | Tensor | tuple):
            return
        fresh = made is not None and (not isinstance(made.operation, Affine) or made.operation.name in NEW_MEMORY)
        inherited = frozenset[fx.Node]().union(*(self._roots.get(source, ()) for source in step.all_input_nodes))
        self._roots[step] = frozenset({step}) if fresh or not inherited else inherited
