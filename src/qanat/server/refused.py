"""What was refused, as far as somebody of the staff may look at it."""

from __future__ import annotations

from typing import Final

from qanat.ledger.work import Work
from qanat.registry.access import Caller
from qanat.registry.refused import RefusedRequest, refused_owner
from qanat.server.listing import every
from qanat.server.ownership import Ownership
from qanat.store.store import Store

_AT_ONCE: Final = 10_000


async def refusals_seen(
    store: Store, ownership: Ownership, caller: Caller, *, who: str = ""
) -> tuple[list[RefusedRequest], int]:
    """Return what was refused to one owner, or to everybody, and how many were looked through where there are more.

    Those are the first by the name of the session, or of who was refused without one; 0 says that all were looked through.
    Raises StoreFault.
    """

    def of_one(work: Work) -> list[RefusedRequest]:
        return work.all(RefusedRequest, refused_owner(who))

    found, complete = (
        (await store.decide(of_one), True) if who else await every(store, RefusedRequest, at_most=_AT_ONCE)
    )
    theirs = await ownership.theirs(caller, {owner for one in found for owner in one.concerned})
    return [one for one in found if theirs.intersection(one.concerned)], 0 if complete else len(found)
