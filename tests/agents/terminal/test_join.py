"""Going online at a base station, where what answers may be none."""

from __future__ import annotations

import socket

import pytest
from tests.agents.scripted import PORTAL, Said, scripted

from qanat.agents.terminal.join import Host
from qanat.errors import Unreachable


@pytest.mark.parametrize(
    "answer",
    [
        PORTAL,
        Said(302, b"", {"location": "http://portal.example/"}),
        Said(503, b'{"title": "Busy"}', {"content-type": "application/problem+json"}),
        Said(200, b'{"place": "\xfc"}'),
        Said(200, b'{"more": ' + b"[" * 100_000),
    ],
)
def test_what_is_no_base_station_is_said_to_be_none(answer: Said) -> None:
    with scripted(answer) as elsewhere, pytest.raises(Unreachable, match="is no base station of Qanat"):
        Host(elsewhere.url).here()


def test_who_finds_no_base_station_is_told_what_to_do() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        with pytest.raises(
            Unreachable,
            match=rf"127\.0\.0\.1:{port} over any route: Connection refused\. Go into its network, or correct --station",
        ):
            Host(f"http://127.0.0.1:{port}").meet()
