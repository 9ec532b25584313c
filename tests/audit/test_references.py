"""Lines to inputs of other classes: the right crossing of each path, and what they say where gradients mislead."""

import math

import pytest
import torch
from torch import Tensor

import clearance as cl
from clearance.audit.references import SPARSE_BELOW, clipped, nearest_on_lines, sparse, straight
from clearance.model.classifier import Classifier
from clearance.model.inputs import CheckedInputs, prepare

NORMS = (1.0, 1.5, 2.0, 4.0, math.inf)
X, OTHER = torch.tensor([[0.2, 0.6, 0.1, 0.3]]), torch.tensor([[0.9, 0.7, 0.1, 0.9]])


def line(x: Tensor) -> Tensor:
    """Class 1 where the values sum to more than 2."""
    return torch.stack([torch.full_like(x[:, 0], 2.0), x.sum(1)], 1)


def misled(x: Tensor) -> Tensor:
    """The same values, the opposite gradient."""
    return line(2 * x.detach() - x)


def prepared(function: object, norm: float, **options: object) -> CheckedInputs:
    chosen = {"target": "untargeted", "norm": norm, "seed": 0, **options}
    return prepare(Classifier(function, bounds=(0, 1)), X, None, **chosen)  # type: ignore[arg-type]


def test_the_paths_end_at_the_reference_and_keep_what_they_promise():
    way = OTHER - X
    for path in (straight, clipped, sparse):
        assert torch.equal(path(way, torch.ones(1)), way)
        assert torch.equal(path(way, torch.zeros(1)), torch.zeros_like(way))
    half = torch.tensor([0.5])
    assert torch.allclose(straight(way, half), way / 2)
    assert torch.allclose(clipped(way, half), way.clamp(-0.35, 0.35))  # half of the largest coordinate, .7
    assert torch.allclose(sparse(way, half), torch.tensor([[0.7, 0.0, 0.0, 0.6]]))  # the two largest of four


@pytest.mark.parametrize("norm", NORMS)
def test_a_witness_no_farther_than_where_the_straight_line_crosses(norm: float):
    found = nearest_on_lines(prepared(line, norm), OTHER)
    way = OTHER - X
    crossing = (2.0 - float(X.sum())) / float(way.sum())  # of the way: the sum grows along it
    on_straight = crossing * float(torch.linalg.vector_norm(way, norm))
    exact = (2.0 - float(X.sum())) / (4 ** (1 - 1 / norm) if math.isfinite(norm) else 4.0)  # Hölder
    assert found.compared <= on_straight * 1.001 or norm < SPARSE_BELOW
    assert found.compared == pytest.approx(on_straight, rel=1e-3) or norm >= SPARSE_BELOW
    assert exact <= float(found.witness.distance[0]) <= on_straight * 1.001
    assert bool((line(found.witness.adversarial).argmax(1) == 1).all())


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.thinned(3)
def test_a_gradient_that_leads_away_is_found_out(norm: float):
    model = Classifier(misled, bounds=(0, 1))
    (found,) = cl.audit(model, X, norm=norm, references=OTHER)
    assert found.has("reference_wins") and found.masked
    (flag,) = [flag for flag in found.flags if flag.code == "reference_wins"]
    assert flag.evidence["gradient_distance"] == math.inf and found.measured["reference_wins"] == 0.0
    assert found.nearest < math.inf and int(misled(found.witness[None]).argmax()) == 1  # type: ignore[index]


@pytest.mark.parametrize("norm", NORMS)
def test_honest_gradients_are_nearer_than_any_line(norm: float):
    (found,) = cl.audit(Classifier(line, bounds=(0, 1)), X, norm=norm, references=OTHER)
    assert not found.has("reference_wins") and found.measured["reference_wins"] >= 1 - 1e-3


def test_a_bracket_takes_the_nearer_witness_and_refutes_an_estimate_above_it():
    model = Classifier(misled, bounds=(0, 1))
    (found,) = cl.bracket(model, X, references=OTHER, certificate="none", budget=1500)
    assert found.attacked.success and found.attacked.distance <= float((OTHER - X).norm())
    assert found.status in {cl.Status.MASKED, cl.Status.REFUTED}


@pytest.mark.parametrize("references", [torch.zeros(0, 4), X, torch.zeros(3, 4)], ids=["none", "itself", "own class"])
def test_without_a_reference_of_another_class_nothing_is_done(references: Tensor):
    inputs = prepared(line, 2.0)
    found = nearest_on_lines(inputs, references)
    assert not bool(found.witness.success[0]) and found.compared == math.inf and len(found.ends) == 0
    (audited,) = cl.audit(Classifier(line, bounds=(0, 1)), X, references=references)
    assert "reference_wins" not in audited.measured and not audited.masked


