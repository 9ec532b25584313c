"""Every attack that `attack` can run by name: one line for each.

What a command, an argument's check or a page of the docs lists is read from `ATTACKS`; nothing here imports torch. A
new attack is one new file and one line: the file holds the attack itself, and a function

    carry_out(task: AttackTask, run: AttackRun, known: Witnesses) -> Witnesses

that runs it on a task with the iterations of one run (see `clearance.attacks.task`); the line names that function.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from clearance.errors import InputError
from clearance.records import Choice


@dataclass(frozen=True)
class AttackMethod(Choice):
    """One attack: `meaning`, `where` its `carry_out` lies, and what has to be known before it is imported.

    Attributes:
        norms: The norms `p` that it is for, 0 for the number of coordinates that differ; empty: any `p >= 1`.
        iterative: Whether it follows gradients over many steps, from a start of its own (the input, a random point).
        rounds: In how many rounds (radii, weights of a penalty, or starts) it shares out its steps when it runs alone.
        forwards: The most forward passes of one step.
        backwards: The backward passes of one step.
        any_start: Whether a run takes its start and its aim from `AttackTask` alone, so that runs with other starts and
            aims can share its batch.
        anywhere: Whether it begins at points all over the bounds, so that it says little of gradients near the input.
        only_missing: Whether it is for inputs without a witness, and left out where every input has one.
        needs_witness: Whether it only brings a known witness nearer: alone, it starts from the witnesses of `fgsm`.
    """

    norms: tuple[float, ...] = ()
    iterative: bool = True
    rounds: int = 1
    forwards: int = 1
    backwards: int = 1
    any_start: bool = False
    anywhere: bool = False
    only_missing: bool = False
    needs_witness: bool = False

    def is_for(self, norm: float) -> bool:
        """Whether it minimises distances in the `l_p` norm."""
        return norm in self.norms if self.norms else norm >= 1

    @property
    def norm_names(self) -> str:
        """Its norms in words.

        >>> ATTACKS["ddn"].norm_names, ATTACKS["square"].norm_names, ATTACKS["pgd"].norm_names
        ('l2', 'l2, linf', 'any p')
        """
        return ", ".join(f"l{norm:g}" for norm in self.norms) or "any p"


ATTACKS: dict[str, AttackMethod] = {
    "fgsm": AttackMethod(
        "one step along the steepest direction, bisected over radii (Goodfellow, Shlens and Szegedy 2015)",
        "clearance.attacks.fgsm:carry_out",
        iterative=False,
        rounds=10,
        forwards=2,
    ),
    "linear_steps": AttackMethod(
        "to the nearest point of the linearised boundary (after Moosavi-Dezfooli, Fawzi and Frossard 2016)",
        "clearance.attacks.linear_steps:carry_out",
        iterative=False,
        forwards=2,
    ),
    "ifgsm": AttackMethod(
        "many steps from the input, over a grid of radii (Kurakin et al. 2016; grid of Weng et al. 2018)",
        "clearance.attacks.ifgsm:carry_out",
        rounds=8,
    ),
    "pgd": AttackMethod(
        "projected gradient descent from a random point, bisected over radii (Madry et al. 2018)",
        "clearance.attacks.pgd:carry_out",
        rounds=10,
    ),
    "apgd": AttackMethod(
        "projected gradient descent that chooses its steps, bisected over radii (Croce and Hein 2020)",
        "clearance.attacks.apgd:carry_out",
        any_start=True,
        rounds=10,
    ),
    "square": AttackMethod(
        "random search with square patches, no gradients, bisected over radii (Andriushchenko et al. 2020)",
        "clearance.attacks.square:carry_out",
        norms=(2.0, math.inf),
        iterative=False,
        rounds=10,
        backwards=0,
    ),
    "ddn": AttackMethod(
        "minimum distance by decoupled direction and norm (Rony et al. 2019)",
        "clearance.attacks.ddn:carry_out",
        any_start=True,
        norms=(2.0,),
    ),
    "fast_minimum_norm": AttackMethod(
        "minimum distance by steps on a ball that follows the boundary (Pintor et al. 2021)",
        "clearance.attacks.fast_minimum_norm:carry_out",
        any_start=True,
    ),
    "pdpgd": AttackMethod(
        "minimum distance by primal-dual proximal gradient descent (Matyasko and Chau 2021)",
        "clearance.attacks.pdpgd:carry_out",
        any_start=True,
        norms=(1.0,),
    ),
    "elastic_net": AttackMethod(
        "minimum distance by iterative shrinkage over a search for a penalty's weight (Chen et al. 2018)",
        "clearance.attacks.elastic_net:carry_out",
        norms=(1.0,),
        rounds=8,
    ),
    "carlini_wagner": AttackMethod(
        "minimum distance by Adam over a search for a penalty's weight (Carlini and Wagner 2017)",
        "clearance.attacks.carlini_wagner:carry_out",
        norms=(2.0, math.inf),
        rounds=8,
    ),
    "sigma_zero": AttackMethod(
        "fewest coordinates by Adam on a smooth count and a threshold that moves (Cinà et al. 2025)",
        "clearance.attacks.sigma_zero:carry_out",
        norms=(0.0,),
    ),
    "box_points": AttackMethod(
        "points all over the bounds, for inputs without a witness (this project)",
        "clearance.attacks.box_points:carry_out",
        iterative=False,
        backwards=0,
        anywhere=True,
        only_missing=True,
    ),
    "cutting_planes": AttackMethod(
        "walks between linear regions, from points all over the bounds, to where several planes meet (this project)",
        "clearance.attacks.cutting_planes:carry_out",
        iterative=False,
        rounds=22,
        anywhere=True,
    ),
    "boundary_walk": AttackMethod(
        "from a known witness along the linearised boundary towards the input (after Croce and Hein 2020)",
        "clearance.attacks.boundary_walk:carry_out",
        iterative=False,
        forwards=6,
        needs_witness=True,
    ),
    "refine": AttackMethod(
        "from a known witness by short steps on a ball that follows the boundary (after Pintor et al. 2021)",
        "clearance.attacks.refine:carry_out",
        iterative=False,
        needs_witness=True,
    ),
}
"""Every attack by name, those with a fixed radius first."""

ENSEMBLE = "best"
"""The choice of `attack` that is no single method: the ensemble of the budget."""


def choices() -> tuple[str, ...]:
    """What `method` may be.

    >>> choices()[:3]
    ('best', 'fgsm', 'linear_steps')
    """
    return (ENSEMBLE, *ATTACKS)


def check_method(method: str, norm: float) -> str:
    """Check the name of a method, and that it is for a norm.

    Args:
        method: `"best"`, or a name of `ATTACKS`.
        norm: The norm `p`.

    Returns:
        The name.

    Raises:
        InputError: If there is no such method, or it is not for the norm.
    """
    if method not in choices():
        raise InputError(f"method: expected one of {', '.join(choices())}, got {method!r}")
    if method != ENSEMBLE and not ATTACKS[method].is_for(norm):
        expected = ATTACKS[method].norm_names if ATTACKS[method].norms else "p >= 1"
        raise InputError(f"norm: expected {expected} for method {method}, got l{norm:g}")
    return method
