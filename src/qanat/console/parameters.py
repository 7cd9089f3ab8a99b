"""What people type on the command line: sizes, money, months, names and addresses, admitted or refused with the cure (exit 2)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

import click
from click.core import ParameterSource

from qanat.printed import CONTROL
from qanat.units import format_amount, parse_money, parse_size

T = TypeVar("T")

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_CURRENCY: Final = re.compile(r"[A-Za-z]{3}")
_MONTH: Final = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")


class Read(click.ParamType[T], Generic[T]):
    """What a reader makes of the text; its ValueError is a usage error."""

    def __init__(self, name: str, read: Callable[[str], T]) -> None:
        self.name = name
        self._read = read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> T:
        if not isinstance(value, str):
            return value  # type: ignore[no-any-return]  # a default, as it is
        try:
            return self._read(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Number(click.FloatRange):
    """A number in a range; ``nan``, which compares with nothing, is in none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number: float = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value} is no number", param, ctx)
        return number


def _some(text: str) -> int:
    octets = parse_size(text)
    if not octets:
        raise ValueError(f"{text!r} is nothing: at least one octet")
    return octets


def _money(text: str) -> int:
    return parse_money(text, _chosen_currency())


def _paid(text: str) -> int:
    amount = _money(text)
    if not amount:
        raise ValueError(f"{text!r} is nothing: at least {format_amount(1, _chosen_currency())}")
    return amount


def _chosen_currency() -> str:
    """Return what ``CURRENCY`` was given: it is eager, and so read before any amount."""
    return str(click.get_current_context().params["currency"])


def _currency(text: str) -> str:
    if not _CURRENCY.fullmatch(text):
        raise ValueError(f"{text!r} is no currency: three letters, as in EUR (ISO 4217)")
    return text.upper()


def _password(text: str) -> str:
    if not 8 <= len(text) <= 256:
        raise ValueError(f"a password has 8 to 256 characters, not {len(text)}")
    return text


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError(
            f"{text!r} is no name: 1 to 64 letters (a to z), digits and . _ - @, the first a letter or digit"
        )
    return text


def _words(text: str) -> str:
    if not text.strip():
        raise ValueError("there is nothing to look for: type the beginning of a name or a number, or an identity code")
    return text


def _label(text: str) -> str:
    if CONTROL.search(text):
        raise ValueError(f"{text!r} has control characters: leave them out")
    return text


def _month(text: str) -> str:
    if not _MONTH.fullmatch(text):
        raise ValueError(f"{text!r} is no month: write it as 2026-11")
    return text


SIZE: Final = Read[int]("size", _some)
SIZE_OR_NONE: Final = Read[int]("size", parse_size)
MONEY: Final = Read[int]("amount", _money)
PAID: Final = Read[int]("amount", _paid)
PASSWORD: Final = Read[str]("password", _password)
NAME: Final = Read[str]("name", _name)
LABEL: Final = Read[str]("text", _label)
WORDS: Final = Read[str]("words", _words)
MONTH: Final = Read[str]("month", _month)

CURRENCY: Final = click.option(
    "--currency", type=Read[str]("currency", _currency), metavar="CODE", default="EUR", show_default=True, is_eager=True
)
"""What ``MONEY`` and ``PAID`` beside it are in."""
AFTER: Final = click.option("--after", default="", metavar="WHERE", help="Go on behind this, as the piece before said.")
"""Of a list in pieces; ``say_more`` says what to give it."""


def typed(parameter: str) -> bool:
    """Tell what was said from what is the default."""
    return click.get_current_context().get_parameter_source(parameter) is ParameterSource.COMMANDLINE


def refuse_pieces() -> None:
    """Refuse --limit and --after where a list comes whole, instead of passing them over."""
    refuse_typed("limit", "after", why="the list of one subscriber always comes whole")


def refuse_typed(*parameters: str, why: str) -> None:
    """Refuse options that mean nothing here, instead of passing them over. Raises UsageError for the first that was said."""
    for parameter in parameters:
        if typed(parameter):
            raise click.UsageError(f"{why}: leave --{parameter.replace('_', '-')} out.")
