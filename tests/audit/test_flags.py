"""Every flag of the audit: a classifier or a record that raises it, and one that does not."""

import math
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import clearance as cl
from clearance.attacks import AttackResult
from clearance.audit import CHECKS, Audit, Severity
from clearance.audit.case import Case, Ledger
from clearance.audit.optimisation import Traces, judge_descents, judge_success
from clearance.estimates.status import CLIFF_FACTOR
from clearance.model.classifier import Classifier
from clearance.model.cost import Cost
from clearance.model.transforms import Ramp, RandomDrop, Staircase, bpda

DIMENSION, CLASSES = 6, 3


def network(seed: int = 0) -> nn.Sequential:
    generator = torch.Generator().manual_seed(seed)
    layers = nn.Sequential(nn.Linear(DIMENSION, 24), nn.Tanh(), nn.Linear(24, CLASSES))
    for parameter in layers.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) * (0.8 if parameter.ndim > 1 else 0.1)
    return layers.eval()


X = torch.tensor([[0.45, 0.6, 0.3, 0.7, 0.52, 0.36]])


def look_at(function: object, **options: object) -> Audit:
    """The audit with the given attack, or with what a quick one found."""
    model = Classifier(function, bounds=(0, 1))  # type: ignore[arg-type]
    attacks = options.pop("attacks", None) or cl.attack(model, X, budget="quick")
    return cl.audit(model, X, attacks=attacks, **options)[0]  # type: ignore[arg-type]


def look_alone(function: object) -> Audit:
    """The audit that attacks by itself."""
    return cl.audit(Classifier(function, bounds=(0, 1)), X)[0]  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def honest() -> Audit:
    return look_alone(network())


class Cut(nn.Module):
    def __init__(self, base: nn.Module, share: float) -> None:
        super().__init__()
        self.base, self.share = base, share

    def forward(self, x: Tensor) -> Tensor:
        logits = self.base(x)
        return (1 - self.share) * logits + self.share * logits.detach()


