"""Watches whether the cloud-SIM interface is in use: up, and with a default route if it ever had one; and other ways out.

A default route of lower metric through another interface that is up takes the traffic away: that is leaving the link,
as a network manager does it when a better network comes.
"""

from __future__ import annotations

from typing import Final

from qanat.agents.kernel import netlink
from qanat.agents.kernel.link import LINK_GROUP, Link, Links, NoSuchInterface
from qanat.agents.kernel.netlink import EventsLost
from qanat.agents.kernel.route import PARKED, Route, Routes

_ROUTE4_GROUP: Final = 7
_ROUTE6_GROUP: Final = 11


class LinkWatch:
    """Readable when something may have changed; ``look`` and ``is_used`` then tell how things are."""

    def __init__(self, interface: str) -> None:
        self.interface = interface
        self._index = 0
        self._events = netlink.Events(netlink.ROUTE, (LINK_GROUP, _ROUTE4_GROUP, _ROUTE6_GROUP))
        self._links = Links()
        self._routes = Routes()
        self._had_default_route = False
        self._ways = self._ways_now()

    def fileno(self) -> int:
        return self._events.fileno()

    def take(self) -> None:
        """Forget the events heard so far; what they were about is looked up."""
        try:
            self._events.take()
        except EventsLost:
            return

    def look(self) -> Link | None:
        """Return the interface if it is there."""
        try:
            link = self._links.find(self.interface)
        except NoSuchInterface:
            return None
        self._index = link.index
        return link

    @property
    def other_name(self) -> str:
        """How the interface that was seen last is called now, if it is there under another name."""
        names = (link.name for link in self._links.all() if link.index == self._index)
        return next((name for name in names if name != self.interface), "")

    def has_new_way(self) -> bool:
        """Tell whether an interface came up, or a default route came, since this was last asked."""
        before, self._ways = self._ways, self._ways_now()
        return not self._ways <= before

    def is_used(self, link: Link) -> bool:
        own = [*self._routes.defaults(link), *self._routes.defaults(link, table=PARKED)]
        self._had_default_route = self._had_default_route or bool(own)
        is_chosen = not self._had_default_route or any(self._is_preferred(route) for route in own)
        return link.is_up and is_chosen

    def _ways_now(self) -> set[tuple[int, int]]:
        """Return the interfaces that are up and, of these, the default routes by family."""
        up = {link.index for link in self._links.all() if link.is_up}
        routes = {(route.interface, route.family) for route in self._routes.all_defaults() if route.interface in up}
        return routes | {(index, 0) for index in up}

    def _is_preferred(self, own: Route) -> bool:
        better = {
            route.interface
            for route in self._routes.all_defaults()
            if route.family == own.family and route.interface != own.interface and route.metric < own.metric
        }
        return not any(link.is_up for link in self._links.all() if link.index in better)

    def close(self) -> None:
        for each in (self._events, self._links, self._routes):
            each.close()
