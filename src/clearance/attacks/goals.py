"""What an attack has to reach, as one mask of wanted classes, and the losses that lead there.

`model.margins` names the targets of an input; here they become a set `W` of wanted classes. Untargeted, `W` is
every class but the source; targeted, it is the target alone. The margin of a goal,

    g(x) = max_{j not in W} f_j(x) - max_{j in W} f_j(x),

is negative exactly where the predicted class is wanted. Untargeted it is the smallest of the margins `f_c - f_t` over
all other classes; targeted it also asks that no third class is ahead. Attacks lower a loss and never ask what a goal
means.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from clearance.errors import InputError
from clearance.model.autodiff import savable
from clearance.model.cost import Cost
from clearance.model.inputs import CheckedInputs

TIE_ROUNDING = 8.0
"""A goal counts as reached when its margin is below minus this many units of rounding of the larger of the two logits
that it compares: a tie, or a difference that a batch of another size could turn, is no witness."""


class Tally:
    """Passes of each input of a batch: a row of any batch counts for the input that it is about.

    Source: this project.

    Args:
        count: How many inputs there are.

    >>> tally = Tally(2)
    >>> tally.rows(torch.tensor([1, 1, 0])).add(Cost(forward=3, backward=3))
    >>> tally.read(0).forward, tally.read(1).forward
    (1, 2)
    """

    def __init__(self, count: int) -> None:
        self._owners = torch.arange(count, device="cpu")
        self._forward, self._backward = torch.zeros(2, count, dtype=torch.int64, device="cpu")

    def rows(self, index: slice | Tensor) -> Tally:
        """The same counts, for rows that are about these of the present rows' inputs."""
        other = copy(self)
        other._owners = self._owners[index if isinstance(index, slice) else index.cpu()]
        return other

    def add(self, cost: Cost) -> None:
        """Count a pass, of the same cost for each row."""
        for counts, passes in ((self._forward, cost.forward), (self._backward, cost.backward)):
            if passes:
                counts.index_add_(0, self._owners, torch.full_like(self._owners, passes // len(self._owners)))

    def read(self, place: int) -> Cost:
        """The passes of one input so far."""
        return Cost(int(self._forward[place]), int(self._backward[place]))


@dataclass(frozen=True)
class Goal:
    """Where each input of a batch has to go.

    Attributes:
        source: Predicted class of each input, `(batch,)`.
        wanted: `(batch, classes)`, true for the classes that count as success; never the source.
        unwanted: `(batch, classes)`, true for the classes that have to fall behind: all others, unless the goal is the
            aim of one run of an attack that is content with more classes.
        tally: Where passes of these rows are counted, input by input; `None`: nowhere.
    """

    source: Tensor
    wanted: Tensor
    unwanted: Tensor
    tally: Tally | None = None

    def rows(self, index: slice | Tensor) -> Goal:
        """The goals of some of the inputs."""
        tally = None if self.tally is None else self.tally.rows(index)
        return Goal(self.source[index], self.wanted[index], self.unwanted[index], tally)

    def reached(self, logits: Tensor) -> Tensor:
        """Whether each row of `(batch, classes)` predicts a wanted class by more than rounding; false for NaN."""
        behind, ahead = _outside(logits, self).amax(1), _inside(logits, self).amax(1)
        slack = TIE_ROUNDING * torch.finfo(logits.dtype).eps * torch.maximum(behind.abs(), ahead.abs())
        return behind - ahead < -slack

    def to_class(self, classes: Tensor) -> Goal:
        """The aim of getting one wanted class, `(batch,)`, ahead of what is unwanted."""
        return replace(self, wanted=torch.zeros_like(self.wanted).scatter(1, classes[:, None], True))


Loss = Callable[[Tensor, Goal], Tensor]
"""Maps logits `(batch, classes)` and a goal to values `(batch,)` that an attack lowers."""


def make_goal(source: Tensor, targets: Sequence[Sequence[int]], classes: int) -> Goal:
    """The goal of moving each input to any of its targets.

    Args:
        source: Predicted classes, `(batch,)`.
        targets: For each input its targets, as `model.margins.resolve_targets` gives them.
        classes: How many classes there are.

    Returns:
        The goal, on the device of `source`.

    Raises:
        InputError: If there is not one list of targets per input, or a list is empty or holds the source.

    >>> make_goal(torch.tensor([0]), [[2, 1]], 3).wanted
    tensor([[False,  True,  True]])
    """
    if len(source) != len(targets):
        raise InputError(f"targets: expected one list per input ({len(source)}), got {len(targets)}")
    wanted = torch.zeros(len(source), classes, dtype=torch.bool, device="cpu")
    for row, (chosen, own) in enumerate(zip(targets, source.tolist(), strict=True)):
        if not chosen or own in chosen:
            raise InputError(f"targets: expected classes other than {own} for input {row}, got {list(chosen)}")
        wanted[row, list(chosen)] = True
    wanted = wanted.to(source.device)
    return Goal(source, wanted, ~wanted)


def goal_of(inputs: CheckedInputs) -> Goal:
    """The goal of moving each of some checked inputs to any of its targets.

    Source: as `make_goal`.

    Args:
        inputs: The inputs, `(batch, *input)`, none of them misclassified.

    Returns:
        The goal.
    """
    return make_goal(inputs.logits.argmax(1), inputs.targets, inputs.logits.shape[1])


def margin(logits: Tensor, goal: Goal) -> Tensor:
    """The margin of a goal: the best unwanted logit less the best wanted one, `(batch,)`.

    Source: the definition of an adversarial example: it is one where this is negative.

    >>> goal = make_goal(torch.tensor([0]), [[1]], 3)
    >>> margin(torch.tensor([[3.0, 1.0, 4.0]]), goal)
    tensor([3.])
    """
    return _outside(logits, goal).amax(1) - _inside(logits, goal).amax(1)


def soft_margin(logits: Tensor, goal: Goal) -> Tensor:
    """Cross-entropy without its saturation: `log(P(unwanted) / P(wanted))`, `(batch,)`.

    Source: this project, from the definition of cross-entropy.

    Both cross-entropies, `log p_c` untargeted and `-log p_t` targeted, are increasing functions of it: its gradient has
    their direction, and an attack that normalises gradients and compares values does the same with any of them. Their
    own gradients vanish where the network is confident; this one does not.

    >>> goal = make_goal(torch.tensor([0]), [[1]], 2)
    >>> soft_margin(torch.tensor([[3.0, 1.0]]), goal)
    tensor([2.])
    """
    return _outside(logits, goal).logsumexp(1) - _inside(logits, goal).logsumexp(1)


def dlr(logits: Tensor, goal: Goal) -> Tensor:
    """Difference-of-logits ratio: the margin over a spread of logits (Croce and Hein 2020, equations 6 and 7).

    With logits ranked `z_1 >= z_2 >= ...`, the denominator is `z_1 - z_3` where more than one class is wanted and
    `z_1 - (z_3 + z_4) / 2` where one is, with the numerator `z_c - z_t`. With two classes every such ratio is constant,
    and the loss is the margin; with three the second is, wherever the wanted class is the last, and the loss is the
    numerator.

    >>> goal = make_goal(torch.tensor([0]), [[1, 2]], 3)
    >>> dlr(torch.tensor([[4.0, 3.0, 2.0]]), goal)
    tensor([0.5000])
    """
    classes = logits.shape[1]
    if classes == 2:
        return margin(logits, goal)
    ranked = logits.sort(1, descending=True).values
    single = goal.wanted.sum(1) == 1
    spread = ranked[:, 0] - torch.where(single, ranked[:, 2:4].mean(1), ranked[:, 2])
    if classes == 3:
        spread = torch.where(single, 1.0, spread)
    own = logits.gather(1, savable(goal.source)[:, None])[:, 0]
    gap = torch.where(single, own, _outside(logits, goal).amax(1)) - _inside(logits, goal).amax(1)
    return gap / spread.clamp_min(torch.finfo(logits.dtype).tiny)


def _inside(logits: Tensor, goal: Goal) -> Tensor:
    return logits.masked_fill(~goal.wanted, -torch.inf)


def _outside(logits: Tensor, goal: Goal) -> Tensor:
    return logits.masked_fill(~goal.unwanted, -torch.inf)
