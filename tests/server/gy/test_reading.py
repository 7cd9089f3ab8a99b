"""What a request says, in the words of credit control."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qanat.charging.interrogation import Interrogation
from qanat.charging.session import Event
from qanat.registry.names import subscriber_owner
from qanat.registry.subscribers import Subscriber
from qanat.server.gy.quirks import PROFILES, Quirks
from qanat.server.gy.reading import interrogation, most_used, read
from qanat.units import MAX_OCTETS, Instant
from qanat.wire.diameter.groups import Mscc, Units
from qanat.wire.diameter.messages import CreditControlRequest
from qanat.wire.diameter.values import CcRequestType, ReportingReason

STRICT, HINTS = PROFILES["strict"], PROFILES["open5gs"]
WANTED, COUNT = Units(total=1_000), st.integers(0, 2**53)


ALICE = Subscriber(owner=subscriber_owner("alice"), id="alice", operator="home", created_at=Instant(0))


def asked(*services: Mscc, kind: CcRequestType = CcRequestType.UPDATE, **more: Any) -> CreditControlRequest:
    return CreditControlRequest(
        *(0xC0, 1, 2, "gw;1;1", "gw.test", "test", "qanat.test", 4, "32251@3gpp.org", kind, 7),
        services=services,
        **more,
    )


def said(request: CreditControlRequest, quirks: Quirks) -> Interrogation:
    event, uses, asks, _ = read(request, quirks)
    return interrogation(request, ALICE, event, uses, asks)


def asks_of_services(request: CreditControlRequest) -> list[int]:
    """Return how many asks each service has that waits for an answer."""
    return [end - begin for _, begin, end in read(request, STRICT)[3]]


def test_an_ordinary_update_ends_the_quota_before_and_asks_for_the_next() -> None:
    request = asked(Mscc(requested=WANTED, used=(Units(input=20, output=300),), rating_group=1))
    told = said(request, STRICT)
    assert told.event is Event.INTERMEDIATE
    assert [use.said() for use in told.uses] == [(320, None, 1, True, "octets")]
    assert [ask.said() for ask in told.asks] == [(1, 1_000, "octets")]
    assert asks_of_services(request) == [1]


@given(st.lists(st.tuples(COUNT, COUNT, COUNT), max_size=4))
def test_reports_of_one_service_count_together_each_unit_by_itself(reports: list[tuple[int, int, int]]) -> None:
    used = tuple(Units(total=total, time_s=time_s, service_specific=units) for total, time_s, units in reports)
    uses = said(asked(Mscc(used=used)), STRICT).uses
    octets, seconds, units = [sum(column) for column in zip(*reports, strict=True)] or (0, 0, 0)
    assert sum(use.octets for use in uses if use.unit == "octets") == octets
    assert sum(use.octets for use in uses if use.unit == "seconds") == seconds
    assert sum(use.octets for use in uses if use.unit == "units") == units
    assert most_used(uses) == max(octets, seconds, units)


def test_every_unit_asked_for_is_an_ask_of_its_own() -> None:
    request = asked(Mscc(requested=Units(total=9, time_s=0, service_specific=3)), Mscc(requested=Units()))
    assert [(ask.unit, ask.wanted) for ask in said(request, STRICT).asks] == [
        ("octets", 9),
        ("seconds", None),
        ("units", 3),
        ("octets", None),
    ]
    assert asks_of_services(request) == [3, 1]


def test_more_than_can_be_counted_is_asked_for_as_the_most_that_can() -> None:
    """The two directions together may be more than 64 bits hold."""
    most = Units(input=2**64 - 1, output=2**64 - 1, service_specific=2**64 - 1)
    plain = Units(input=2**64 - 1, output=2**64 - 1)
    asks = said(asked(Mscc(requested=most), Mscc(requested=plain)), STRICT).asks
    assert [ask.wanted for ask in asks] == [MAX_OCTETS] * 3


def test_what_a_gateway_always_requests_is_no_more_than_a_hint_but_in_an_event_it_is_the_price() -> None:
    service = Mscc(requested=WANTED)
    assert [ask.wanted for ask in said(asked(service), HINTS).asks] == [None]
    assert [ask.wanted for ask in said(asked(service, kind=CcRequestType.EVENT), HINTS).asks] == [1_000]


def test_who_asks_for_money_only_asks_for_nothing_that_is_sold_here() -> None:
    request = asked(Mscc(requested=Units(money=b"")))
    assert (said(request, STRICT).asks, asks_of_services(request)) == ((), [0])


def test_a_final_request_asks_for_nothing_and_no_service_waits() -> None:
    request = asked(Mscc(requested=WANTED, used=(Units(total=5),)), kind=CcRequestType.TERMINATION)
    event, uses, asks, awaiting = read(request, STRICT)
    assert (event, [use.said() for use in uses]) == (Event.FINAL, [(5, None, None, False, "octets")])
    assert (asks, awaiting) == ((), ())


@pytest.mark.parametrize("reason", ReportingReason)
@pytest.mark.parametrize("inside", [True, False])
def test_a_quota_is_given_up_for_three_reasons_said_in_either_place(reason: ReportingReason, inside: bool) -> None:
    used = Units(total=5, reporting_reasons=(reason,) if inside else ())
    service = Mscc(used=(used,), reporting_reasons=() if inside else (reason,))
    given_up = {ReportingReason.FINAL, ReportingReason.QUOTA_HOLDING_TIME, ReportingReason.UNUSED_QUOTA_TIMER}
    assert said(asked(service), STRICT).uses[0].ends is (reason in given_up)


def test_a_single_service_may_stand_at_command_level() -> None:
    inside = asked(Mscc(requested=WANTED, used=(Units(total=5),)))
    beside = asked(requested=WANTED, used=(Units(total=5),))
    assert said(inside, STRICT).digest == said(beside, STRICT).digest
    assert read(inside, STRICT)[3] == read(beside, STRICT)[3]
    assert asks_of_services(asked()) == []


def test_the_digest_of_a_request_is_the_same_in_every_version() -> None:
    """It is kept with the answer: a repeat that arrives after an upgrade must not be taken for another request."""
    update = asked(Mscc(requested=WANTED, used=(Units(total=320, time_s=7),), rating_group=1))
    assert said(update, STRICT).digest == 1_867_708_714
    assert said(update, HINTS).digest == 2_294_636_668
    several = asked(
        Mscc(requested=Units(total=2**40, time_s=7), rating_group=70_000),
        Mscc(requested=Units(), rating_group=2),
        kind=CcRequestType.INITIAL,
    )
    assert said(several, STRICT).digest == 0x8FFD3D16
