"""Kinds of values that flags take, and text that is safe to print."""

from __future__ import annotations

import math
from typing import Any

import click
from click.shell_completion import CompletionItem

from clearance.errors import InputError
from clearance.model.budgets import BUDGETS, passes_of


class Interrupted(Exception):  # noqa: N818
    """Ctrl-C, with a word on what is kept and how to go on."""


def printable(text: str) -> str:
    r"""The text with everything that could drive a terminal replaced.

    >>> printable("cat\x1b[31m")
    'cat?[31m'
    """
    return "".join(character if character.isprintable() else "?" for character in text)


class OnceEach(click.Command):
    """A command that takes each flag with a list once: of `--norm 2 --norm inf` the first would be lost in silence."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does, once no list is there twice; of a flag with one value the last counts, as in every shell."""  # noqa: DOC501
        if not ctx.resilient_parsing:
            _, _, met = self.make_parser(ctx).parse_args(args=list(args))
            for flag in met:
                if isinstance(flag, click.Option) and "," in (flag.metavar or "") and met.count(flag) > 1:
                    got = f"got it {met.count(flag)} times"
                    raise click.UsageError(f"{flag.opts[0]}: expected once, with commas in its list, {got}")
        return super().parse_args(ctx, args)


class Completed:
    """A kind of value some of whose texts have names.

    Attributes:
        names: These names.
    """

    names: tuple[str, ...]

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem]:
        """The names, for a shell."""
        return [CompletionItem(name) for name in self.names if name.startswith(incomplete)]


class NormOf(Completed, click.ParamType[str]):
    """One of some norms, however it is written: `inf`, `linf`, `2`, `l2`.

    Args:
        *names: The norms, as they are handed on.
    """

    def __init__(self, *names: str) -> None:
        self.names, self.name = names, "|".join(names)

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The norm's own name."""
        from clearance.geometry.exponents import as_norm

        try:
            found = next((name for name in self.names if as_norm(name) == as_norm(str(value))), None)
        except InputError as error:
            self.fail(str(error).removeprefix("norm: "), param, ctx)
        if found is None:
            self.fail(f"expected {' or '.join(self.names)}, got {value!r}", param, ctx)
        return found


class NumberOr(click.ParamType[int | float | str]):
    """A number, or one word that stands for a choice of the program.

    Args:
        kind: `int` or `float`.
        word: The word.
    """

    def __init__(self, kind: type[int] | type[float], word: str) -> None:
        self.kind, self.word = kind, word
        self.name = f"{word}|{'N' if kind is int else 'R'}"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int | float | str:
        """The word, or the number that the text spells."""
        if value == self.word or not isinstance(value, str):
            return value  # pyright: ignore[reportReturnType]
        try:
            return self.kind(value)
        except ValueError:
            expected = "a whole number" if self.kind is int else "a number"
            self.fail(f"expected {expected} or '{self.word}', got {value!r}", param, ctx)


class BudgetType(Completed, click.ParamType[int | str]):
    """A named budget, or a number of passes."""

    names, name = tuple(BUDGETS), "|".join((*BUDGETS, "N"))

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        """The name, or the number that the text spells."""
        text = str(value)
        budget = int(text) if text.isascii() and text.isdigit() else text
        try:
            passes_of(budget)
        except InputError as error:
            self.fail(str(error).removeprefix("budget: "), param, ctx)
        return budget


class Numbers(click.ParamType[list[float]]):
    """One number, or several with commas: one per channel."""

    name = "x[,x,...]"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> list[float]:
        """The numbers that the text spells."""
        try:
            return [float(part) for part in str(value).split(",")]
        except ValueError:
            self.fail(f"expected numbers with commas between them, got {value!r}", param, ctx)


class Radius(click.ParamType[float]):
    """A radius: a number that is not negative, or a fraction of two such as 8/255."""

    name = "r|a/b"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number that the text spells."""
        above, bar, below = str(value).partition("/")
        try:
            radius = float(above) / float(below) if bar else float(above)
        except (ValueError, ZeroDivisionError):
            radius = math.nan
        if not 0 <= radius < math.inf:
            more = "; robust accuracy at several radii: clearance report RUN --at EPS,EPS" if "," in str(value) else ""
            self.fail(f"expected a number >= 0 or a fraction such as 8/255, got {value!r}{more}", param, ctx)
        return radius


class Radii(click.ParamType[list[float]]):
    """One radius, or several with commas: positive numbers, or fractions such as 8/255."""

    name = "r[,r...]"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> list[float]:
        """The numbers that the text spells."""
        radii = [Radius().convert(part, param, ctx) for part in str(value).split(",")]
        if 0 in radii:
            self.fail(f"expected numbers > 0 or fractions such as 8/255, with commas, got {value!r}", param, ctx)
        return radii


class PictureSize(click.ParamType[int | tuple[int, int]]):
    """A size of pictures: one number, or height and width."""

    name = "n|hxw"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int | tuple[int, int]:
        """The number or the two numbers that the text spells."""
        sides = str(value).lower().replace("×", "x").split("x")
        numbers = [int(side) for side in sides if side.isascii() and side.isdecimal() and len(side) < 7]
        if len(numbers) != len(sides) or len(sides) > 2 or 0 in numbers:
            self.fail(f"expected a size such as 224 or 224x320, got {value!r}", param, ctx)
        return numbers[0] if len(numbers) == 1 else (numbers[0], numbers[1])


class InputShape(click.ParamType[tuple[int, ...]]):
    """The shape of one input: whole numbers with commas."""

    name = "n[,n...]"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """The sizes that the text spells."""
        sides = str(value).split(",")
        sizes = [int(side) for side in sides if side.isascii() and side.isdecimal() and len(side) < 8]
        if len(sizes) != len(sides) or 0 in sizes:
            self.fail(f"expected sizes such as 3,224,224 or 30, got {value!r}", param, ctx)
        return tuple(sizes)


def as_argument(text: str) -> tuple[str, int | float | bool | str | None]:
    """A name and its value, from `NAME=VALUE`: a whole number, a number, True, False, None, or text.

    Raises:
        BadParameter: If there is no name, or no `=`.

    >>> as_argument("width=16"), as_argument("flat=True"), as_argument("kind=relu"), as_argument("rate=1e-3")
    (('width', 16), ('flat', True), ('kind', 'relu'), ('rate', 0.001))
    """
    name, separator, value = text.partition("=")
    if not (separator and name.isidentifier()):
        raise click.BadParameter(f"expected NAME=VALUE, got {text!r}")
    words: dict[str, bool | None] = {"true": True, "false": False, "none": None}
    if value.lower() in words:
        return name, words[value.lower()]
    for kind in (int, float):
        try:
            return name, kind(value)
        except ValueError:
            continue
    return name, value


class ModelArguments(click.ParamType[tuple[str, int | float | bool | str | None]]):
    """An argument for what makes a network, `NAME=VALUE`."""

    name = "NAME=VALUE"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int | float | bool | str | None]:
        """Name and value."""
        if isinstance(value, tuple):
            return value  # pyright: ignore
        try:
            return as_argument(str(value))
        except click.BadParameter as error:
            self.fail(error.message, param, ctx)


class ArchitectureArguments(ModelArguments):
    """An argument of an architecture, `NAME=VALUE`, where VALUE may be whole numbers with commas between them."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Name and value; several numbers as a tuple."""
        name, given = super().convert(value, param, ctx)
        parts = given.split(",") if isinstance(given, str) else []
        if len(parts) > 1 and all(part.strip().isdigit() for part in parts):
            return name, tuple(int(part) for part in parts)
        return name, given
