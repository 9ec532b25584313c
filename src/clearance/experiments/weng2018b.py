"""Weng et al. (2018b), "On Extensions of CLEVER", tables 1 to 3: first against second order on a 7-layer tanh CNN.

The network is the seven-layer CNN of `zoo.networks` with tanh, and with average pooling, because max pooling is not
twice differentiable; the package has one for CIFAR-10. Scores: uniform samples, as many for both orders, in `l_2`. The
distortion is that of Carlini and Wagner's attack. The paper does not say which ball it sampled: 5 is the radius of the
first paper.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass

from torch import Tensor, nn

from clearance.attacks import carlini_wagner, make_goal
from clearance.estimates.clever import clever
from clearance.estimates.settings import PAPER, BallOptions
from clearance.experiments.fronts import known
from clearance.experiments.outcome import Cell, Finding, PaperTable, Reproduction
from clearance.experiments.session import Session
from clearance.experiments.trained import Recipe, trained
from clearance.experiments.weng2018.scores import PAPER_RADIUS, PAPER_TARGETS
from clearance.model.classifier import Classifier
from clearance.model.inputs import prepare
from clearance.runs.fingerprint import fingerprint
from clearance.zoo.networks import seven_layer_cnn
from clearance.zoo.specs import load_model
from clearance.zoo.table import BUNDLED


@dataclass(frozen=True)
class PaperNumbers:
    """One of the paper's tables, first order before second.

    Attributes:
        number: Of the table.
        score: Average score.
        larger: Per cent of the images where this order's score is the larger one.
        increase: By how many per cent it then is larger, on average.
        attacked: Average distortion of Carlini and Wagner's attack.
    """

    number: int
    score: tuple[float, float]
    larger: tuple[int, int]
    increase: tuple[int, int]
    attacked: float


ORDER_TABLES = dict(
    zip(
        PAPER_TARGETS,
        (
            PaperNumbers(1, (0.057, 0.051), (54, 46), (47, 44), 0.310),
            PaperNumbers(3, (0.049, 0.036), (76, 24), (55, 68), 0.264),
            PaperNumbers(2, (0.024, 0.026), (18, 82), (77, 58), 0.101),
        ),
        strict=True,
    )
)
"""Target -> the paper's table for it."""
ORDERS = ("1st order", "2nd order")
CLOSE = 0.5
"""How far the averages of both orders may lie apart, as a share of the larger: the paper's are 27 % apart at most."""
TANH_EPOCHS = 6
"""Passes over the training inputs, where the package has no network: enough for 80 % of the digits."""


@dataclass(frozen=True)
class SecondOrderCounts:
    """How much is measured.

    Attributes:
        data: The data set.
        channels: Of the two blocks of a network that is trained here.
        hidden: Width of its two hidden layers.
        inputs: Inputs that are scored against each target.
        blocks: Blocks of samples.
        block_size: Samples in a block.
        searches: Constants that Carlini and Wagner's attack tries.
        steps: Iterations for each of them.
        budget: Of profile and nearest witness.
        time_limit: Seconds for each certificate.
    """

    data: str
    channels: tuple[int, int]
    hidden: int
    inputs: int
    blocks: int
    block_size: int
    searches: int
    steps: int
    budget: str | int
    time_limit: float


SECOND_ORDER_SCALES = {
    "tiny": SecondOrderCounts("digits", (4, 8), 32, 2, 5, 8, 4, 30, 400, 0.3),
    "small": SecondOrderCounts("cifar10", (32, 64), 200, 8, 20, 20, 9, 100, "quick", 5.0),
    "paper": SecondOrderCounts("cifar10", (64, 128), 256, 100, 100, 200, 9, 1000, "standard", 60.0),
}
"""Counts for each scale: `paper` has the paper's 100 images and 100 blocks of 200 points."""


@dataclass(frozen=True)
class OrdersRow:
    """One input and one target.

    Attributes:
        first: First-order score; NaN where it has no number.
        second: Second-order score.
        attacked: Distortion of Carlini and Wagner's attack.
        profile: The estimate by the Lipschitz profile.
        witness: The nearest witness of the ensemble.
        proved: The certified radius, 0 where nothing is proved.
    """

    first: float
    second: float
    attacked: float
    profile: float
    witness: float
    proved: float

    @property
    def scores(self) -> tuple[float, float]:
        """Both scores."""
        return self.first, self.second

    @property
    def whole(self) -> bool:
        """Whether both scores have a number and the attack found a witness."""
        return all(math.isfinite(value) for value in (*self.scores, self.attacked))


