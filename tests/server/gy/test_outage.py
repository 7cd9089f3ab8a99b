"""The database away under a real server: everybody is told quickly, and afterwards everything goes on where it was.

Quickly is within the ten seconds for which the gateway and the HTTP client wait.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.server.gy.gateway import Gateway, accepted, balance, funded
from tests.server.live import live_server, settings_for

from qanat.bench.postgres import OwnPostgres
from qanat.wire.diameter.messages import ErrorAnswer


@pytest.fixture
def mortal() -> Iterator[OwnPostgres]:
    with OwnPostgres() as own:
        yield own


def test_while_the_database_is_away_every_front_says_so_quickly_and_then_goes_on(
    tmp_path: Path, mortal: OwnPostgres
) -> None:
    settings = settings_for(tmp_path, store={"database": mortal.create("q")})
    with live_server(tmp_path, settings) as live:
        funded(live)
        accepted(live)
        with Gateway(live) as gateway:
            assert gateway.introduce().result_code == 2001
            assert gateway.ask("I").result_code == 2001
            mortal.kill()
            answers = [gateway.ask("U", used=(1, 2))] + [again(gateway) for _ in range(20)]
            assert {(type(answer), answer.result_code) for answer in answers} == {(ErrorAnswer, 3004)}
            assert live.get("/v1/subscribers/alice/balance").status_code == 503
            assert live.post("/v1/subscribers", {"name": "bob"}).status_code == 503
            mortal.start()
            while isinstance(answer := again(gateway), ErrorAnswer):
                assert answer.result_code == 3004
            assert answer.result_code == 2001
            assert gateway.ask("T", used=(10, 20)).result_code == 2001
            assert balance(live) == (10**9 - 33, 0, 33)
            while (audit := live.get("/v1/audit")).status_code == 503:  # its rows have a connection of their own
                pass
            assert audit.json()["balanced"]


def again(gateway: Gateway) -> Any:
    """Send the last request once more, as gateways do, and return the answer."""
    gateway.send(gateway.last)
    return gateway.receive()
