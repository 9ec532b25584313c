"""Which inputs a run takes, as its plan has them: by their content and by their place in the whole set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Self

from pydantic import Field, model_validator

from clearance.data.selection import consecutive, in_words
from clearance.runs.names import IN_MEMORY
from clearance.runs.threat import PlanPart

PlannedInput = tuple[int, str, int]
"""One input: its place in the whole set, the digest of its content, its label."""


class DataSpec(PlanPart):
    """The inputs.

    Attributes:
        source: What the user called them: a name or files.
        name: What they are called in results.
        offset: Place of the first input in the whole set.
        count: How many inputs.
        input_keys: Digest of each input's content (`clearance.model.seeds.content_key`).
        labels: The true class of each input.
        class_names: A name for each class; empty where there are none.
        indices: The place of each input in the whole set; `None` where they follow each other from `offset` on.
        references: Digest of each input that the audits walk to (`runs.references`); `None` in plans of versions where
            these were the inputs of the run.
        passed_over: How many misclassified inputs were passed over, where correctly classified ones alone were
            taken; `None` where inputs were taken whatever the network answers.
    """

    source: str
    name: str
    offset: int = Field(ge=0)
    count: int = Field(ge=1)
    input_keys: tuple[str, ...]
    labels: tuple[int, ...]
    class_names: tuple[str, ...] = ()
    indices: tuple[int, ...] | None = None
    references: tuple[str, ...] | None = None
    passed_over: int | None = Field(default=None, ge=0)

    @property
    def places(self) -> Sequence[int]:
        """The place of each input in the whole set."""
        return range(self.offset, self.offset + self.count) if self.indices is None else self.indices

    @property
    def inputs(self) -> list[PlannedInput]:
        """The inputs, in their order."""
        return list(zip(self.places, self.input_keys, self.labels, strict=True))

    def holding(self, inputs: Iterable[PlannedInput]) -> DataSpec:
        """The same set with other inputs of it, at least one.

        >>> data = DataSpec(source="x", name="x", offset=0, count=1, input_keys=("a",), labels=(0,))
        >>> data.holding([(0, "a", 0), (1, "b", 2)]).count, data.holding([(4, "c", 0), (9, "d", 2)]).where
        (2, 'at 4, 9')
        """
        places, keys, labels = zip(*inputs, strict=True)
        one_by_one = None if consecutive(places) else tuple(places)
        rows = {"offset": places[0], "count": len(places), "indices": one_by_one, "input_keys": keys, "labels": labels}
        return DataSpec.model_validate({**dict(self), **rows})

    @property
    def in_memory(self) -> bool:
        """Whether the inputs were handed over in Python, so that no command line can name them."""
        return self.source.endswith(IN_MEMORY)

    @property
    def choice(self) -> str:
        """How many inputs, and how they were chosen, in words.

        >>> data = DataSpec(source="x", name="x", offset=0, count=1, input_keys=("a",), labels=(0,), passed_over=3)
        >>> data.choice
        '1 correctly classified input, chosen; 3 misclassified passed over'
        """
        noun = "input" if self.count == 1 else "inputs"
        if self.passed_over is None:
            return f"{self.count:,} {noun}"
        return f"{self.count:,} correctly classified {noun}, chosen; {self.passed_over:,} misclassified passed over"

    @property
    def where(self) -> str:
        """Which inputs of the whole set, in words."""
        return f"from index {self.offset}" if self.indices is None else f"at {in_words(self.indices)}"

    @model_validator(mode="after")
    def _one_each(self) -> Self:
        if not self.count == len(self.input_keys) == len(self.labels):
            got = f"{len(self.input_keys)} and {len(self.labels)}"
            raise ValueError(f"expected {self.count} inputs and labels, got {got}")
        if len(set(self.places)) < self.count or min(self.places) < 0 or self.places[0] != self.offset:
            raise ValueError(f"expected {self.count} different places from {self.offset}, got {in_words(self.places)}")
        return self
