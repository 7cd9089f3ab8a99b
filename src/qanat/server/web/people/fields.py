"""What people write into fields, read once: sizes, money, times. What can't be read is said with what can."""

from __future__ import annotations

from qanat.server.web.api import Turned
from qanat.server.web.forms import bad
from qanat.server.web.visit import Visit
from qanat.units import parse_money, parse_size


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


def sum_of_money(visit: Visit, name: str) -> int | None:
    """Return minor units, None for an empty field. Raises Turned."""
    written = text(visit, name).replace(",", ".")
    if not written:
        return None
    try:
        return parse_money(written)
    except ValueError as error:
        raise Turned(
            bad(
                name,
                visit.say("{text} is no amount of money.", text=repr(written[:40])),
                visit.say("Write it as 10 or 9.90."),
            )
        ) from error


def hours(visit: Visit, name: str) -> int | None:
    """Return how many hours something is to stand; None is without end."""
    written = text(visit, name)
    return int(written) if written.isdigit() and int(written[:6]) > 0 else None


def chosen_size(visit: Visit) -> int:
    """Return what was tapped, or what was written instead. Raises Turned."""
    octets = size(visit, "other") or size(visit, "octets")
    if octets:
        return octets
    raise Turned(bad("other", visit.say("Say how much."), visit.say("Write it as 500MB, 1.5GB or 2GiB.")))
