"""A terminal, its two interfaces, and the world at the far end of both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from tests.namespaces import Namespace, can_make_namespaces, join


@dataclass(frozen=True)
class World:
    """``wwan0`` is metered; ``lan0`` is another way out. The far end of ``wwan0`` is 10.7.0.2, of ``lan0`` 10.8.0.2."""

    terminal: Namespace
    internet: Namespace


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    if not can_make_namespaces():
        pytest.skip("needs root, or `unshare --user --map-root-user --net --mount make test`")
    made = Namespace()
    yield made
    made.close()


@pytest.fixture
def quiet_world(world: World) -> World:
    """Without IPv6 the kernel has nothing to say of its own, and an interface's counters show what a test sent."""
    for namespace, name in ((world.terminal, "wwan0"), (world.internet, "far0")):
        namespace.set(f"ipv6/conf/{name}/disable_ipv6", 1)
    return world


@pytest.fixture
def world(namespace: Namespace) -> Iterator[World]:
    internet = Namespace()
    join(namespace, "wwan0", internet, "far0", net=7)
    join(namespace, "lan0", internet, "far1", net=8)
    # A real wire carries no super-packets; veth would hand them over whole.
    internet.run("ip", "link", "set", "far0", "gso_max_segs", "1")
    yield World(namespace, internet)
    internet.close()
