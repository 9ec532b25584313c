"""Whether data are what a model takes: its features in their order, its classes by their names."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from clearance.data.class_names import list_names
from clearance.data.dataset import Source
from clearance.data.features import LABEL_TAKEN
from clearance.errors import InputError
from clearance.records import count
from clearance.zoo.loaded import LoadedNetwork


def check_features(network: LoadedNetwork, source: Source, place: str) -> None:
    """Raise where the columns of a table are not the features that a model was trained on.

    Args:
        network: The model, and what it knows of its features: their names, or how many there are.
        source: The data.
        place: What the user called them, for messages.

    Raises:
        InputError: If the table has another number of features, others, or the same in another order.
    """
    names, known, shape = source.feature_names, network.feature_names, network.input_shape or ()
    taken = len(known) or (shape[0] if len(shape) == 1 else 0)
    differs = _first(known, names) if known and names != known else ""
    if names and taken and len(names) != taken:
        wanted, more = count(taken, "feature"), f": {differs}" if differs else ""
        got = f"{len(names)}{more}{_guessed(source)}"
        raise InputError(f"{place}: expected {wanted}, which {network.name} takes, got {got}")
    if names and differs:
        raise InputError(f"{place}: expected the features of {network.name} in its order, got {differs}")


def _guessed(source: Source) -> str:
    """Which column was taken for the label, where nobody named it: it may be a feature."""
    return "".join(f"; {note}" for note in source.notes if note.startswith(LABEL_TAKEN))


def _first(known: Sequence[str], names: Sequence[str]) -> str:
    """The first place at which two lists of names differ, in words.

    >>> _first(["age", "income"], ["income", "age"]), _first(["age", "income"], ["age"])
    ("'income' at place 1, where it has 'age'", "nothing at place 2, where it has 'income'")
    """
    pairs = enumerate(zip_longest(known, names), 1)
    place, (wanted, found) = next((place, pair) for place, pair in pairs if pair[0] != pair[1])
    one, two = ("nothing" if name is None else repr(name[:60]) for name in (found, wanted))
    return f"{one} at place {place}, where it has {two}"


def replaced_classes(network: LoadedNetwork, given: Sequence[str]) -> tuple[str, ...]:
    """A note where class names were given that are not the model's own; empty for nothing to say.

    Args:
        network: The model.
        given: The names that were given; empty for none.

    Returns:
        At most one sentence.
    """
    own = network.class_names
    if not given or not own or tuple(given) == own:
        return ()
    return (f"class-names: {list_names(given)}, in place of those that {network.name} has: {list_names(own)}",)


def other_number_of_classes(source: str, names: Sequence[str], outputs: int) -> str:
    """What a person should know where data name more or fewer classes than a model has outputs.

    Args:
        source: What the data are called.
        names: Their classes; empty where they have no names.
        outputs: How many outputs the model has.

    Returns:
        A sentence; empty for nothing to say.

    >>> other_number_of_classes("x", ["cat", "owl"], 3)
    "x has 2 classes, the model 3 outputs: output 0 is taken as 'cat', output 1 as 'owl' (--class-names says otherwise)"
    """
    if not names or len(names) == outputs:
        return ""
    last = min(len(names), outputs) - 1
    between = ", ..." if last > 1 else ""
    taken = f"output 0 is taken as {names[0][:60]!r}{between}, output {last} as {names[last][:60]!r}"
    has = count(len(names), "class", "classes")
    return f"{source} has {has}, the model {outputs} outputs: {taken} (--class-names says otherwise)"
