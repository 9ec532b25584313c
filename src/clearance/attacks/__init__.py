"""Attacks: witnesses, that is, upper bounds of the minimum adversarial distortion.

Each method is one pure function in the file of its name, from a classifier, inputs and a `Goal` to `Witnesses`;
`attack` combines them, confirms what they find by fresh forward passes, and returns one `AttackResult` per input.

    fixed radius        fgsm, ifgsm (a grid of radii), pgd, apgd, square (no gradients)
    minimum distance    ddn (l2), fast_minimum_norm (any p), pdpgd (l1), elastic_net (l1), carlini_wagner (l2, linf)
    in between          bisect_radius turns the first kind into the second; boundary_walk and bisect_segments bring
                        a witness that is known nearer
"""

from clearance.attacks.apgd import apgd
from clearance.attacks.best import attack
from clearance.attacks.bisect_radius import bisect_radius
from clearance.attacks.boundary_walk import boundary_walk
from clearance.attacks.carlini_wagner import carlini_wagner
from clearance.attacks.ddn import ddn
from clearance.attacks.elastic_net import elastic_net
from clearance.attacks.fast_minimum_norm import fast_minimum_norm
from clearance.attacks.fgsm import fgsm
from clearance.attacks.goals import Goal, make_goal
from clearance.attacks.ifgsm import ifgsm
from clearance.attacks.pdpgd import pdpgd
from clearance.attacks.pgd import pgd
from clearance.attacks.result import AttackResult, Witnesses
from clearance.attacks.segments import bisect_segments
from clearance.attacks.square import square

__all__ = [
    "AttackResult",
    "Goal",
    "Witnesses",
    "apgd",
    "attack",
    "bisect_radius",
    "bisect_segments",
    "boundary_walk",
    "carlini_wagner",
    "ddn",
    "elastic_net",
    "fast_minimum_norm",
    "fgsm",
    "ifgsm",
    "make_goal",
    "pdpgd",
    "pgd",
    "square",
]
