"""Any requests in any order, against a naive model: each octet that is reported is used once, whoever asks again."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.server.gy.inside import ALICE, Peer, ccr, inside

from qanat.ledger import book
from qanat.registry.names import subscriber_owner
from qanat.units import MAX_PUBLIC_OCTETS
from qanat.wire.diameter.messages import CreditControlAnswer
from qanat.wire.diameter.profiles import avp, text, u32, u64
from qanat.wire.diameter.walk import walk

INITIAL, UPDATE, FINAL, EVENT = 1, 2, 3, 4
VOLUMES = ("CC-Total-Octets", "CC-Input-Octets", "CC-Output-Octets")
PROXY = avp("Proxy-Info", text("Proxy-Host", "relay.test"), avp("Proxy-State", b"state"))


class Units(dict[str, int]):
    """Counts by the name of their AVP."""

    @property
    def octets(self) -> int:
        total, up, down = (self.get(name) for name in VOLUMES)
        return (up or 0) + (down or 0) if total is None else total

    def avp(self, name: str) -> bytes:
        return avp(name, *((u32 if unit == "CC-Time" else u64)(unit, count) for unit, count in self.items()))


@dataclass(frozen=True)
class Service:
    group: int | None
    id: int | None
    wanted: Units | None
    used: tuple[Units, ...]

    def avp(self) -> bytes:
        wanted = [self.wanted.avp("Requested-Service-Unit")] if self.wanted is not None else []
        named = [
            u32(name, value)
            for name, value in (("Rating-Group", self.group), ("Service-Identifier", self.id))
            if value is not None
        ]
        used = [one.avp("Used-Service-Unit") for one in self.used]
        return avp("Multiple-Services-Credit-Control", *wanted, *used, *named)


@dataclass(frozen=True)
class Asked:
    host: str
    session: str
    kind: int
    number: int
    services: tuple[Service, ...]

    def octets(self, place: int) -> bytes:
        said = [one.avp() for one in self.services]
        return ccr(self.kind, self.number, *said, PROXY, host=self.host, session=self.session, place=place)

    @property
    def used(self) -> int:
        return sum(units.octets for service in self.services for units in service.used)

    @property
    def is_believed(self) -> bool:
        own = sum(units.get("CC-Service-Specific-Units", 0) for service in self.services for units in service.used)
        return max(self.used, own) <= MAX_PUBLIC_OCTETS

    @property
    def reports(self) -> bool:
        return any(one.used or (one.wanted is not None and self.kind == UPDATE) for one in self.services)


@dataclass
class Model:
    """What was used; and of each session who holds it, whether it is open, and which numbers were answered."""

    used: int = 0
    holders: dict[str, str] = field(default_factory=dict)
    open: set[str] = field(default_factory=set)
    answered: set[tuple[str, int]] = field(default_factory=set)

    def take(self, asked: Asked, code: int) -> bool:
        """Take a request with its Result-Code; tell whether a repeat of it now is told the same."""
        name = (asked.session, asked.number)
        if not asked.is_believed or self.holders.get(asked.session, asked.host) != asked.host:
            assert code in (5004, 5002)
            return False
        if name in self.answered:
            return False
        in_turn = asked.session in self.open if asked.kind != INITIAL else asked.session not in self.holders
        if asked.kind == EVENT:
            remembered = code == 2001
            self.used += sum(one.wanted.octets for one in asked.services if one.wanted) if remembered else 0
        else:
            remembered = in_turn or asked.reports
            self.used += asked.used
            assert in_turn is (code == 2001)
        if remembered:
            self.answered.add(name)
            self.holders[asked.session] = asked.host
            if asked.kind == INITIAL and in_turn:
                self.open.add(asked.session)
            elif asked.kind == FINAL:
                self.open.discard(asked.session)
        return remembered


counts = st.sampled_from([0, 1, 1_000, 2**32, 2**53, 2**63, 2**64 - 1]) | st.integers(0, 10_000)
units = st.dictionaries(st.sampled_from((*VOLUMES, "CC-Service-Specific-Units")), counts).map(Units) | st.builds(
    lambda volume, time: Units({"CC-Time": time, "CC-Total-Octets": volume}), counts, st.integers(0, 60)
)
services = st.builds(
    Service,
    st.sampled_from([None, 1, 2]),
    st.sampled_from([None, 9]),
    st.none() | units,
    st.lists(units, max_size=2).map(tuple),
)
requests = st.builds(
    Asked,
    st.sampled_from(["gw.test"] * 5 + ["other.test"]),
    st.sampled_from(["s", "t"]),
    st.sampled_from([INITIAL, UPDATE, UPDATE, UPDATE, FINAL, EVENT]),
    st.integers(0, 6),
    st.lists(services, max_size=3).map(tuple),
)


def check(asked: Asked, answer: bytes) -> int:
    """Hold an answer against its request, and return its Result-Code."""
    message = walk(answer)
    assert isinstance(message, CreditControlAnswer)
    said = (message.session_id, message.cc_request_type, message.cc_request_number, message.proxy_infos)
    assert said == (asked.session, asked.kind, asked.number, (PROXY,))
    if message.result_code == 2001 and asked.kind in (INITIAL, UPDATE):
        named = [(one.group, one.id) for one in asked.services]
        assert [(one.rating_group, next(iter(one.service_ids), None)) for one in message.services] == named
        assert all((one.granted is None) or one.validity_time_s for one in message.services)
    assert message.result_code is not None
    return message.result_code


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(requests, st.booleans(), st.booleans()), max_size=12))
def test_each_octet_reported_is_used_once_whatever_is_asked_in_whatever_order(
    asked: list[tuple[Asked, bool, bool]],
) -> None:
    """Each request comes once, or on two connections at once, and perhaps again with the T flag."""

    async def scene() -> None:
        async with inside({"*.test": "strict"}, subscribers={"alice": ALICE}, octets=2**40) as served:
            model, here, there = Model(), Peer(served.front, "gw.test"), Peer(served.front, "gw.test")
            for place, (one, at_once, again) in enumerate(asked):
                octets = one.octets(place)
                answers = await asyncio.gather(*(peer.ask(octets) for peer in ([here, there] if at_once else [here])))
                if again:
                    served.clock.advance(1_000)
                    answers.append(await there.ask(octets[:4] + bytes((octets[4] | 0x10,)) + octets[5:]))
                codes = [check(one, answer) for (answer,) in answers]
                remembered = [model.take(one, code) for code in codes]
                assert not remembered[0] or len({answer for (answer,) in answers}) == 1
            assert await served.store.decide(lambda work: book.used(work, subscriber_owner("alice"))) == model.used

    asyncio.run(scene())
