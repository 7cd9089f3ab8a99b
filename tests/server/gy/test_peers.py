"""Known peers only; strangers are seen and accepted with one command. What we tell gateways by ourselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.server.gy.gateway import Gateway, accepted, balance, funded
from tests.server.live import Live, live_server, settings_for

from qanat.units import HOUR
from qanat.wire.diameter.encode import encode
from qanat.wire.diameter.messages import (
    AbortSessionAnswer,
    AbortSessionRequest,
    DeviceWatchdogAnswer,
    DeviceWatchdogRequest,
    DisconnectPeerRequest,
    ReAuthAnswer,
    ReAuthRequest,
    SessionTerminationAnswer,
    SessionTerminationRequest,
)


def peers(live: Live) -> dict[str, dict[str, Any]]:
    return {one["origin_host"]: one for one in live.get("/v1/peers").json()["peers"]}


def test_a_stranger_is_turned_away_seen_and_accepted_with_one_command(live: Live) -> None:
    with Gateway(live, "smf.stranger.test") as gateway:
        assert gateway.introduce().result_code == 3010
        with pytest.raises(ConnectionError):
            gateway.receive()
    assert peers(live)["smf.stranger.test"]["state"] == "turned away 1×"
    accepted(live, "smf.stranger.test")
    with Gateway(live, "smf.stranger.test") as gateway:
        assert gateway.introduce().result_code == 2001
        assert peers(live)["smf.stranger.test"]["state"] == "accepted"
        assert peers(live)["smf.stranger.test"]["connections"] == 1


def test_a_hundred_strangers_are_remembered_and_no_more(live: Live) -> None:
    for place in range(103):
        with Gateway(live, f"p{place}.knocks.test") as gateway:
            gateway.introduce()
    assert len(peers(live)) == 100
    assert "p2.knocks.test" not in peers(live)


def test_a_whole_realm_is_accepted_and_its_members_are_shown(live: Live) -> None:
    accepted(live, "*.open5gs.test", "open5gs")
    with Gateway(live, "SMF7.Open5GS.test") as gateway:
        assert gateway.introduce().result_code == 2001
        assert peers(live)["SMF7.Open5GS.test"]["profile"] == "open5gs"
    with Gateway(live, "smf.open5gs.test.evil") as gateway:
        assert gateway.introduce().result_code == 3010


def test_a_peer_that_is_removed_is_disconnected(live: Live, smf: Gateway) -> None:
    live.done("/v1/peers/*.open5gs.test/removal")
    with pytest.raises(ConnectionError):
        smf.receive()


def test_removing_a_peer_that_is_not_there_says_so(live: Live) -> None:
    assert live.post("/v1/peers/nobody.test/removal").status_code == 404


def test_an_accepted_peer_is_known_after_a_restart(tmp_path: Path) -> None:
    database = {"store": {"database": f"sqlite:///{tmp_path}/q.db"}}
    with live_server(tmp_path, settings_for(tmp_path, **database)) as first:
        accepted(first)
    with live_server(tmp_path, settings_for(tmp_path, **database)) as second, Gateway(second) as gateway:
        assert gateway.introduce().result_code == 2001


def test_watchdogs_are_answered(smf: Gateway) -> None:
    who = (smf.who.origin_host, smf.who.origin_realm)
    answer = smf.exchange(encode(DeviceWatchdogRequest(0x80, 9, 9, *who)), DeviceWatchdogAnswer)
    assert answer.result_code == 2001


def test_a_top_up_in_mid_session_is_told_to_the_gateway(live: Live, smf: Gateway) -> None:
    smf.ask("I")
    live.done("/v1/subscribers/alice/top-ups", {"octets": 1_000})
    told = smf.receive()
    assert isinstance(told, ReAuthRequest)
    assert (told.session_id, told.destination_host) == (smf.session, "smf.open5gs.test")


def test_a_plan_that_is_bought_in_mid_session_is_told_to_the_gateway(live: Live, smf: Gateway) -> None:
    smf.ask("I")
    live.done("/v1/plans", {"name": "day", "octets": 5_000, "valid_days": 1, "price": 0})
    live.done("/v1/subscribers/alice/purchases", {"plan": "day"})
    told = smf.receive()
    assert isinstance(told, ReAuthRequest)
    assert told.session_id == smf.session


def test_a_suspension_ends_the_session_where_the_gateway_can(live: Live, pgw: Gateway) -> None:
    pgw.ask("I")
    live.done("/v1/subscribers/alice/status", {"status": "suspended"})
    told = pgw.receive()
    assert isinstance(told, AbortSessionRequest)
    answer = AbortSessionAnswer(0x40, told.hop_by_hop, told.end_to_end, pgw.session, 2001, "pgw.epc.test", "epc.test")
    pgw.send(encode(answer))
    assert pgw.ask("T", used=(5, 0)).result_code == 2001
    assert balance(live) == (10**9 - 5, 0, 5)


def test_a_suspension_is_a_re_authorisation_for_a_gateway_that_cannot_abort(live: Live, smf: Gateway) -> None:
    smf.ask("I")
    live.done("/v1/subscribers/alice/status", {"status": "suspended"})
    assert isinstance(smf.receive(), ReAuthRequest)
    assert smf.ask("U", used=(5, 0)).result_code == 4010
    assert smf.ask("T").result_code == 2001
    assert balance(live) == (10**9 - 5, 0, 5)


@pytest.mark.parametrize("clock_is_set_by", [1_000, -HOUR])
@pytest.mark.parametrize("follows", [True, False])
def test_a_gateway_that_acknowledges_and_ignores_is_noticed(
    tmp_path: Path, follows: bool, clock_is_set_by: int
) -> None:
    with live_server(tmp_path, settings_for(tmp_path, gy={"follow_s": 0.2})) as live, Gateway(live) as smf:
        funded(live)
        accepted(live)
        smf.introduce()
        smf.ask("I")
        live.clock.jump(clock_is_set_by)
        live.done("/v1/subscribers/alice/top-ups", {"octets": 1_000})
        told = smf.receive()
        answer = ReAuthAnswer(
            0x40, told.hop_by_hop, told.end_to_end, smf.session, 2001, "smf.open5gs.test", "open5gs.test"
        )
        smf.send(encode(answer))
        if follows:
            smf.ask("U", used=(5, 0))
        while not (standing := peers(live)["smf.open5gs.test"])["followed"] + standing["ignored"]:
            pass
        assert (standing["told"], standing["followed"], standing["ignored"]) == (1, int(follows), int(not follows))


def test_a_session_termination_request_is_answered(smf: Gateway) -> None:
    request = SessionTerminationRequest(
        0xC0, 5, 5, smf.session, smf.who.origin_host, smf.who.origin_realm, "qanat.test", 4, 1
    )
    assert smf.exchange(encode(request), SessionTerminationAnswer).result_code == 2001


def test_stopping_takes_leave_of_every_peer(tmp_path: Path) -> None:
    with live_server(tmp_path) as live:
        accepted(live)
        gateway = Gateway(live)
        gateway.introduce()
    assert isinstance(gateway.receive(), DisconnectPeerRequest)
    gateway.socket.close()
