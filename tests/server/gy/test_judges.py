"""Other implementations as judges of the live server: python-diameter as the client, tshark of every octet."""

from __future__ import annotations

import queue
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from diameter.message import constants
from diameter.message.commands import CreditControlRequest, ReAuthAnswer, ReAuthRequest
from diameter.message.commands.credit_control import (
    MultipleServicesCreditControl,
    RequestedServiceUnit,
    SubscriptionId,
    UsedServiceUnit,
)
from diameter.node import Node
from diameter.node.application import SimpleThreadingApplication
from tests.patience import PATIENCE_S
from tests.server.gy.gateway import IMSI, Gateway, accepted, balance, funded, mscc, plain, used, wants
from tests.server.live import Live
from tests.tshark import capture, complaints, tshark

from qanat.wire.diameter.encode import encode
from qanat.wire.diameter.messages import DeviceWatchdogRequest, DisconnectPeerRequest, SessionTerminationRequest
from qanat.wire.diameter.profiles import u32


class Client:
    """A credit-control client by python-diameter."""

    def __init__(self, live: Live) -> None:
        host, _, port = live.gy.rpartition(":")
        self.node = Node("client.theirs.test", "theirs.test", ip_addresses=["127.0.0.1"])
        self.node.vendor_ids = {10415}
        peer = self.node.add_peer(
            f"aaa://ocs.qanat.test:{port};transport=tcp", "qanat.test", ip_addresses=[host], is_persistent=True
        )
        self.told: queue.Queue[ReAuthRequest] = queue.Queue()
        self.application = SimpleThreadingApplication(
            constants.APP_DIAMETER_CREDIT_CONTROL_APPLICATION, is_auth_application=True, request_handler=self._told
        )
        self.node.add_application(self.application, [peer], ["qanat.test", "theirs.test"])
        self.session = ""

    def ask(self, kind: int, number: int, *, octets: int = 0, group: int = 1) -> Any:
        request = CreditControlRequest()
        request.session_id = self.session = self.session or self.node.session_generator.next_id()
        request.origin_host, request.origin_realm = b"client.theirs.test", b"theirs.test"
        request.destination_realm = b"qanat.test"
        request.auth_application_id = 4
        request.service_context_id = "32251@3gpp.org"
        request.cc_request_type, request.cc_request_number = kind, number
        request.subscription_id = [SubscriptionId(subscription_id_type=1, subscription_id_data=IMSI)]
        request.multiple_services_credit_control = [
            MultipleServicesCreditControl(
                requested_service_unit=None if kind == 3 else RequestedServiceUnit(cc_total_octets=4096),
                used_service_unit=[UsedServiceUnit(cc_total_octets=octets)] if kind != 1 else [],
                rating_group=group,
            )
        ]
        return self.application.send_request(request, timeout=PATIENCE_S)

    def _told(self, _: object, request: ReAuthRequest) -> ReAuthAnswer:
        self.told.put(request)
        answer = request.to_answer()
        answer.session_id, answer.result_code = request.session_id, 2002
        answer.origin_host, answer.origin_realm = b"client.theirs.test", b"theirs.test"
        return answer


@contextmanager
def client(live: Live) -> Iterator[Client]:
    accepted(live, "*.theirs.test", "strict")
    theirs = Client(live)
    theirs.node.start()
    theirs.application.wait_for_ready(timeout=PATIENCE_S)
    try:
        yield theirs
    finally:
        theirs.node.stop(wait_timeout=5)


def test_python_diameter_holds_a_session_and_sees_a_top_up_in_the_middle_of_it(live: Live) -> None:
    funded(live)
    with client(live) as theirs:
        first = theirs.ask(1, 0)
        (service,) = first.multiple_services_credit_control
        assert (first.result_code, service.granted_service_unit.cc_total_octets) == (2001, 4096)
        assert (service.rating_group, service.validity_time) == (1, 3600)
        live.done("/v1/subscribers/alice/top-ups", {"octets": 1_000})
        assert theirs.told.get(timeout=PATIENCE_S).session_id == theirs.session
        assert theirs.ask(2, 1, octets=1_000).result_code == 2001
        assert theirs.ask(2, 1, octets=1_000).result_code == 2001
        assert theirs.ask(3, 2, octets=96).result_code == 2001
    assert balance(live) == (10**9 + 1_000 - 1_096, 0, 1_096)


@pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark: ./setup.sh test")
def test_tshark_finds_nothing_malformed_or_unknown_in_all_that_the_server_says(
    live: Live, smf: Gateway, tmp_path: Path
) -> None:
    funded(live, octets=10, name="bob", imsi="001010000000002", msisdn="37060000002")
    who = (smf.who.origin_host, smf.who.origin_realm)
    smf.ask("I")
    smf.ask("U", used=(1, 2))
    live.done("/v1/subscribers/alice/top-ups", {"octets": 1_000})
    smf.receive()
    smf.ask("T", used=(3, 4))
    smf.ask("I", imsi="001010000000002", session_id="last;units")
    smf.ask("I", imsi="001010000000002", session_id="no;units")
    smf.ask("I", imsi="001019999999999", session_id="no;body")
    smf.ask("U", session_id="no;session")
    smf.ask("U", session_id="no;realm", destination_host="hss.qanat.test")
    for requested in range(4):
        smf.profile = plain(u32("Requested-Action", requested), wants(5), session=f"event;{requested}")
        smf.ask("E")
    smf.profile = plain(mscc(wants(), group=1), mscc(wants(), used(0), group=2), named=False)
    smf.ask("I")
    smf.send(encode(SessionTerminationRequest(0xC0, 5, 5, smf.session, *who, "qanat.test", 4, 1)))
    smf.receive()
    smf.send(encode(DeviceWatchdogRequest(0x80, 9, 9, *who)))
    smf.receive()
    smf.send(encode(DisconnectPeerRequest(0x80, 9, 9, *who, 0)))
    smf.receive()
    capture(tmp_path / "run.pcap", smf.seen)
    assert len(tshark(tmp_path / "run.pcap", "-Y", "diameter")) == len(smf.seen) > 30
    assert complaints(tmp_path / "run.pcap") == []