def weng2018b(session: Session) -> Reproduction:
    """Tables 1 to 3: first and second order, the attack, and beside them profile, witness and proof.

    Args:
        session: Scale, seed, data and journal.

    Returns:
        The tables, and what is found.
    """
    counts = SECOND_ORDER_SCALES[session.scale.value]
    model, x, network = _subject(session, counts)
    rows = {target: _rows(session, counts, model, x, target) for target in ORDER_TABLES}
    tables = [_paper_table(target, rows[target]) for target in ORDER_TABLES]
    said = (
        f"7-layer tanh CNN {network}; {len(x)} inputs (the paper: 100), {counts.blocks} × {counts.block_size} uniform "
        f"samples (the paper: 100 × 200) in the ball of radius {PAPER_RADIUS:g} (the paper gives none)."
    )
    tables.sort(key=lambda table: table.title)
    return Reproduction((*tables, _known_table(rows)), findings=_findings(rows), settings=(said,))


def _subject(session: Session, counts: SecondOrderCounts) -> tuple[Classifier, Tensor, str]:
    """The network, the first inputs that it classifies correctly, and what it is."""
    test, name = session.data(counts.data), f"{counts.data}-tanh"
    if name in BUNDLED:
        network, origin = load_model(name).network, f"{name}, which comes with the package"
    else:
        network, origin = _trained(session, counts, name), f"{name}, trained here"
    model = Classifier(network, bounds=(0, 1))
    right = model.logits(test.images).argmax(1) == test.labels
    chosen = test.images[right.nonzero().flatten()[: counts.inputs]]
    accuracy = 100 * float(right.double().mean())
    return model, chosen, f"{origin}: test accuracy {accuracy:.1f} % (the paper's: 72.6 %)"


def _trained(session: Session, counts: SecondOrderCounts, name: str) -> nn.Module:
    """The network, trained on the training inputs."""
    training = session.data(counts.data, train=True)
    first, height, width = training.images.shape[1:]
    shape, sizes = (first, height, width), counts.channels
    network = seven_layer_cnn(
        shape, 10, activation="tanh", pooling="average", channels=sizes, hidden=counts.hidden, seed=session.seed
    )
    return trained(session, network, training.images, training.labels, Recipe(name, TANH_EPOCHS, 64))


def _rows(session: Session, counts: SecondOrderCounts, model: Classifier, x: Tensor, target: str) -> list[OrdersRow]:
    """Every input against one target, each in the journal."""
    options: BallOptions = {**PAPER, "blocks": counts.blocks, "block_size": counts.block_size, "seed": session.seed}
    targets = prepare(model, x, None, target=target, norm=2, seed=session.seed).targets
    rows: list[OrdersRow] = []
    digest = fingerprint(model.network)
    for place, row in enumerate(x.split(1)):

        def compute(place: int = place, row: Tensor = row) -> list[float]:
            session.say(f"{target} {place + 1} of {len(x)}")
            chosen = list(targets[place])
            (first,) = clever(model, row, target=chosen, order=1, **options)
            (second,) = clever(model, row, target=chosen, order=2, **options)
            goal = make_goal(model.logits(row).argmax(1), [chosen], model.logits(row).shape[1])
            attacked = carlini_wagner(model, row, goal, searches=counts.searches, steps=counts.steps)
            (one,) = known(model, row, chosen, budget=counts.budget, time_limit=counts.time_limit, seed=session.seed)
            scores = [score.radius if score.status.has_number else math.nan for score in (first, second)]
            cw = float(attacked.distance)
            return [*scores, cw, one.profile, min(one.witness, cw), one.proved]

        rows.append(OrdersRow(*session.journal.measured((digest, target, place), compute)))
    return rows


