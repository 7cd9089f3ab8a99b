"""The demander's own count of a trade, on a real interface."""

from __future__ import annotations

import pytest
from tests.agents.conftest import World
from tests.agents.running import FAR
from tests.traffic import datagrams

from qanat.agents.log import JsonLog
from qanat.agents.terminal.own_count import OwnCount
from qanat.clock import ManualClock

pytestmark = pytest.mark.namespaces
DATAGRAM = 20 + 8 + 1000
ARP = 28


@pytest.mark.parametrize("looks", [True, False], ids=["seen at once", "seen at the end"])
def test_a_table_that_another_program_flushes_costs_nothing_of_the_count(quiet_world: World, looks: bool) -> None:
    terminal = quiet_world.terminal
    with terminal.inside(), datagrams(terminal, quiet_world.internet, FAR) as (near, _):
        count = OwnCount("wwan0", free=[], log=JsonLog(ManualClock()))
        count.open()
        for _ in range(10):
            near.send(bytes(1000))
        terminal.run("nft", "flush", "ruleset")
        if looks:
            count.look()
        for _ in range(5):
            near.send(bytes(1000))
        counted = count.finish()
    assert 0 <= counted.up - 15 * DATAGRAM <= 2 * ARP
    assert terminal.run("nft", "list", "tables") == ""
