"""What people write into fields, read once: sizes, money, whole numbers. What can't be read is said with what can."""

from __future__ import annotations

from typing import Final, TypeVar

from qanat.server.http.views.plans import BalanceView
from qanat.server.web.api import Turned
from qanat.server.web.forms import bad
from qanat.server.web.visit import Visit
from qanat.units import parse_money, parse_size, sample_of_money

T = TypeVar("T")

_CURRENCY: Final = "EUR"


def text(visit: Visit, name: str) -> str:
    return visit.form.get(name, "").strip()


def size(visit: Visit, name: str) -> int | None:
    """Return octets, None for an empty field. Raises Turned."""
    written = text(visit, name)
    if not written:
        return None
    try:
        octets = parse_size(written)
    except ValueError as error:
        raise Turned(
            bad(
                name,
                visit.say("{text} is no amount of traffic.", text=repr(written[:40])),
                visit.say("Write it as 500MB, 1.5GB or 2GiB."),
            )
        ) from error
    return octets


def usual_currency(balance: BalanceView) -> str:
    """Return the currency of the subscriber's wallet, the first if there are several."""
    return next((wallet.currency for wallet in balance.wallets), _CURRENCY)


def currency(visit: Visit) -> str:
    return text(visit, "currency").upper() or _CURRENCY


def money(visit: Visit, name: str) -> int | None:
    """Return minor units of the form's currency, None for an empty field. Raises Turned."""
    written, unit = text(visit, name).replace(",", "."), currency(visit)
    if not written:
        return None
    try:
        return parse_money(written, unit)
    except ValueError as error:
        detail = visit.say("{text} is no amount of {currency}.", text=repr(written[:40]), currency=unit[:40])
        raise Turned(bad(name, detail, money_cure(visit))) from error


def money_cure(visit: Visit) -> str:
    return visit.say("Write it as in {amount}.", amount=sample_of_money(currency(visit)))


def whole(visit: Visit, name: str, otherwise: T) -> int | T:
    """Return a whole number, or what an empty field means. Raises Turned."""
    written = text(visit, name)
    if not written:
        return otherwise
    if not written.isdecimal() or len(written) > 15:
        detail = visit.say("{text} is no whole number.", text=repr(written[:40]))
        raise Turned(bad(name, detail, visit.say("Write digits only.")))
    return int(written)


def chosen_size(visit: Visit) -> int:
    """Return what was tapped, or what was written instead. Raises Turned."""
    octets = size(visit, "other") or size(visit, "octets")
    if octets:
        return octets
    raise Turned(bad("other", visit.say("Say how much."), visit.say("Write it as 500MB, 1.5GB or 2GiB.")))
