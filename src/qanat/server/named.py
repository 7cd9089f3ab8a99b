"""Sessions by their name. Two holders may use one name, so there may be several."""

from __future__ import annotations

from typing import Final

from qanat.charging.session import LIVE, OVER, Session
from qanat.store.store import Store

_ALIKE: Final = 10


async def sessions_named(store: Store, session: str) -> list[Session]:
    """Return the sessions of this name, live ones first. Raises StoreFault."""
    return [
        one
        for state in (LIVE, OVER)
        for one in await store.find(Session, label_prefix=f"{state}{session}", limit=_ALIKE)
        if one.id == session
    ]
