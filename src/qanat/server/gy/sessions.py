"""Whose a session is, for the few gateways that name the subscriber in the first request only.

A session lives on its subscriber's page. What the database finds is remembered for the requests that follow.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from qanat.ids import Owner
from qanat.server.named import sessions_named
from qanat.store.store import Store

_KEPT: Final = 50_000


class Places:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._owners: OrderedDict[tuple[str, str], Owner] = OrderedDict()

    async def owner_of(self, session: str, holder: str) -> Owner | None:
        """Return on whose page a session of this gateway is; None if there is none. Raises StoreFault."""
        known = self._owners.get((session, holder))
        if known is not None:
            self._owners.move_to_end((session, holder))
            return known
        found = await sessions_named(self._store, session)
        owner = next((one.owner for one in found if one.holder == holder), None)
        if owner is not None:
            self._owners[session, holder] = owner
            if len(self._owners) > _KEPT:
                self._owners.popitem(last=False)
        return owner
