"""What a gateway is told is the same octets whether they are written field by field or filled into a form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.server.live import settings_for

from qanat.charging.session import Answer, Grant
from qanat.refusals import Refusal
from qanat.server.gy.answers import House, Reply, granted
from qanat.server.gy.house import house_of
from qanat.server.gy.quirks import PROFILES
from qanat.server.gy.reading import read
from qanat.units import Instant
from qanat.wire.diameter.groups import Mscc, Units
from qanat.wire.diameter.messages import CreditControlAnswer, CreditControlRequest
from qanat.wire.diameter.profiles import avp, text
from qanat.wire.diameter.values import CcRequestType
from qanat.wire.diameter.walk import walk

AT = Instant(1_700_000_000_000)
WANTED = Units(total=1_000)
AMOUNTS = st.integers(0, 2**63 - 1)
GRANTS = st.builds(
    Grant,
    octets=AMOUNTS,
    threshold=AMOUNTS,
    valid_until=st.integers(AT - 1_000, AT + 10**7).map(Instant),
    final=st.booleans(),
    refusal=st.sampled_from([None, None, Refusal.CREDIT_LIMIT_REACHED, Refusal.TOO_MANY_QUOTAS]),
    unit=st.sampled_from(["octets", "seconds", "units"]),
)
SERVICES = st.builds(
    Mscc,
    requested=st.just(Units(total=1, time_s=1, service_specific=1)),
    service_ids=st.sampled_from([(), (5,), (5, 6)]),
    rating_group=st.sampled_from([None, 1, 2]),
)


def house() -> House:
    return house_of(settings_for(Path(), store={"database": "memory:"}))


def asked(*services: Mscc, **more: Any) -> CreditControlRequest:
    fields: dict[str, Any] = {
        "flags": 0xC0,
        "hop_by_hop": 1,
        "end_to_end": 2,
        "session_id": "gw;1;1",
        "cc_request_number": 7,
    } | more
    return CreditControlRequest(
        origin_host="gw.test",
        origin_realm="test",
        destination_realm="qanat.test",
        auth_application_id=4,
        service_context_id="32251@3gpp.org",
        services=services,
        **{"cc_request_type": CcRequestType.UPDATE, **fields},
    )


def reply(told_by: House, request: CreditControlRequest, *grants: Grant, profile: str = "strict") -> Reply:
    quirks = PROFILES[profile]
    _, _, _, awaiting = read(request, quirks)
    return granted(told_by, quirks, request, awaiting, Answer(number=7, grants=grants, at=AT))


@settings(max_examples=150, deadline=None)
@given(
    lots=st.lists(st.lists(st.tuples(SERVICES, GRANTS, GRANTS, GRANTS), max_size=2), min_size=1, max_size=3),
    data=st.data(),
)
def test_an_answer_filled_into_its_form_is_the_answer_written_field_by_field(
    lots: list[list[tuple[Mscc, Grant, Grant, Grant]]], data: st.DataObject
) -> None:
    """Forms are learnt from the first answer and filled from the others, in any order; a new house has none yet."""
    number, kept = st.integers(0, 2**32 - 1), house()
    for _ in range(6):
        drawn = data.draw(st.sampled_from(lots))
        request = asked(
            *[service for service, *_ in drawn],
            flags=data.draw(st.sampled_from([0x80, 0xC0])),
            hop_by_hop=data.draw(number),
            end_to_end=data.draw(number),
            session_id=data.draw(st.sampled_from(["", "a", "ab", "gw;1;2", "gw;1;3", "gw;ü;3"])),
            cc_request_type=data.draw(st.sampled_from(list(CcRequestType)[:3])),
            cc_request_number=data.draw(number),
        )
        grants = [] if request.cc_request_type is CcRequestType.TERMINATION else [one for _, *of in drawn for one in of]
        profile = data.draw(st.sampled_from(list(PROFILES)))
        assert (
            reply(kept, request, *grants, profile=profile).octets
            == reply(house(), request, *grants, profile=profile).octets
        )


def test_answers_that_differ_are_never_taken_for_each_other() -> None:
    """Each pair differs in what no place of a form is for, or in what one is for."""
    service, grant = (
        Mscc(requested=WANTED, rating_group=1),
        Grant(octets=10, threshold=2, valid_until=Instant(AT + 9_000)),
    )
    refused = Grant(refusal=Refusal.CREDIT_LIMIT_REACHED)
    last = Grant(octets=10, valid_until=Instant(AT + 9_000), final=True)
    told_by, written = house(), set()
    for request, told in (
        (asked(service), grant),
        (asked(service, flags=0x80), grant),
        (asked(service, hop_by_hop=3), grant),
        (asked(service, session_id="gw;1;2"), grant),
        (asked(service, session_id="gw;1;20"), grant),
        (asked(service, cc_request_number=8), grant),
        (asked(service, cc_request_type=CcRequestType.INITIAL), grant),
        (asked(Mscc(requested=WANTED, rating_group=2)), grant),
        (asked(Mscc(requested=WANTED)), grant),
        (asked(Mscc(requested=WANTED, rating_group=1, service_ids=(5,))), grant),
        (asked(service), refused),
        (asked(service), last),
        (asked(requested=WANTED), grant),
    ):
        written.add(reply(told_by, request, told).octets)
        written.add(reply(told_by, request, told).octets)
    assert len(written) == 13


def test_a_form_says_what_its_answer_says() -> None:
    told_by, until = house(), Instant(AT + 9_000)
    for octets in (10, 20):
        service = Mscc(requested=WANTED, rating_group=octets)
        answer = walk(reply(told_by, asked(service), Grant(octets=octets, threshold=2, valid_until=until)).octets)
        assert isinstance(answer, CreditControlAnswer)
        (told,) = answer.services
        assert told.granted == Units(total=octets)
        assert (told.rating_group, told.validity_time_s, told.volume_quota_threshold) == (octets, 9, 2)
    assert len(told_by.forms) == 1


def test_what_relays_wrote_on_a_request_is_not_remembered() -> None:
    relayed = avp("Proxy-Info", text("Proxy-Host", "r.test"))
    told_by, grant = house(), Grant(octets=10, valid_until=Instant(AT + 9_000))
    assert relayed in reply(told_by, asked(Mscc(requested=WANTED), proxy_infos=(relayed,)), grant).octets
    assert not told_by.forms


def test_ever_new_and_long_answers_fill_no_memory() -> None:
    told_by, grant = house(), Grant(octets=10, valid_until=Instant(AT + 9_000))
    many = Mscc(requested=WANTED, service_ids=tuple(range(200)))
    assert len(reply(told_by, asked(many), grant).octets) > 2_048
    assert not told_by.forms
    for place in range(1_025):
        reply(told_by, asked(Mscc(requested=WANTED, service_ids=(place,))), grant)
    assert len(told_by.forms) == 1
