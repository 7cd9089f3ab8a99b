"""Refused requests are remembered, so that an operator can see why.

Bounded: the same refusal of the same session is one record that counts, each owner keeps the last hundred, and all are
forgotten after a week.
"""

from __future__ import annotations

from typing import Final

from qanat.ids import Owner
from qanat.ledger.work import Record, Work
from qanat.refusals import Refused
from qanat.units import DAY, Instant, Millis, later

KEPT: Final = 100
REMEMBERED: Final = Millis(7 * DAY)


class RefusedRequest(Record, frozen=True, kw_only=True):
    who: str
    """Who was refused, as an owner: ``subscriber/alice``, ``terminal/trm-…``."""
    by: str = ""
    """The device that asked, as an owner, where it asked for somebody else: its operator sees the refusal too."""
    session: str = ""
    reason: str
    sentence: str
    cure: str
    facts: dict[str, int | str]
    first_at: Instant
    at: Instant
    times: int = 1

    @property
    def concerned(self) -> tuple[str, ...]:
        """Owners whose operators see it."""
        return (self.who, self.by) if self.by else (self.who,)

    @property
    def label(self) -> str:
        return self.session or self.who


def refused_owner(who: str) -> Owner:
    return Owner(f"refused/{who}")


def remember(work: Work, refused: Refused, *, who: str, by: str = "", session: str = "") -> None:
    page = refused_owner(who)
    id = f"{refused.reason}:{session}"
    before = work.get(RefusedRequest, page, id)
    if before is None:
        _make_room(work, page)
    work.put(
        RefusedRequest(
            owner=page,
            id=id,
            who=who,
            by=by,
            session=session,
            reason=refused.reason,
            sentence=refused.sentence,
            cure=refused.cure,
            facts=refused.facts,
            first_at=before.first_at if before else work.now,
            at=work.now,
            times=before.times + 1 if before else 1,
            due=later(work.now, REMEMBERED),
        )
    )


def _make_room(work: Work, page: Owner) -> None:
    kept = work.all(RefusedRequest, page)
    if len(kept) >= KEPT:
        work.drop(min(kept, key=lambda refused: refused.at))