def _paper_table(target: str, rows: list[OrdersRow]) -> PaperTable:
    """One of the paper's tables, with a column for the paper's and ours of each order."""
    paper, both = ORDER_TABLES[target], [row for row in rows if row.whole]
    ours = summary(both)
    titles = ("average l2 CLEVER", "% of images with the larger score", "average % of increase on the score")
    theirs = (paper.score, paper.larger, paper.increase)
    cells: list[tuple[Cell, ...]] = [
        (title, published[0], own[0], published[1], own[1])
        for title, published, own in zip(titles, theirs, ours, strict=True)
    ]
    cw = statistics.mean(row.attacked for row in both)
    cells.append(("average distortion of Carlini and Wagner's attack", paper.attacked, cw, paper.attacked, cw))
    columns = ("", f"{ORDERS[0]}: paper", f"{ORDERS[0]}: here", f"{ORDERS[1]}: paper", f"{ORDERS[1]}: here")
    note = (
        f"{len(both)} of {len(rows)} inputs have both scores. The paper's distances are of another network: orders and "
        "ratios are what can be compared."
    )
    return PaperTable(f"Table {paper.number}: {target} target", columns, tuple(cells), note)


def summary(rows: list[OrdersRow]) -> tuple[tuple[float, float], tuple[float, float], tuple[float, float]]:
    """What the paper's tables say of each order: average score, share of images where it is larger, average increase.

    Args:
        rows: Inputs with both scores.

    Returns:
        Three pairs, first order before second; an increase is NaN where the order is never the larger one.
    """
    larger = [[row for row in rows if row.scores[order] > row.scores[1 - order]] for order in (0, 1)]
    gains = [[100 * (row.scores[k] / row.scores[1 - k] - 1) for row in larger[k]] for k in (0, 1)]
    means = [statistics.mean(row.scores[k] for row in rows) for k in (0, 1)]
    shares = [100 * len(larger[k]) / len(rows) for k in (0, 1)]
    increases = [statistics.mean(gain) if gain else math.nan for gain in gains]
    return (means[0], means[1]), (shares[0], shares[1]), (increases[0], increases[1])


def _known_table(rows: dict[str, list[OrdersRow]]) -> PaperTable:
    """What the paper's method said of each input, and what is known of it now."""
    columns = (
        "target",
        "input",
        "proved",
        "1st order",
        "2nd order",
        "profile",
        "nearest witness",
        "Carlini and Wagner",
    )
    cells = tuple(
        (target, str(place), row.proved, row.first, row.second, row.profile, row.witness, row.attacked)
        for target, found in rows.items()
        for place, row in enumerate(found)
    )
    above = sum(score > row.witness for found in rows.values() for row in found for score in row.scores)
    note = f"{above} of {2 * len(cells)} scores lie above the nearest witness, and are refuted by it."
    return PaperTable("What is known now of each input", columns, cells, note)


def _findings(rows: dict[str, list[OrdersRow]]) -> tuple[Finding, ...]:
    """What the paper says of its tables."""
    means = {
        target: (*summary(whole)[0], statistics.mean(row.attacked for row in whole))
        for target, found in rows.items()
        if (whole := [row for row in found if row.whole])
    }
    every = [row for found in rows.values() for row in found if row.whole]
    larger = summary(every)[1]
    return (
        Finding(
            "The averages of both orders lie below the average distortion of the attack, for every target",
            all(max(first, second) < cw for first, second, cw in means.values()),
            "; ".join(f"{target} {a:.3g} and {b:.3g} < {cw:.3g}" for target, (a, b, cw) in means.items()),
        ),
        Finding(
            f"The averages of both orders are close: the smaller at least {1 - CLOSE:g} of the larger",
            all(min(first, second) >= (1 - CLOSE) * max(first, second) for first, second, _ in means.values()),
            ", ".join(f"{target} {min(a, b) / max(a, b):.2f}" for target, (a, b, _) in means.items()),
        ),
        Finding(
            "Neither order is always the larger one",
            min(larger) > 0,
            f"first order {larger[0]:.0f} %, second order {larger[1]:.0f} % of {len(every)} inputs and targets",
        ),
        Finding(
            "Nothing that is proved lies above a witness",
            all(row.proved <= row.witness for found in rows.values() for row in found),
            f"{sum(row.proved > 0 for found in rows.values() for row in found)} proofs",
        ),
    )
