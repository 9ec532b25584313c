"""The sequence of stages: what it names exists, and every loss is tried within the standard budget."""

from itertools import islice

import pytest

from attack_cases import INF
from clearance.attacks.radius_stages import MINIMUM, ROUND, minimum_for, sequence
from clearance.attacks.survivors import LOSSES
from clearance.attacks.table import ATTACKS

each_norm = pytest.mark.parametrize("norm", [1.0, 1.5, 2.0, INF])


@each_norm
def test_every_method_has_a_line_of_the_table_and_every_loss_a_function(norm: float):
    stages = list(islice(sequence(norm), 5 * ROUND))
    assert {stage.method for stage in stages} - {MINIMUM} <= set(ATTACKS)
    assert {stage.loss for stage in stages if stage.method == "apgd"} - {None} == set(LOSSES)
    assert ATTACKS[minimum_for(norm)].is_for(norm)


@each_norm
def test_no_loss_is_chosen_by_what_it_did_before_each_has_done_something(norm: float):
    losses = [stage.loss for stage in islice(sequence(norm), 5 * ROUND) if stage.method == "apgd"]
    assert set(losses[: losses.index(None)]) == set(LOSSES)


@each_norm
def test_from_the_end_of_the_first_stages_on_it_repeats(norm: float):
    stages = list(islice(sequence(norm), 6 * ROUND))
    assert stages[-ROUND:] == stages[-2 * ROUND : -ROUND]
