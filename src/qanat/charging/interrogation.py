"""What a holder says to credit control, in the words of no protocol: what was used, and what is asked for.

Fronts translate into these words. What is answered is in ``session``.
Source: RFC 8506 §5.
"""

from __future__ import annotations

from msgspec import Struct

from qanat.charging.session import Event
from qanat.ids import Owner, QuotaId, SessionId
from qanat.refusals import Refused
from qanat.units import Instant, Octets, Unit


class Use(Struct, frozen=True, kw_only=True, gc=False, array_like=True):
    """Octets used since the last report, under one quota."""

    octets: Octets
    quota: QuotaId | None = None
    """None: whichever quota the rating group holds (Gy), or none at all."""
    rating_group: int | None = None
    ends: bool = False
    """The holder is done with the quota, or without one with all of its rating group; what is left goes home."""
    unit: Unit = "octets"
    """What is counted. Gateways report time beside octets always, so what is no octets is charged under a quota only."""


class Ask(Struct, frozen=True, kw_only=True, gc=False, array_like=True):
    """A request for units. ``wanted`` None lets the server choose."""

    rating_group: int | None = None
    wanted: Octets | None = None
    unit: Unit = "octets"


class Bound(Struct, frozen=True, kw_only=True, gc=False):
    """Less than what the subscriber has: so many octets at most may be granted now, until then."""

    octets: Octets
    until: Instant | None = None


class Interrogation(Struct, frozen=True, kw_only=True, gc=False):
    session: SessionId
    owner: Owner
    """The subscriber, already identified by the front."""
    event: Event
    number: int
    digest: int
    front: str
    holder: str
    uses: tuple[Use, ...] = ()
    asks: tuple[Ask, ...] = ()
    barred: Refused | None = None
    """Grant nothing, for this reason; usage is counted all the same."""
    bound: Bound | None = None
    """Set by whoever lends the subscriber's octets to somebody else."""
    names_quotas: bool = True
    """The holder says under which quota something was used. One that says of which rating group needs no quota's name."""
