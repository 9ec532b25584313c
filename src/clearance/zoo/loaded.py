"""What a reader of a model spec is asked for, and what it gives back."""

from __future__ import annotations

import importlib
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from clearance.errors import InputError

if TYPE_CHECKING:  # what is asked for is checked before torch is imported
    from torch import nn

ModelArgument = int | float | bool | str | None
"""A value of `--model-args`."""


@dataclass(frozen=True)
class LoadedNetwork:
    """A network and what is known about it.

    Attributes:
        network: In evaluation mode, on the CPU.
        name: What it is called in results: the spec as it was given.
        bounds: The valid range of an input; `None` where it is not known.
        weights: The file or folder that its values came from; `None` where the factory made them.
        metadata: The header of the weights file: text by name.
        input_shape: Shape of one input; `None` where it is not known.
        preprocessing: What happens to an input before the network, such as a normalisation; `None` for nothing.
        image_size: How images are resized before they become inputs: the length of the shorter side, or exactly
            `(height, width)`; `None` where it is not known.
        crop: Height and width of the centre that is cut out afterwards; `None` for all of it.
        class_names: A name for each class; empty where there are none.
        feature_names: A name for each feature, in the order that the network takes them; empty where there are none.
        notes: Sentences for a person, such as how far the network is from the file's own answers.
    """

    network: nn.Module
    name: str
    bounds: tuple[float, float] | None = None
    weights: Path | None = None
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    input_shape: tuple[int, ...] | None = None
    preprocessing: nn.Module | None = None
    image_size: int | tuple[int, int] | None = None
    crop: tuple[int, int] | None = None
    class_names: tuple[str, ...] = ()
    feature_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModelRequest:
    """A model spec and the options that came with it.

    Attributes:
        spec: As it was given.
        rest: What follows the spec's prefix, or the spec itself where its kind has none.
        weights: File with the values of the network.
        arguments: Arguments for what makes the network.
        trust_pickle: Whether a file that can run code may do so.
    """

    spec: str
    rest: str
    weights: Path | None = None
    arguments: Mapping[str, ModelArgument] = field(default_factory=dict[str, ModelArgument])
    trust_pickle: bool = False

    @property
    def path(self) -> Path:
        """The file or folder that the spec names."""
        return Path(self.rest)

    def refuse_weights(self) -> None:
        """Raise if a file of weights was given.

        Raises:
            InputError: If it was: the spec brings its own values.
        """
        if self.weights is not None:
            raise InputError(f"weights: {self.spec} has its own, got {self.weights}; name a factory, FILE.py:FACTORY")

    def accept_arguments(self, *known: str) -> None:
        """Raise if there is an argument of another name.

        Args:
            *known: Names that the kind of spec takes.

        Raises:
            InputError: If there is.
        """
        unknown = [name for name in self.arguments if name not in known]
        if unknown:
            expected = f"expected {' or '.join(known)}" if known else f"{self.spec} takes none"
            raise InputError(f"model-args: {expected}, got {', '.join(unknown)}")


def one_line(error: BaseException) -> str:
    """The kind and the text of an error in one line of at most 300 characters.

    >>> one_line(KeyError("no"))
    "KeyError: 'no'"
    """
    said = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return said if len(said) <= 300 else f"{said[:297]}..."


@contextmanager
def methods_of_modules_kept() -> Generator[None]:
    """Take away what loading a network adds to `nn.Module`, the class of all modules.

    transformers gives it a method for its own initialisation, `smart_apply`, when it makes a network, and leaves it
    there. Certificates refuse modules with methods that are not torch's, and would refuse every network from then on.
    """
    from torch import nn

    before = set(vars(nn.Module))
    try:
        yield
    finally:
        for name in set(vars(nn.Module)) - before:
            delattr(nn.Module, name)


def bring(module: str, *, extra: str | None, spec: str) -> ModuleType:
    """Import a package that a kind of spec needs and the core does not.

    Args:
        module: The module.
        extra: The extra of this package that installs it; `None` where there is none.
        spec: What needs it, for the message.

    Returns:
        The module.

    Raises:
        InputError: If it is not installed, or does not import here.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        found = str(error.name or package).partition(".")[0]
        way = f"pip install 'clearance[{extra}]'" if extra else f"pip install {package}"
        raise InputError(f"model: {spec} needs {found}, which is not installed: {way}") from error
    except Exception as error:
        raise InputError(f"model: {spec} needs {module}, {import_failure(error)}") from error


def import_failure(error: BaseException) -> str:
    """Why an import fails, in words: most often torchvision, of which each release is built for one release of torch.

    Args:
        error: What was raised; the cause may stand behind it.

    Returns:
        What follows "it needs a package, ".
    """
    chain = [error]
    while (behind := chain[-1].__cause__ or chain[-1].__context__) is not None and behind not in chain:
        chain.append(behind)
    found = next((each for each in chain if "torchvision" in str(each)), None)
    if found is None:
        return f"which does not import here ({one_line(error)})"
    import torch

    return (
        f"which imports torchvision, and the one that is installed does not go with torch {torch.__version__} "
        f"({one_line(found)}); install the torchvision of that torch"
    )
