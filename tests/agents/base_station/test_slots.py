"""What a base station reads off a slot that a crash left behind."""

from __future__ import annotations

import pytest

from qanat.agents.base_station.slots import Slot, Visit
from qanat.agents.holding import Session, Snapshot
from qanat.units import Instant, Octets
from qanat.wire.base_station import Admitted

ADMITTED = Admitted(
    trade="trd-1",
    demander="bob",
    terminal="trm-bob",
    supplier="alice",
    supplier_terminal="",
    identities={},
    order="ord-1",
    price_per_gb=0,
    currency="",
    octets=Octets(1000),
    report_interval_s=60,
    server_time=Instant(0),
)


@pytest.mark.parametrize(
    ("sessions", "session", "is_over"),
    [(3, None, False), (4, Session(name="trd-1", next_number=1), False), (4, None, True)],
    ids=["not opened yet", "open", "opened and closed"],
)
def test_a_trade_that_was_closed_before_a_crash_is_not_begun_again(
    sessions: int, session: Session | None, is_over: bool
) -> None:
    """Else the same trade would go on, on grants that were given back."""
    visit = Visit(admitted=ADMITTED, link_address="", addresses=[], merging=[], since=Instant(0), sessions_before=3)
    slot = Slot(number=1, snapshot=Snapshot(journal="j", sessions=sessions, session=session), visit=visit)
    assert slot.is_over is is_over
