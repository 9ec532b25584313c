"""The samplers: for each one line with its rules of both orders and everything that depends on which it is.

A sampler's rule finds block maxima: independent, identically distributed maxima of gradient norms (first order) or of
curvatures (second order) over a ball, as `samplers.block_maxima.BlockRule` describes. A new sampler is one new file
with its rules and one line here: settings, the command line and its help read the table. Nothing here imports torch; a
rule is imported when it is first used.
"""

from __future__ import annotations

from dataclasses import dataclass

from clearance.records import Choice


@dataclass(frozen=True)
class BlockChoice(Choice):
    """One rule for block maxima, and how much of it is the default.

    Attributes:
        block_size: What a block spends (`meaning` says in which unit), where the user says nothing.
        first_blocks: Blocks after which `blocks="auto"` looks at the interval for the first time.
        most_blocks: Most blocks of `blocks="auto"`.
        smallest_block: The smallest block size that the rule can work with.
    """

    block_size: int
    first_blocks: int
    most_blocks: int
    smallest_block: int = 1


@dataclass(frozen=True)
class SamplerChoice:
    """One sampler.

    Attributes:
        meaning: How a block finds its maximum, in a few words, for `--help` and the docs.
        first_order: Its rule for gradient norms.
        second_order: Its rule for curvatures; `None` where it has none.
        tail_rate: Rate of the exponential prior on the tail index of its block maxima; 0 for none
            (`extremes.fit_reverse_weibull`).
        trial_divisor: A block in a trial ball, on the way to the ball's radius, spends the block size divided by this.
    """

    meaning: str
    first_order: BlockChoice
    second_order: BlockChoice | None
    tail_rate: float
    trial_divisor: int

    def rule(self, order: int) -> BlockChoice | None:
        """The rule of an order, 1 or 2."""
        return self.first_order if order == 1 else self.second_order


_PACKAGE = "clearance.estimates.samplers"

SAMPLERS: dict[str, SamplerChoice] = {
    "directed": SamplerChoice(
        "by search",
        BlockChoice("gradients of one search", f"{_PACKAGE}.gradient_search:directed_gradients", 256, 24, 48),
        BlockChoice(
            "gradients and Hessian-vector products of one search",
            f"{_PACKAGE}.curvature_search:directed_curvatures",
            96,
            12,
            24,
            smallest_block=16,
        ),
        tail_rate=0.0,
        trial_divisor=2,
    ),
    "uniform": SamplerChoice(
        "by uniform sampling (the paper's)",
        BlockChoice("gradients at uniform points of the ball", f"{_PACKAGE}.uniform:uniform_gradients", 1024, 12, 48),
        BlockChoice("uniform points of the ball", f"{_PACKAGE}.uniform:uniform_curvatures", 32, 12, 24),
        tail_rate=20.0,
        trial_divisor=4,
    ),
}
"""The samplers by name; a name is also the name of its random streams.

Block sizes and numbers of blocks are set by hand; `benchmarks/directed.py` and `benchmarks/uniform.py` measure what
they give. A directed search of curvature needs 16 evaluations for each of its parts to get any. Block maxima of uniform
points leave the tail index open, and the prior keeps the endpoint from jumping (`benchmarks/uniform.py` compares the
fits with and without it); maxima of searches do without. Trial balls are only compared with each other, so their
blocks get a half or a quarter of the size.
"""


def default_text(name: str) -> str:
    """A default of all samplers in words, for `--help`: the numbers of order 1, then those of order 2.

    Args:
        name: A field of `BlockChoice`.

    >>> default_text("block_size")
    'directed 256, uniform 1024; order 2: directed 96, uniform 32'
    >>> default_text("most_blocks")
    '48; order 2: 24'
    """
    return f"{_listed(name, 1)}; order 2: {_listed(name, 2)}"


def _listed(name: str, order: int) -> str:
    rules = {sampler: choice.rule(order) for sampler, choice in SAMPLERS.items()}
    values = {sampler: getattr(rule, name) for sampler, rule in rules.items() if rule is not None}
    if len(set(values.values())) == 1:
        return str(next(iter(values.values())))
    return ", ".join(f"{sampler} {value}" for sampler, value in values.items())
