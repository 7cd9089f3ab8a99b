"""What each face offers, in the order in which people look for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from qanat.refusals import Refusal
from qanat.registry.access import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    path: str
    label: str
    """An English sentence of the catalogue."""
    icon: str
    """A name in ``templates/icons.html``."""
    main: bool = False
    """On a phone the main ones stand at the thumb, at most four; the others behind *More*."""
    also: tuple[str, ...] = ()
    """Where else its pages and forms are."""


SUBSCRIBER: Final = (
    Entry(path="/me", label="Overview", icon="drop", main=True),
    Entry(path="/me/lend", label="Lend", icon="out", main=True, also=("/me/circles",)),
    Entry(path="/me/borrow", label="Borrow", icon="in", main=True, also=("/me/identity",)),
    Entry(path="/me/plans", label="Plans", icon="tag", main=True, also=("/me/vouchers",)),
    Entry(path="/me/usage", label="Usage", icon="bars"),
    Entry(path="/me/terminals", label="Terminals", icon="phone", also=("/me/base-stations",)),
    Entry(path="/me/statement", label="Statement", icon="scales", also=("/me/payments",)),
    Entry(path="/me/refusals", label="Refusals", icon="stop"),
    Entry(path="/me/account", label="Account", icon="people"),
)
OPERATOR: Final = (
    Entry(path="/ops", label="Overview", icon="flow", main=True),
    Entry(path="/ops/subscribers", label="Subscribers", icon="people", main=True),
    Entry(path="/ops/refusals", label="Refusals", icon="stop", main=True),
    Entry(path="/ops/vouchers", label="Vouchers", icon="ticket", main=True),
    Entry(path="/ops/base-stations", label="Base stations", icon="mast"),
    Entry(path="/ops/reservations", label="Reservations", icon="clock"),
    Entry(path="/ops/plans", label="Plans", icon="tag"),
    Entry(path="/ops/sims", label="SIM pool", icon="sim"),
    Entry(path="/ops/settlement", label="Settlement", icon="scales"),
    Entry(path="/ops/disputes", label="Disputes", icon="alert"),
    Entry(path="/ops/staff", label="Staff", icon="badge"),
    Entry(path="/ops/changes", label="Log of changes", icon="book"),
    Entry(path="/ops/account", label="Account", icon="people"),
)
ADMINISTRATOR: Final = (
    *OPERATOR[:-2],
    Entry(path="/ops/peers", label="Peers", icon="plug"),
    Entry(path="/ops/audit", label="Audit", icon="shield"),
    *OPERATOR[-2:],
)
MENUS: Final[dict[Role, tuple[Entry, ...]]] = {
    "subscriber": SUBSCRIBER,
    "operator": OPERATOR,
    "administrator": ADMINISTRATOR,
}
HOME: Final[dict[Role, str]] = {role: entries[0].path for role, entries in MENUS.items()}


_CURES: Final[dict[str, tuple[Refusal, ...]]] = {
    "/me/plans": (
        Refusal.UNKNOWN_PLAN,
        Refusal.PLAN_SOLD_OUT,
        Refusal.WALLET_TOO_SMALL,
        Refusal.CREDIT_LIMIT_REACHED,
        Refusal.ALL_OR_NOTHING,
        Refusal.SUPPLIER_SHORT,
        Refusal.SUPPLIER_EXPIRED,
    ),
    "/me/terminals": (
        Refusal.TERMINAL_UNBOUND,
        Refusal.TERMINAL_REVOKED,
        Refusal.UNKNOWN_TERMINAL,
        Refusal.UNKNOWN_CODE,
        Refusal.CODE_EXPIRED,
        Refusal.CODE_USED,
        Refusal.BASE_STATION_REVOKED,
        Refusal.UNKNOWN_BASE_STATION,
    ),
    "/me/borrow": (
        Refusal.NO_SUPPLY,
        Refusal.NO_SUPPLY_ORDER,
        Refusal.PRICE_TOO_HIGH,
        Refusal.ORDER_STOPPED,
        Refusal.ORDER_EXPIRED,
        Refusal.ORDER_EXHAUSTED,
        Refusal.DEMAND_OBTAINED,
        Refusal.ORDER_USED_UP_TODAY,
        Refusal.ORDER_NOT_FOR_YOU,
        Refusal.ORDER_NOT_HERE,
        Refusal.MISSPELT_IDENTITY,
        Refusal.UNKNOWN_IDENTITY,
        Refusal.IDENTITY_REVOKED,
        Refusal.UNKNOWN_PASSCODE,
    ),
    "/me/lend": (Refusal.UNKNOWN_CIRCLE, Refusal.UNKNOWN_ORDER, Refusal.OWN_TRAFFIC),
    "/me/statement": (Refusal.NOTHING_OWED,),
}
CURED_AT: Final[dict[str, str]] = {reason.value: path for path, reasons in _CURES.items() for reason in reasons}
"""On which page a subscriber can cure a refusal, where there is one."""


def here(entries: tuple[Entry, ...], path: str) -> str:
    """Return the path of the entry that a page belongs to: the longest that begins it."""
    under = {
        place: entry.path
        for entry in entries
        for place in (entry.path, *entry.also)
        if f"{path}/".startswith(f"{place}/")
    }
    return under[max(under, key=len)] if under else ""
