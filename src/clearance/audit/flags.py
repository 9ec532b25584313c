"""Every check of the audit in one table: what it says, its threshold, where it comes from, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from clearance.estimates.status import CLIFF_FACTOR


@dataclass(frozen=True)
class Check:
    """One line of the table.

    Attributes:
        meaning: What a flag with this code says, in one sentence.
        threshold: What the measured number is held against; `None` where a yes or no is measured.
        raised: When the flag is raised, in words, with its severity.
        source: Where the check comes from.
        remedy: What the user should try.
        beside_stand_in: What to try instead where a stand-in (`bpda`) is in place already; empty: the same.
        about: `"gradients"` where a flag puts the gradients themselves in doubt, `"attacks"` where it says how attacks
            fare (which counts against an estimate only beside one about gradients), else `"other"`.
    """

    meaning: str
    threshold: float | None
    raised: str
    source: str
    remedy: str
    about: Literal["gradients", "attacks", "other"] = "other"
    beside_stand_in: str = ""


_ATHALYE = "Athalye, Carlini and Wagner 2018, section 3.1"
_CARLINI = "Carlini et al. 2019, section 4"
_PINTOR = "Pintor et al. 2022, section 3"
_BPDA = "put a differentiable stand-in behind the part that has no gradient: clearance.bpda(transform)"
_IN_PLACE = "a stand-in is in place (clearance.bpda)"
_COARSE = (
    f"{_IN_PLACE}, and across the steps of what it stands for there is no slope to estimate: read the witnesses only; "
    "for an estimate, bracket the network without that part, and say so"
)
_ANOTHER = (
    f"{_IN_PLACE}, and does not lead there: give it a closer one (backward=…), or look for another part that hides "
    "gradients"
)

CHECKS: dict[str, Check] = {
    "non_finite": Check(
        "a logit or a gradient in the ball is NaN or infinite",
        None,
        "error: at a point of the ball that these checks evaluated",
        "this project",
        "find the operation (torch.autograd.set_detect_anomaly) and give it a finite gradient; try double precision",
        about="gradients",
    ),
    "no_gradient": Check(
        "the output is cut off from the input: autograd has nothing to follow (detach, no_grad, NumPy, integers)",
        None,
        "error: the logits do not require a gradient, or the backward pass raises",
        f"{_PINTOR} (unavailable gradients)",
        f"remove the cut, or {_BPDA}",
        about="gradients",
        beside_stand_in=_ANOTHER,
    ),
    "zero_gradient": Check(
        "many gradients in the ball are exactly zero",
        0.5,
        "error: at this share of the points or more; warning: where the path integral agrees all the same (a plateau), "
        "or at a tenth of the share, where it fails",
        f"Goodfellow 2018, section 3; {_PINTOR} (unavailable gradients)",
        f"{_BPDA}; for saturated outputs use the logits, or double precision",
        about="gradients",
        beside_stand_in=_ANOTHER,
    ),
    "vanishing_gradient": Check(
        "gradients are far too small to have any part in what the margin does over the same distance: soft steps that "
        "saturate in between",
        0.05,
        "warning: on some segment at least this share of the gradients has `||∇g||_q ||d||_p` below a twentieth of the "
        "margin's movement",
        "this project (Hölder's inequality); Goodfellow 2018, section 4 (saturation)",
        f"look for sigmoid, tanh or softmax of large arguments; evaluate what lies before them, or {_BPDA}",
        about="gradients",
        beside_stand_in=_ANOTHER,
    ),
    "path_integral": Check(
        "the gradients, of the network or of its stand-in, do not integrate to the function that runs forward",
        0.05,
        "error: they miss more than half of the margin's movement along segments as long as the ball; warning: they "
        "miss more than this share (or three times it in jumps between neighbouring points), or miss it on shorter "
        "segments only; info: so on a staircase, where a stand-in for the gradient holds over the ball, or where one "
        "that is declared (clearance.bpda) misses no more than a tenth of what the margin does over the whole ball",
        "this project (fundamental theorem of calculus)",
        f"the gradients belong to another function: {_BPDA}, and read the score as that stand-in's",
        about="gradients",
        beside_stand_in=_COARSE,
    ),
    "rough_gradient": Check(
        "gradients a thirty-second of the ball apart point in different directions (shattered gradients)",
        0.8,
        "warning: the median cosine is below this",
        f"{_ATHALYE} (shattered gradients); Balduzzi et al. 2017",
        "smooth the network's input (clearance.eot with noise) or replace the rough part by bpda",
        about="gradients",
    ),
    "locally_constant": Check(
        "the output stays exactly constant over small steps and then jumps: a quantised function",
        0.3,
        "at this share of small steps or more; warning: the path integral fails too; info: it does not",
        "Goodfellow 2018, section 3 (staircase)",
        f"{_BPDA}; the distances stay those of the quantised network",
        beside_stand_in=_COARSE,
    ),
    "random": Check(
        "two forward passes of the same input differ",
        None,
        "warning: by more than rounding",
        f"{_ATHALYE} (stochastic gradients); AutoAttack's check (Croce and Hein 2020)",
        "average over the randomness: clearance.eot(model, samples)",
        about="gradients",
    ),
    "batch_dependent": Check(
        "the logits of an input depend on what else is in the batch",
        None,
        "warning: some margin changes by more than a thousandth of its two logits",
        "this project (batch statistics at test time)",
        "use running statistics (eval mode), or another normalisation",
    ),
    "train_mode": Check(
        "layers with dropout or batch statistics came in train mode; they were evaluated in eval mode",
        None,
        "warning: with dropout active; info: otherwise",
        "this project",
        "call network.eval() if that is what you deploy; if dropout stays on in use, write it as "
        "functional.dropout(x, p, training=True), which nothing turns off, and use clearance.eot",
    ),
    "probabilities": Check(
        "the outputs look like probabilities, not logits",
        None,
        "warning: in [0, 1] with rows that sum to 1, at the input, in the ball and far from it",
        "AutoAttack's check (Croce and Hein 2020); Carlini and Wagner 2017",
        "hand over the values before the softmax",
        about="gradients",
    ),
    "squashed": Check(
        "the outputs take two values nearly everywhere: a sigmoid or a tanh of large logits comes last",
        0.5,
        "warning: at this share of points, near and far, the two largest outputs lie at an end of their range",
        "this project; Goodfellow 2018, section 4 (saturation)",
        "hand over the values before the sigmoid or the tanh",
        about="gradients",
    ),
    "saturated": Check(
        "a softmax of these logits underflows: attacks through cross-entropy get no gradient, and logits this large "
        "are what defensive distillation and a cold temperature leave",
        1.0,
        "warning: the margin is at least this share of the largest exponent of the classifier's precision",
        "Goodfellow 2018, section 4; Carlini and Wagner 2017 (defensive distillation)",
        "attack and score the logits, never the loss; divide the logits by the temperature; try double precision "
        "(--dtype float64)",
    ),
    "flat": Check(
        "all logits are nearly equal: a softmax of them is flat, and attacks with a fixed loss constant stand still",
        0.005,
        "warning: the largest logit exceeds the next by less than this at all points that are looked at, near and far",
        "Carlini and Wagner 2017 (temperature as a defence)",
        "multiply the logits by the temperature that was divided out; scores and distances do not depend on it",
    ),
    "precision": Check(
        "rounding of the logits is not small against the margin",
        0.01,
        "warning: it is at least this share of the margin",
        "Goodfellow 2018, section 4",
        "evaluate in double precision: Classifier(network, dtype=torch.float64)",
    ),
    "refuted": Check(
        "the estimated radius is larger than the distance of a witness, or than a slope in its ball allows",
        1.0,
        "error: the radius exceeds this many times the distance of a confirmed witness, or a slope exceeds what it "
        "allows; info: such a slope across a step, where gradients integrate over the ball (path_integral is info or "
        "absent)",
        "this project",
        "do not use the estimate; the witness is the better bound",
        beside_stand_in=_COARSE,
    ),
    "contradiction": Check(
        "a certified radius is larger than the distance of a witness",
        None,
        "error: by more than rounding, in a bracket",
        "this project",
        "report it: either the certificate or the network's arithmetic is wrong; try double precision",
    ),
    "below_certificate": Check(
        "the estimated radius is smaller than the certified one",
        None,
        "info: by more than rounding, in a bracket",
        "this project",
        "use the certificate, which is a proof; the estimate adds nothing here",
    ),
    "lipschitz_exceeded": Check(
        "a gradient norm or a slope in the ball is larger than the estimated Lipschitz constant",
        1.001,
        "info: by more than this factor (uniform sampling misses them on nearly every network)",
        "Wood and Zhang 1996; this project (design, section 2)",
        "give a larger budget; with bound='ball' use sampler='directed', which looks for them",
    ),
    "cliff": Check(
        "the largest gradient grows steeply between the input and the boundary: near the input it says little",
        CLIFF_FACTOR,
        "info: the Lipschitz profile rises by more than this factor within the bracket",
        "this project",
        "a larger budget; read the interval, whose lower end allows the rise to begin nearer, and the certificate",
    ),
    "poor_fit": Check(
        "the block maxima do not follow the fitted extreme-value distribution, or fix no endpoint",
        0.05,
        "info: the Kolmogorov-Smirnov p-value is below this, or the maxima fix no endpoint",
        "Weng et al. 2018, section 5.2",
        "draw more blocks, and read the interval rather than the estimate",
    ),
    "at_radius": Check(
        "the score equals the ball's radius: only the ball's size is known",
        None,
        "info: the estimate was cut off at the radius",
        "Goodfellow 2018; this project",
        "use a larger ball, or radius='auto'",
    ),
    "unbounded_fails": Check(
        "no attack along gradients finds a witness at any distance",
        None,
        "warning: the whole ensemble of attacks, at any distance; info: where nothing else puts gradients in doubt",
        f"{_ATHALYE}; {_CARLINI}",
        "attack without gradients; look for the part that hides them",
        about="attacks",
    ),
    "budget": Check(
        "gradient descent fails in a ball that is known to hold a witness deep inside it",
        4.0,
        "warning: from the input and from random starts, in a ball of this many times a known witness's distance; "
        "info: where nothing else puts gradients in doubt",
        f"{_CARLINI} (success must rise to 100 % with the budget)",
        "more steps and restarts; another loss; look for hidden gradients",
        about="attacks",
    ),
    "reference_wins": Check(
        "on the way to an input of another class lies a nearer witness than attacks along gradients find, or one where "
        "such an attack finds none at any distance",
        0.9,
        "warning: its distance is below this share of theirs, of the standard budget at least (below two thirds of the "
        "share where it was pulled back from the way, and for norms below 2 on the straight way only); or an iterative "
        "attack finds nothing at any distance, in norms of 2 and above, unless ranges differ more than tenfold",
        f"this project; Brendel, Rauber and Bethge 2018 (decision-based attacks); {_ATHALYE} (unbounded attacks)",
        f"the gradients mislead: {_BPDA}; read the nearer witness's distance, and not the estimate",
        about="gradients",
        beside_stand_in=_ANOTHER,
    ),
    "blind_wins": Check(
        "an attack without gradients finds a nearer witness than attacks with gradients",
        0.95,
        "warning: its distance is below this share of theirs; info: where nothing else puts gradients in doubt",
        f"{_ATHALYE}; AutoAttack's check (Croce and Hein 2020)",
        f"the gradients mislead: {_BPDA}, or clearance.eot for a random network",
        about="attacks",
        beside_stand_in=_ANOTHER,
    ),
    "one_step_wins": Check(
        "one step along the gradient finds a nearer witness than iterative attacks",
        0.98,
        "warning: its distance is below this share of theirs; info: where nothing else puts gradients in doubt",
        _ATHALYE,
        "more steps and restarts; look for gradients that change too fast to follow",
        about="attacks",
    ),
    "attack_spread": Check(
        "iterative attacks disagree widely about the distance",
        3.0,
        "warning: the largest distance is at least this many times the smallest; info: where nothing else puts "
        "gradients in doubt",
        "this project; AttackBench (Cinà et al. 2024)",
        "attack or bracket with the thorough budget; look at which attack fails and why",
        about="attacks",
    ),
    "incomplete": Check(
        "the loss of a failed attack was still falling when its steps ran out",
        0.1,
        "info: its last quarter brought at least this share of the whole descent",
        f"{_PINTOR} (incomplete optimisation)",
        "more steps",
    ),
    "silent_success": Check(
        "an attack met a witness and ended elsewhere",
        None,
        "info: an earlier iterate was adversarial, the last one was not",
        f"{_PINTOR} (silent success)",
        "keep the best iterate, as the attacks here do",
    ),
}
"""Code → check, the gravest first."""
