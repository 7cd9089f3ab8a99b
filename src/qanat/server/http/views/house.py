"""What the operator keeps an eye on: peers, unmatched reports, the audit, who changed what."""

from __future__ import annotations

from pydantic import BaseModel

from qanat.registry.changes import Change
from qanat.registry.unmatched import UnmatchedReport
from qanat.server.http.views.common import Listed
from qanat.units import format_instant


class PeerView(BaseModel):
    """An accepted peer, a gateway heard through one, or a stranger who was turned away (``state``)."""

    protocol: str
    """Over which it speaks: gy."""
    origin_host: str
    state: str
    profile: str
    connections: int
    last_at: str
    told: int
    followed: int
    ignored: int
    turned_away: int = 0
    """How often, for a stranger."""


class Verdict(BaseModel):
    balanced: bool
    accounts: int
    entries: int
    archived: int
    """Entries before these: they are in archives, and what they left behind was brought forward."""
    problems: list[str]


class UnmatchedView(BaseModel):
    session: str
    number: int
    holder: str
    identity: str
    octets: int
    at: str

    @classmethod
    def of(cls, report: UnmatchedReport) -> UnmatchedView:
        return cls(
            session=report.session,
            number=int(report.id),
            holder=report.holder,
            identity=report.identity,
            octets=report.octets,
            at=format_instant(report.at),
        )


class UnmatchedList(Listed):
    reports: list[UnmatchedView]


class PeerList(BaseModel):
    peers: list[PeerView]


class ChangeView(BaseModel):
    """A command of the staff: who did what to what, and what it said."""

    change: str
    at: str
    who: str
    role: str
    operator: str
    act: str
    target: str
    said: dict[str, str]

    @classmethod
    def of(cls, change: Change) -> ChangeView:
        return cls(
            change=change.id,
            at=format_instant(change.at),
            who=change.who,
            role=change.role,
            operator=change.operator,
            act=change.act,
            target=change.target,
            said=change.said,
        )


class ChangeList(Listed):
    changes: list[ChangeView]
