"""A gateway for tests: one blocking connection that introduces itself and speaks by the profiles of real ones."""

from __future__ import annotations

import itertools
import socket
from dataclasses import replace
from ipaddress import IPv4Address
from types import TracebackType
from typing import Any, TypeVar

from tests.patience import PATIENCE_S
from tests.server.live import Live

from qanat.units import Instant
from qanat.wire.diameter import profiles
from qanat.wire.diameter.codec import Decoder
from qanat.wire.diameter.courtesies import Identity, courtesy, introduction
from qanat.wire.diameter.encode import encode
from qanat.wire.diameter.framer import Framer
from qanat.wire.diameter.messages import DeviceWatchdogAnswer, DeviceWatchdogRequest, Message
from qanat.wire.diameter.profiles import Interrogation, Profile, avp, text, u32, u64
from qanat.wire.diameter.values import CcRequestType

M = TypeVar("M", bound=Message)
IMSI = "001010000000001"
MSISDN = "37060000001"
KINDS = {
    "I": CcRequestType.INITIAL,
    "U": CcRequestType.UPDATE,
    "T": CcRequestType.TERMINATION,
    "E": CcRequestType.EVENT,
}


class Gateway:
    """Speaks as ``host``; one session at a time by ``ask``, anything at all by ``exchange``."""

    def __init__(
        self, live: Live, host: str = "smf.open5gs.test", *, profile: Profile = profiles.open5gs, through: str = ""
    ) -> None:
        """Connect to the server, or ``through`` a relay."""
        address, _, port = (through or live.gy).rpartition(":")
        self.socket = socket.create_connection((address, int(port)), timeout=PATIENCE_S)
        self.at = live.clock.now
        self.who = profiles.Gateway(
            origin_host=host,
            origin_realm=host.partition(".")[2],
            destination_realm="qanat.test",
            address=IPv4Address("192.0.2.7"),
        )
        self.identity = Identity(
            origin_host=host,
            origin_realm=self.who.origin_realm,
            addresses=(b"\x00\x01\x7f\x00\x00\x01",),
            origin_state_id=1,
        )
        self.profile = profile
        self.session = f"{host};1700000000;1;app_gy"
        self.number = -1
        self.last = b""
        self.seen: list[bytes] = []
        """Every message sent and received."""
        self._identifiers = itertools.count(1)
        self._framer = Framer()
        self._decoder = Decoder()
        self._messages: list[bytes] = []

    def __enter__(self) -> Gateway:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def introduce(self) -> Any:
        """Return the answer to our capabilities, a welcome or an error."""
        self.send(encode(introduction(self.identity, (1, 1))))
        return self.receive()

    def ask(self, kind: str, *, imsi: str = IMSI, msisdn: str = "", used: tuple[int, int] = (0, 0), **more: Any) -> Any:
        """Send the session's next request by the profile and return the answer."""
        self.send(self.request(kind, imsi=imsi, msisdn=msisdn, used=used, **more))
        return self.receive()

    def request(
        self, kind: str, *, imsi: str = IMSI, msisdn: str = "", used: tuple[int, int] = (0, 0), **more: Any
    ) -> bytes:
        self.number = 0 if kind == "I" else self.number + 1
        place = next(self._identifiers)
        asked = Interrogation(
            kind=KINDS[kind],
            number=self.number,
            session_id=self.session,
            imsi=imsi,
            msisdn=msisdn,
            at=Instant(self.at()),
            hop_by_hop=place,
            end_to_end=place,
            input_octets=used[0],
            output_octets=used[1],
        )
        return self.profile(self.who, replace(asked, **more))

    def send(self, octets: bytes) -> None:
        self.last = octets
        self.seen.append(octets)
        self.socket.sendall(octets)

    def receive(self) -> Message:
        """Return the next message; a watchdog is answered and passed over."""
        message = self._decoder.decode(self.receive_octets())
        if not isinstance(message, DeviceWatchdogRequest):
            return message
        self.socket.sendall(encode(courtesy(self.identity, DeviceWatchdogAnswer, message)))
        return self.receive()

    def receive_octets(self) -> bytes:
        while not self._messages:
            arrived = self.socket.recv(65_536)
            if not arrived:
                raise ConnectionError("the server closed the connection")
            self._messages += self._framer.feed(arrived)
        self.seen.append(self._messages[0])
        return self._messages.pop(0)

    def exchange(self, octets: bytes, kind: type[M]) -> M:
        self.send(octets)
        answer = self.receive()
        assert isinstance(answer, kind), answer
        return answer


def funded(live: Live, *, octets: int = 10**9, name: str = "alice", imsi: str = IMSI, msisdn: str = MSISDN) -> None:
    """Create a subscriber with something to use."""
    live.done("/v1/subscribers", {"name": name, "imsi": imsi, "msisdn": msisdn})
    if octets:
        live.done(f"/v1/subscribers/{name}/top-ups", {"octets": octets})


def accepted(live: Live, host: str = "*.open5gs.test", profile: str = "open5gs") -> None:
    live.done("/v1/peers", {"origin_host": host, "profile": profile})


def balance(live: Live, name: str = "alice") -> tuple[int, int, int]:
    """Return what is available, reserved and used."""
    shown = live.get(f"/v1/subscribers/{name}/balance").json()
    return shown["available"], shown["reserved"], shown["used"]


def plain(*avps: bytes, named: bool = True, session: str | None = None) -> Profile:
    """A profile of one request: what must come, and these AVPs."""

    def build(who: profiles.Gateway, asked: Interrogation) -> bytes:
        opening = [
            text("Session-Id", session or asked.session_id),
            text("Origin-Host", who.origin_host),
            text("Origin-Realm", who.origin_realm),
            text("Destination-Realm", who.destination_realm),
            u32("Auth-Application-Id", 4),
            text("Service-Context-Id", "32251@3gpp.org"),
            u32("CC-Request-Type", asked.kind),
            u32("CC-Request-Number", asked.number),
        ]
        identity = avp("Subscription-Id", u32("Subscription-Id-Type", 1), text("Subscription-Id-Data", asked.imsi))
        return profiles.request(asked, *opening, *([identity] if named else []), *avps)

    return build


def mscc(*avps: bytes, group: int | None = None) -> bytes:
    return avp("Multiple-Services-Credit-Control", *avps, *([] if group is None else [u32("Rating-Group", group)]))


def wants(octets: int | None = None) -> bytes:
    return avp("Requested-Service-Unit", *([] if octets is None else [u64("CC-Total-Octets", octets)]))


def used(total: int | None = None, *, up: int | None = None, down: int | None = None) -> bytes:
    fields = (("CC-Total-Octets", total), ("CC-Input-Octets", up), ("CC-Output-Octets", down))
    return avp("Used-Service-Unit", *(u64(name, value) for name, value in fields if value is not None))
