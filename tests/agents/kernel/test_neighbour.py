"""Neighbours as the kernel knows them."""

from __future__ import annotations

from contextlib import closing
from ipaddress import ip_address

import pytest
from tests.agents.conftest import World

from qanat.agents.kernel.link import Links
from qanat.agents.kernel.neighbour import Neighbours

pytestmark = pytest.mark.namespaces

NEW = ip_address("10.7.0.9")
PHONE = bytes.fromhex("020000000009")


def test_whoever_looks_an_address_up_keeps_nothing_from_whoever_hears_of_it(world: World) -> None:
    with world.terminal.inside(), closing(Links()) as links:
        neighbours = Neighbours(links.find("wwan0"))
    with closing(neighbours):
        world.terminal.run("ip", "neigh", "add", str(NEW), "lladdr", PHONE.hex(":"), "dev", "wwan0")
        neighbours.link_address(NEW)
        assert neighbours.take() == [(NEW, PHONE)]
        assert neighbours.link_address(NEW) == PHONE