def test_a_network_that_takes_no_empty_batch_is_audited_alone():
    def network(x: Tensor) -> Tensor:
        return line(x.view(len(x), 2, -1).flatten(1))  # of no input, torch cannot tell the last side

    with pytest.raises(RuntimeError, match="cannot reshape tensor of 0 elements"):
        network(X[:0])
    model = cl.Classifier(network, bounds=(0, 1))
    assert cl.audit(model, X)[0].masked is False
    assert cl.bracket(model, X, budget=1500)[0].status is cl.Status.OK


def test_the_other_inputs_of_the_call_are_the_references_unless_others_are_given():
    model = Classifier(misled, bounds=(0, 1))
    alone, (together, _) = cl.audit(model, X)[0], cl.audit(model, torch.cat([X, OTHER]))
    assert not alone.has("reference_wins") and together.has("reference_wins")
    given = [cl.audit(model, x, references=OTHER)[0].measured for x in (X, torch.cat([X, OTHER]))]
    assert given[0] == given[1]


def test_targeted_only_references_of_the_target_count():
    def three(x: Tensor) -> Tensor:
        return torch.cat([line(x), x[:, :1] * 0 - 5.0], 1)

    assert len(nearest_on_lines(prepared(three, 2.0, target=1), OTHER).ends) == 1
    assert len(nearest_on_lines(prepared(three, 2.0, target=2), OTHER).ends) == 0


def test_logits_that_are_not_finite_are_no_witness():
    def broken(x: Tensor) -> Tensor:
        return line(x).masked_fill((x.sum(1) > 2)[:, None], torch.nan)

    found = nearest_on_lines(prepared(broken, 2.0), OTHER)
    assert not bool(found.witness.success[0])


def test_a_random_network_gives_only_what_several_passes_confirm():
    draws = torch.Generator().manual_seed(0)

    def noisy(x: Tensor) -> Tensor:
        return line(x) + 3 * torch.randn(len(x), 2, generator=draws)

    found = nearest_on_lines(
        prepared(noisy, 2.0, target=1) if int(noisy(X).argmax()) == 0 else prepared(line, 2.0), OTHER
    )
    assert not bool(found.witness.success[0]) or float(found.witness.distance[0]) > 0


def test_references_of_another_shape_are_an_error():
    with pytest.raises(cl.ShapeError, match="references: expected inputs of shape"):
        cl.audit(Classifier(line, bounds=(0, 1)), X, references=torch.zeros(2, 5))


@pytest.mark.parametrize("norm", [1.5, 2.0, math.inf])
@pytest.mark.parametrize("budget", ["quick", "standard"])
def test_a_linear_network_whose_features_have_units_of_their_own_is_not_called_masked(norm: float, budget: str):
    network = torch.nn.Linear(2, 2).double()
    with torch.no_grad():
        network.weight.copy_(torch.tensor([[-0.5, -1e-5], [0.0, 0.0]]))
        network.bias.copy_(torch.tensor([0.6, 0.0]))
    ends = torch.tensor([1.0, 1e5], dtype=torch.float64)  # a share beside euros: only these can reach the boundary
    model = cl.Classifier(network, bounds=(0 * ends, ends))
    (found,) = cl.audit(model, 0 * ends[None], references=ends[None], norm=norm, budget=budget)
    assert not found.masked, found.flags
    assert found.has("unbounded_fails") or found.has("attack_spread")  # and that an attack failed is told


@pytest.mark.parametrize("norm", [2.0, math.inf])
@pytest.mark.parametrize("budget", ["quick", "standard"])
@pytest.mark.parametrize("mask", ["reversed", "rounded", "saturated"])
def test_a_mask_over_features_with_units_of_their_own_is_seen(norm: float, budget: str, mask: str):
    ends = torch.tensor([1.0, 1e5], dtype=torch.float32)

    def margin(x: Tensor) -> Tensor:
        return 0.6 - 0.5 * (x / ends)[:, 0] - (x / ends)[:, 1]

    def masked(x: Tensor) -> Tensor:
        if mask == "reversed":
            value = margin(2 * x.detach() - x)
        elif mask == "rounded":
            value = margin((x / ends * 8).round() / 8 * ends)
        else:
            value = (400 * margin(x)).sigmoid() - 0.5
        return torch.stack([value, torch.zeros_like(value)], 1)

    x = (0.05 * ends)[None]
    (found,) = cl.audit(
        cl.Classifier(masked, bounds=(0 * ends, ends)), x, references=ends[None], norm=norm, budget=budget
    )
    assert found.masked, found.flags
