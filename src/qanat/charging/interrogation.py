"""What a holder says to credit control, in the words of no protocol: what was used, and what is asked for.

Fronts translate into these words. Nobody stores them, so they are plain classes: compiled, a field of those is read in a
twentieth of the instructions (decision 26). What is answered is in ``session``.
Source: RFC 8506 §5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from qanat.charging.session import Event
from qanat.ids import Owner, QuotaId, SessionId
from qanat.refusals import Refused
from qanat.units import Instant, Octets, Unit


class Use:
    """Octets used since the last report, under one quota."""

    __slots__ = ("ends", "octets", "quota", "rating_group", "unit")

    def __init__(
        self,
        *,
        octets: Octets,
        quota: QuotaId | None = None,
        rating_group: int | None = None,
        ends: bool = False,
        unit: Unit = "octets",
    ) -> None:
        self.octets: Final = octets
        self.quota: Final = quota
        """None: whichever quota the rating group holds (Gy), or none at all."""
        self.rating_group: Final = rating_group
        self.ends: Final = ends
        """The holder is done with the quota, or without one with all of its rating group; what is left goes home."""
        self.unit: Final = unit
        """What is counted. Gateways report time beside octets always, so what is no octets is charged under a quota only."""

    def said(self) -> tuple[Any, ...]:
        """Return what digests of requests are made of, which sessions keep: a field may be added only at the end, and
        only where it says something."""
        return (self.octets, self.quota, self.rating_group, self.ends, self.unit)


class Ask:
    """A request for units. ``wanted`` None lets the server choose."""

    __slots__ = ("rating_group", "unit", "wanted")

    def __init__(self, *, rating_group: int | None = None, wanted: Octets | None = None, unit: Unit = "octets") -> None:
        self.rating_group: Final = rating_group
        self.wanted: Final = wanted
        self.unit: Final = unit

    def said(self) -> tuple[Any, ...]:
        """As of ``Use``."""
        return (self.rating_group, self.wanted, self.unit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """Less than what the subscriber has: so many octets at most may be granted now, until then."""

    octets: Octets
    until: Instant | None = None


class Interrogation:
    __slots__ = (
        "asks",
        "barred",
        "bound",
        "digest",
        "event",
        "front",
        "holder",
        "names_quotas",
        "number",
        "owner",
        "session",
        "uses",
    )

    def __init__(
        self,
        *,
        session: SessionId,
        owner: Owner,
        event: Event,
        number: int,
        digest: int,
        front: str,
        holder: str,
        uses: tuple[Use, ...] = (),
        asks: tuple[Ask, ...] = (),
        barred: Refused | None = None,
        bound: Bound | None = None,
        names_quotas: bool = True,
    ) -> None:
        self.session: Final = session
        self.owner: Final = owner
        """The subscriber, already identified by the front."""
        self.event: Final = event
        self.number: Final = number
        self.digest: Final = digest
        self.front: Final = front
        self.holder: Final = holder
        self.uses: Final = uses
        self.asks: Final = asks
        self.barred: Final = barred
        """Grant nothing, for this reason; usage is counted all the same."""
        self.bound: Final = bound
        """Set by whoever lends the subscriber's octets to somebody else."""
        self.names_quotas: Final = names_quotas
        """The holder says under which quota something was used. One that says of which rating group needs no quota's name."""
