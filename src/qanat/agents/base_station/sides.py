"""The two sides of a gateway and the ports of either: found, made countable, and watched.

What comes later is not what was found: a side that was made anew has another index, one that was down has lost its
neighbours, a port that joins a bridge or bond may merge packets where they come in. Then all of it is looked up anew.
"""

from __future__ import annotations

from contextlib import ExitStack, closing, suppress
from dataclasses import replace

from qanat.agents.kernel import netlink
from qanat.agents.kernel.link import LINK_GROUP, Link, Links, NoSuchInterface
from qanat.agents.kernel.netlink import EventsLost
from qanat.agents.kernel.offloads import make_countable
from qanat.errors import Fault


class SideAnew(Fault):
    """A side or a port is not the one that was found: begin anew from journal and kernel."""


class Sides:
    """Raises NoSuchInterface."""

    def __init__(self, access: str, uplink: str) -> None:
        with ExitStack() as sockets:
            # Listen before the first look, so that nothing falls between.
            self._events = sockets.enter_context(closing(netlink.Events(netlink.ROUTE, [LINK_GROUP])))
            self._links = sockets.enter_context(closing(Links()))
            self.access = self._links.find(access)
            self.uplink = self._links.find(uplink)
            self.ports = self._ports()
            """As they were found."""
            self._sockets = sockets.pop_all()

    def fileno(self) -> int:
        return self._events.fileno()

    @property
    def away(self) -> list[str]:
        """The sides that were away or down when they were looked at last."""
        return [side.name for side in (self.access, self.uplink) if not side.is_up]

    def make_countable(self) -> list[str]:
        """Return what merges packets and can't be switched off."""
        return [f"{each} on {port.name}" for port in self.ports for each in make_countable(self._links, port)]

    def hear(self) -> None:
        """Look at all of it. Never waits. Raises SideAnew."""
        with suppress(EventsLost):
            self._events.take()
        self.access, self.uplink = self._now(self.access), self._now(self.uplink)
        known = {port.index for port in self.ports}
        for port in self._ports():
            if port.index not in known:
                raise SideAnew(f"{port.name} is new here.")

    def close(self) -> None:
        self._sockets.close()

    def _now(self, side: Link) -> Link:
        try:
            now = self._links.find(side.name)
        except NoSuchInterface:
            return replace(side, is_up=False)
        if now.index != side.index or (now.is_up and not side.is_up):
            raise SideAnew(f"{side.name} came up again, or another interface has that name.")
        return now

    def _ports(self) -> list[Link]:
        """Return where packets come in: both sides, and the ports of a bridge or bond."""
        sides = {self.access.index, self.uplink.index}
        return [link for link in self._links.all() if sides & {link.index, link.master}]
