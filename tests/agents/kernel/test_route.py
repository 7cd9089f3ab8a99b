"""Default routes: parked, kept reachable, put back as they were."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from ipaddress import ip_address
from typing import Any

import pytest
from tests.agents.conftest import World
from tests.namespaces import Namespace

from qanat.agents.kernel.link import Link, Links
from qanat.agents.kernel.route import Routes

pytestmark = pytest.mark.namespaces

KEPT = [ip_address("192.0.2.1"), ip_address("2001:db8::1")]


@pytest.fixture
def routes(world: World) -> Iterator[tuple[Routes, Link]]:
    for route in (
        "-4 route add default via 10.7.0.2 dev wwan0 metric 50 proto dhcp",
        "-6 route add default via fd00:7::2 dev wwan0 metric 70",
        "-4 route add default via 10.8.0.2 dev lan0 metric 90",
    ):
        world.terminal.run("ip", *route.split())
    with world.terminal.inside():
        made, links = Routes(), Links()
    with closing(made), closing(links):
        yield made, links.find("wwan0")


def table(namespace: Namespace) -> list[Any]:
    return [json.loads(namespace.run("ip", *family, "-j", "route", "show")) for family in ([], ["-6"])]


def way_to(namespace: Namespace, host: str) -> str:
    (found,) = json.loads(namespace.run("ip", "-j", "route", "get", host))
    return str(found["dev"])


def test_only_the_interfaces_own_defaults_are_listed(routes: tuple[Routes, Link]) -> None:
    made, link = routes
    assert [(route.family, route.interface) for route in made.defaults(link)] == [(2, link.index), (10, link.index)]


def test_an_interface_leads_only_where_one_of_its_routes_leads(world: World, routes: tuple[Routes, Link]) -> None:
    """A socket bound to it would ask for anything else on the link itself."""
    made, link = routes
    assert all(made.leads_to(link, host) for host in (*KEPT, ip_address("10.7.0.2"), ip_address("fd00:7::2")))
    world.terminal.run("ip", "route", "del", "default", "dev", "wwan0")
    world.terminal.run("ip", "-6", "route", "del", "default", "dev", "wwan0")
    assert not any(made.leads_to(link, host) for host in KEPT)
    assert made.leads_to(link, ip_address("10.7.0.2"))


def test_parked_routes_carry_nothing_but_the_kept_hosts(world: World, routes: tuple[Routes, Link]) -> None:
    made, link = routes
    assert way_to(world.terminal, "198.51.100.1") == "wwan0"
    assert made.park(link, keep=KEPT)
    assert way_to(world.terminal, "198.51.100.1") == "lan0"
    assert way_to(world.terminal, "192.0.2.1") == "wwan0"
    assert way_to(world.terminal, "2001:db8::1") == "wwan0"
    with pytest.raises(AssertionError, match="unreachable"):
        way_to(world.terminal, "2001:db8::2")


def test_restoring_leaves_the_table_as_it_was_found(world: World, routes: tuple[Routes, Link]) -> None:
    made, link = routes
    before = table(world.terminal)
    made.park(link, keep=KEPT)
    assert table(world.terminal) != before
    assert made.restore(link, kept=KEPT)
    assert table(world.terminal) == before


def test_parking_and_restoring_twice_changes_nothing_more(world: World, routes: tuple[Routes, Link]) -> None:
    made, link = routes
    before = table(world.terminal)
    made.park(link)
    assert not made.park(link)
    assert made.restore(link)
    assert not made.restore(link)
    assert table(world.terminal) == before


def test_parked_routes_outlive_whoever_parked_them(world: World, routes: tuple[Routes, Link]) -> None:
    made, link = routes
    before = table(world.terminal)
    made.park(link, keep=KEPT)
    with world.terminal.inside(), closing(Routes()) as successor:
        assert successor.restore(link, kept=KEPT)
    assert table(world.terminal) == before
