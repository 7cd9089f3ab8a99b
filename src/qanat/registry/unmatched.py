"""Reports of usage that fit no session and no subscriber: kept for the operator, since the traffic did pass."""

from __future__ import annotations

from qanat.ids import Owner
from qanat.ledger.work import Record, Work
from qanat.registry.refused import REMEMBERED
from qanat.units import Instant, Octets, later


class UnmatchedReport(Record, frozen=True, kw_only=True):
    """One request's usage; the id is its number, so that a repeat is the same report."""

    session: str
    holder: str
    identity: str
    """Whom the request named, or nothing."""
    octets: Octets
    at: Instant

    @property
    def label(self) -> str:
        return self.session


def keep_unmatched(work: Work, *, session: str, number: int, holder: str, identity: str, octets: Octets) -> None:
    """Keep a report for a week. Repeating is safe."""
    work.put(
        UnmatchedReport(
            owner=Owner(f"unmatched/{holder}/{session}"),
            id=str(number),
            session=session,
            holder=holder,
            identity=identity,
            octets=octets,
            at=work.now,
            due=later(work.now, REMEMBERED),
        )
    )