class NoisyStep(nn.Module):
    """Draws from a generator of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.generator = torch.Generator().manual_seed(0)

    def forward(self, x: Tensor) -> Tensor:
        return x + 0.01 * torch.randn(x.shape, generator=self.generator)


def nan_gradient(x: Tensor) -> Tensor:
    return network()(x) + 0.0 * (x - x).square().sum(1, keepdim=True).sqrt()  # d sqrt(0) = inf, inf * 0 = NaN


def dropping() -> nn.Sequential:
    return nn.Sequential(nn.Dropout(0.5), network()).train()


def behind(x: Tensor) -> Tensor:
    """Its gradient leads away from where its value goes."""
    return network()(2 * x.detach() - x)


STAIRS = nn.Sequential(Staircase(255), network())
MASKED = {
    "non_finite": nan_gradient,
    "no_gradient": lambda x: network().requires_grad_(False)(x.detach()),
    "zero_gradient": STAIRS,
    "path_integral": Cut(network(), 0.5),
    "rough_gradient": nn.Sequential(Ramp(255, 0.2), network()),
    "locally_constant": STAIRS,
    "random": nn.Sequential(NoisyStep(), network()),
    "batch_dependent": lambda x: network()(x - 0.5 * x.mean(0)),
    "train_mode": dropping(),
    "probabilities": nn.Sequential(network(), nn.Softmax(1)),
    "saturated": lambda x: 1e4 * network()(x),
    "flat": lambda x: 1e-4 * network()(x),
    "squashed": lambda x: (200 * network()(x)).sigmoid(),
    "vanishing_gradient": lambda x: network()((200 * (x - 0.5)).sigmoid()),
    "precision": lambda x: 1e5 + network()(x),
    "unbounded_fails": lambda x: network()(x.detach()) + 100.0 * torch.eye(CLASSES)[int(network()(X).argmax())],
    "budget": behind,
    "blind_wins": behind,
}


@cache
def seen(function: object) -> Audit:
    """One audit of a classifier that several flags are looked for in."""
    return look_at(function)


IN_BRACKETS = {"contradiction", "below_certificate"}
"""Raised where a certificate meets the rest: `tests/bracket/test_bracket.py`."""


@pytest.mark.parametrize("code", MASKED)
@pytest.mark.thinned(6)
def test_a_classifier_that_raises_it(code: str):
    found = seen(MASKED[code])
    (flag,) = [flag for flag in found.flags if flag.code == code]
    assert flag.severity is not Severity.INFO and flag.evidence and flag.remedy == CHECKS[code].remedy
    assert found.masked and found.worst is found.flags[0].severity


def test_an_honest_classifier_raises_nothing_that_counts(honest: Audit):
    assert not honest.masked
    assert not {flag.code for flag in honest.flags} & set(MASKED)


def test_every_number_that_was_held_against_a_threshold_is_kept(honest: Audit):
    yes_or_no = {"non_finite", "no_gradient", "random", "train_mode", "probabilities", "at_radius", "unbounded_fails"}
    elsewhere = {"silent_success", "reference_wins", "poor_fit"} | IN_BRACKETS  # a profile does not rest on a fit
    assert set(CHECKS) - yes_or_no - elsewhere <= set(honest.measured)


def test_half_a_gradient_misses_half_of_the_movement():
    found = look_at(Cut(network(), 0.3))
    (flag,) = [flag for flag in found.flags if flag.code == "path_integral"]
    assert flag.severity is Severity.WARNING and flag.evidence["missed"] == pytest.approx(0.3, abs=0.01)
    (flag,) = [flag for flag in look_at(Cut(network(), 0.7)).flags if flag.code == "path_integral"]
    assert flag.severity is Severity.ERROR and flag.evidence["missed"] == pytest.approx(0.7, abs=0.01)


def test_a_stand_in_for_a_fine_staircase_fails_on_short_segments_only():
    found = look_at(nn.Sequential(bpda(Staircase(4095)), network()))
    raised = {flag.code: flag.severity for flag in found.flags}
    assert raised["locally_constant"] is Severity.INFO and not found.masked
    assert raised.get("path_integral", Severity.INFO) is Severity.INFO


@pytest.mark.parametrize("norm", [1, 2, "inf"])
@pytest.mark.parametrize("steps", [255, 4095])
def test_a_declared_stand_in_may_miss_small_steps_and_no_coarse_ones(norm: float | str, steps: int):
    """In l1, in which a random direction moves every pixel by little, one step is all that happens along it."""
    data = cl.load_data("digits", count=4)
    bare = cl.load_model("digits-robust").network
    for levels, masked in ((steps, False), (4, True)):
        behind = Classifier(bare, bounds=(0, 1), preprocessing=bpda(Staircase(levels)))
        audits = cl.audit(behind, data.images, data.labels, norm=norm, budget="quick")
        assert {one.masked for one in audits if one.measured} == {masked}


def test_a_declared_stand_in_with_a_wrong_gradient_is_no_small_step():
    for stand_in in (torch.zeros_like, lambda x: 0.5 * x, lambda x: -x):
        found = look_at(nn.Sequential(bpda(nn.Identity(), stand_in), network()))
        assert found.masked and found.has("path_integral")
    found = look_at(nn.Sequential(bpda(nn.Identity(), lambda x: 0.92 * x), network()))
    assert found.measured["path_integral"] == pytest.approx(0.08, abs=0.01) and not found.masked


def test_a_remedy_does_not_ask_for_the_stand_in_that_is_there():
    coarse = {flag.code: flag.remedy for flag in look_at(nn.Sequential(bpda(Staircase(2)), network())).flags}
    assert coarse["locally_constant"] == CHECKS["locally_constant"].beside_stand_in
    assert not any("put a differentiable stand-in" in remedy for remedy in coarse.values())


def test_train_mode_without_dropout_is_worth_knowing_and_no_more():
    found = look_at(nn.Sequential(nn.BatchNorm1d(DIMENSION), network()).train())
    assert {flag.code: flag.severity for flag in found.flags}["train_mode"] is Severity.INFO
    assert not look_at(network().train()).has("train_mode")  # nothing in it would have behaved otherwise


def test_failing_attacks_are_no_sign_of_masking_where_gradients_are_whole():
    out_of_reach = look_at(lambda x: network()(x) + 30.0 * torch.eye(CLASSES)[int(network()(X).argmax())])
    assert out_of_reach.has("unbounded_fails") and not out_of_reach.masked


def test_an_infinite_gradient_at_the_input_is_a_flag_and_not_a_crash():
    x = X.clone()
    x[0, 0] = 0.0
    model = Classifier(lambda z: network()(z.sqrt()), bounds=(0, 1))
    (found,) = cl.audit(model, x, attacks=cl.attack(model, x, budget="quick"))
    assert found.has("non_finite") and found.masked
    for options in ({"budget": 1000}, {"bound": "ball", "blocks": 4, "block_size": 64}):
        (score,) = cl.clever(model, x, **options)
        assert score.status is cl.Status.NON_FINITE


def test_a_backward_pass_that_raises_is_a_flag():
    class Raises(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, x: Tensor) -> Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: object, gradient: Tensor) -> Tensor:  # type: ignore[override]
            raise RuntimeError("no backward here")

    found = look_alone(lambda x: network()(Raises.apply(x)))
    assert found.has("no_gradient") and "no backward here" in str(found.flags[0].evidence["seen"])


@pytest.fixture(scope="module")
def score() -> cl.CleverScore:
    return cl.clever(Classifier(network(), bounds=(0, 1)), X, bound="ball", blocks=8, block_size=64)[0]


@pytest.fixture(scope="module")
def profile(witness: AttackResult) -> cl.ProfileScore:
    """Of the class that the witness has: the one whose gradients the audit looks at."""
    return cl.clever(Classifier(network(), bounds=(0, 1)), X, target=witness.predicted, budget="quick")[0]


@pytest.fixture(scope="module")
def witness() -> AttackResult:
    return cl.attack(Classifier(network(), bounds=(0, 1)), X)[0]


@pytest.mark.parametrize(
    ("code", "change", "severity"),
    [
        ("refuted", {"radius": 50.0}, Severity.ERROR),
        ("refuted", {"status": cl.Status.REFUTED}, Severity.ERROR),
        ("lipschitz_exceeded", {"lipschitz": 0.01}, Severity.INFO),
        ("at_radius", {"radius": 0.01, "ball_radius": 0.01, "status": cl.Status.AT_RADIUS}, Severity.INFO),
    ],
)
@pytest.mark.thinned(2)
def test_an_estimate_that_raises_it(code, change, severity, score: cl.CleverScore, witness: AttackResult):
    assert not look_at(network(), scores=[score], attacks=[witness]).has(code)
    found = look_at(network(), scores=[replace(score, **change)], attacks=[witness])
    assert [flag.severity for flag in found.flags if flag.code == code] == [severity]


@pytest.mark.thinned(4)
@pytest.mark.parametrize(
    ("code", "change", "severity"),
    [
        ("refuted", {"radius": 50.0}, Severity.ERROR),
        ("refuted", {"status": cl.Status.REFUTED, "excess": 1.5}, Severity.ERROR),
        ("cliff", {"rise": 2 * CLIFF_FACTOR}, Severity.INFO),
        ("at_radius", {"radius": 0.01, "ball_radius": 0.01, "status": cl.Status.AT_RADIUS}, Severity.INFO),
    ],
)
def test_a_profile_that_raises_it(code, change, severity, profile: cl.ProfileScore, witness: AttackResult):
    assert not look_at(network(), scores=[profile], attacks=[witness]).has(code)
    found = look_at(network(), scores=[replace(profile, **change)], attacks=[witness])
    assert [flag.severity for flag in found.flags if flag.code == code] == [severity]


def test_a_profile_whose_constants_are_too_small_is_exceeded_on_the_way(
    profile: cl.ProfileScore, witness: AttackResult
):
    reading = profile.by_norm
    assert reading is not None
    assert not look_at(network(), scores=[profile], attacks=[witness]).has("lipschitz_exceeded")
    half = replace(reading, values=tuple(0.5 * value for value in reading.values))
    found = look_at(network(), scores=[replace(profile, by_norm=half)], attacks=[witness])
    (flag,) = [flag for flag in found.flags if flag.code == "lipschitz_exceeded"]
    assert flag.evidence["gradient_norm"] > flag.evidence["estimate"] and flag.evidence["distance"] <= witness.distance


def test_a_fit_that_its_maxima_contradict(score: cl.CleverScore, witness: AttackResult):
    assert score.fit is not None
    for p_value, raised in ((0.6, False), (0.01, True)):
        fit = replace(score.fit, p_value=p_value, status="ok")
        assert look_at(network(), scores=[replace(score, fit=fit)], attacks=[witness]).has("poor_fit") is raised


def test_a_profile_rests_on_no_fit(profile: cl.ProfileScore, witness: AttackResult):
    assert profile.fit is not None
    poor = replace(profile, fit=replace(profile.fit, p_value=0.01))
    assert not look_at(network(), scores=[poor], attacks=[witness]).has("poor_fit")


@pytest.mark.parametrize(("factor", "raised"), [(1.5, False), (4.0, True), (math.inf, True)])
def test_attacks_that_disagree(factor: float, raised: bool, witness: AttackResult, score: cl.CleverScore):
    distances = {"ddn": witness.distance, "apgd": factor * witness.distance}
    found = look_at(network(), scores=[score], attacks=[replace(witness, distances=distances)])
    assert found.has("attack_spread") is raised


@pytest.mark.parametrize(("factor", "raised"), [(1.0, False), (30.0, True)])
def test_one_step_that_beats_many(factor: float, raised: bool):
    line = nn.Linear(DIMENSION, 2)
    line.weight.data = torch.stack([torch.ones(DIMENSION), torch.zeros(DIMENSION)])
    line.bias.data = torch.tensor([0.0, 2.0])
    (nearest,) = cl.attack(Classifier(line), X)
    told = replace(nearest, distances=dict.fromkeys(("ddn", "fast_minimum_norm"), factor * nearest.distance))
    found = cl.audit(Classifier(line), X, attacks=[told])[0]
    assert found.has("one_step_wins") is raised


@pytest.mark.parametrize(
    ("won", "radius", "raised"), [(True, 4.0, False), (False, 4.0, True), (False, 2.0, False), (True, 2.0, False)]
)
def test_a_budget_that_must_suffice(won: bool, radius: float, raised: bool):
    ledger = Ledger()
    judge_success(ledger, radius, won, nearest=1.0)
    assert (ledger.severity("budget") is Severity.WARNING) is raised


def descents(margins: list[float], reached: list[bool]) -> Ledger:
    ledger = Ledger()
    judge_descents(ledger, Traces(torch.ones(1), torch.tensor([margins]), torch.tensor([reached])))
    return ledger


def test_a_descent_that_was_cut_short():
    falling = [float(8 - step) for step in range(9)]
    assert descents(falling, [False] * 9).severity("incomplete") is Severity.INFO
    settled = [8.0, 4.0, 2.0, 1.0, 0.5, 0.4, 0.4, 0.4, 0.4]
    assert descents(settled, [False] * 9).severity("incomplete") is None
    assert descents(falling, [False] * 8 + [True]).severity("incomplete") is None  # it arrived
    assert descents([1.0] * 9, [False] * 9).severity("incomplete") is None  # it never moved: not its steps' fault


def test_a_witness_that_was_passed_by():
    margins = [3.0, 1.0, -1.0, 1.0, 2.0]
    assert descents(margins, [False, False, True, False, False]).severity("silent_success") is Severity.INFO
    assert descents(margins, [False, False, True, False, True]).severity("silent_success") is None
    assert descents(margins, [False] * 5).severity("silent_success") is None


def test_every_flag_is_raised_by_some_test_here():
    elsewhere = {"refuted", "lipschitz_exceeded", "cliff", "at_radius", "poor_fit", "attack_spread", "one_step_wins"}
    elsewhere |= {"reference_wins"}  # test_references.py
    assert set(MASKED) | elsewhere | {"incomplete", "silent_success"} | IN_BRACKETS == set(CHECKS)


def test_flags_are_sorted_and_plain():
    found = seen(STAIRS)
    ranks = [flag.severity.rank for flag in found.flags]
    assert ranks == sorted(ranks, reverse=True)
    record = found.as_record()
    assert record["worst"] == "error" and record["flags"][0]["meaning"] == found.flags[0].meaning


def test_a_misclassified_input_has_an_audit_without_flags():
    predicted = int(network()(X).argmax())
    found = look_at(network(), labels=[(predicted + 1) % CLASSES])
    assert found == Audit((), None, Cost())


def test_misuse_is_an_error():
    with pytest.raises(cl.ShapeError, match="scores: expected one per input"):
        look_at(network(), scores=[])


def test_the_same_seed_gives_the_same_audit(honest: Audit):
    again = look_alone(network())
    assert again.measured == honest.measured and again.integrals == honest.integrals


def test_a_case_and_its_margin():
    logits = torch.tensor([3.0, 1.0, 0.5])
    no: Any = None
    case = Case(no, X[0], "", logits, 0, 1, no, 2.0, 1.0, 1.0, no, no, X[:0], 0.0, 0)
    assert case.margin == 2.0


def with_unused(function: Any, value: float) -> Any:
    """The same network with one more class, which is never meant to be used."""
    return lambda x: torch.cat([function(x), torch.full_like(x[:, :1], value)], 1)


@pytest.mark.parametrize("code", ["batch_dependent", "precision", "saturated", "flat", "squashed", "probabilities"])
@pytest.mark.thinned(6)
def test_an_unused_class_hides_no_flag(code: str):
    assert look_at(with_unused(MASKED[code], -1e6)).has(code)


@pytest.mark.parametrize("value", [-1e9, -1e30, torch.finfo(torch.float32).min])
@pytest.mark.thinned(3)
def test_an_unused_class_moves_no_number(value: float):
    found = look_at(with_unused(MASKED["batch_dependent"], value))
    assert found.has("batch_dependent") and found.measured["batch_dependent"] > 0.1
    assert not look_at(with_unused(network(), value)).masked


SCALES = [1e-12, 1e-6, 1e6, 1e12]
BY_SIZE = {"saturated", "flat"}
"""Flags that are about the size of logits."""


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.thinned(4)
def test_no_scale_of_logits_or_inputs_makes_an_honest_network_masked(scale: float):
    line = nn.Linear(DIMENSION, CLASSES)
    line.weight.data = torch.randn(CLASSES, DIMENSION, generator=torch.Generator().manual_seed(3))
    for honest_one in (network(), line):
        for found in (
            look_at(lambda x, f=honest_one: scale * f(x)),
            *cl.audit(Classifier(lambda x, f=honest_one: f(x / scale), bounds=(0, scale)), scale * X),
        ):
            raised = {flag.code for flag in found.flags if flag.severity is not Severity.INFO}
            assert raised <= BY_SIZE


@pytest.mark.parametrize("norm", [1.0, 2.0, math.inf])
@pytest.mark.parametrize("share", [1e-3, 1e-5, 3e-6])
@pytest.mark.thinned(4)
def test_an_input_close_to_the_boundary_raises_nothing_but_precision(share: float, norm: float):
    model = Classifier(network(), bounds=(0, 1))
    witness = cl.attack(model, X)[0].adversarial
    assert witness is not None
    own, low, high = int(model.logits(X).argmax()), 0.0, 1.0
    for _ in range(30):
        middle = (low + high) / 2
        inside = int(model.logits(X + middle * (witness - X)).argmax()) == own
        low, high = (middle, high) if inside else (low, middle)
    close = X + low * (1 - share) * (witness - X)
    (found,) = cl.audit(model, close, [own], norm=norm)
    raised = {flag.code for flag in found.flags if flag.severity is not Severity.INFO}
    assert raised <= {"precision"}


def test_one_row_that_sums_to_one_is_no_sign_of_probabilities():
    (found,) = cl.audit(Classifier(nn.Identity(), bounds=(0, 1)), torch.tensor([[0.5001, 0.4999, 0.0]]))
    assert not found.has("probabilities") and not found.masked  # its nearest witness is 1e-4 away
    (found,) = cl.audit(Classifier(nn.Identity()), torch.tensor([[1.0, 0.0, 0.0]]))
    assert not found.has("probabilities")


def test_a_random_network_that_takes_its_prediction_back_ends_in_flags_and_not_in_a_division():
    model = Classifier(nn.Sequential(RandomDrop(0.6), network()), bounds=(0, 1))
    never = AttackResult(X[0], 0.0, True, 1, "ddn", Cost(), {"ddn": 0.0, "apgd": 0.3})
    (found,) = cl.audit(model, X, attacks=[never])
    assert found.has("random") and found.nearest == 0.0


def test_outputs_behind_a_steep_sigmoid_are_flagged_whatever_the_input():
    model = Classifier(lambda z: (200 * network()(z)).sigmoid(), bounds=(0, 1))
    x = torch.rand(2, DIMENSION, generator=torch.Generator().manual_seed(1))
    for found in cl.audit(model, x, attacks=cl.attack(model, x, budget="quick")):
        assert found.has("squashed") and found.masked


def test_gradients_of_any_length_that_point_one_way_are_not_rough():
    line = nn.Linear(DIMENSION, 2, bias=False)
    line.weight.data = 1e-13 * torch.tensor([[1.0, 2, 3, -1, 1, 2], [0, 0, 0, 0, 0, 0]])
    assert look_at(line).measured["rough_gradient"] == pytest.approx(1.0)


def test_a_gradient_across_the_segment_is_no_zero_gradient():
    model = Classifier(lambda x: torch.stack([x[:, 0], torch.zeros_like(x[:, 0])], 1))
    (found,) = cl.path_integrals(model, torch.zeros(1, 2), torch.tensor([[0.0, 1.0]]), predicted=0, target=1)
    assert found.zero == 0.0 and found.integral == 0.0
