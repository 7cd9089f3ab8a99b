"""The gateway's table in the kernel: laid once, adopted after a crash, and read.

It stays when this process dies: everyone keeps what was granted to him and not an octet more. The gate of one demander
is ``metered``; this is what all of them share.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable
from contextlib import ExitStack, closing
from typing import Final, NamedTuple

from qanat.agents.base_station.found import keep_found
from qanat.agents.base_station.ground import Laid
from qanat.agents.base_station.ruleset import PORTAL_PORT, ruleset, table_for
from qanat.agents.base_station.sides import Sides
from qanat.agents.kernel.ladder import label_of
from qanat.agents.kernel.lay import ForeignTable, comment_on, plain_name, run_nft
from qanat.agents.kernel.netlink import EventsLost
from qanat.agents.kernel.nft import Depletions, Nft, Table, TableGone, interface_key
from qanat.agents.signalling import Endpoint, let_through
from qanat.system import fresh_id
from qanat.units import Octets

_COMMENT: Final = re.compile(r"qanat-station/2 (\S+) (\S+) (\S+) (\d+)")
_IN_ADVANCE: Final = "in-advance"
"""In place of a meter: nobody was online behind this table."""
_SHARED: Final = ("forged", "refused_up", "refused_dn", "signalling_up", "signalling_dn")


class Inscription(NamedTuple):
    """What a table's own comment says: whose counters stand in it, and for what it was laid."""

    meter: str
    access: str
    uplink: str
    portal_port: int

    def __str__(self) -> str:
        return f"qanat-station/2 {self.meter} {self.access} {self.uplink} {self.portal_port}"


class Gateway(Laid):
    """Adopts the table that stands, or lays one, also in place of one that was laid in advance.

    Raises NoSuchInterface, NftMissing, ForeignTable, KernelFault.
    """

    nft: Nft

    def __init__(self, *, access: str, uplink: str, portal_port: int, signalling: Iterable[Endpoint] = ()) -> None:
        self.table: Table = table_for(access)
        plain_name(uplink)
        with ExitStack() as sockets:
            self.nft = sockets.enter_context(closing(Nft()))
            # Before the interfaces are looked for: it knows them by name, and is to stand when they come.
            self.meter = self._adopted(access, uplink, portal_port) or self._lay(access, uplink, portal_port)
            self.sides = sockets.enter_context(closing(Sides(access, uplink)))
            self.nft.make_hold_too(self.table, "access_side", interface_key(self.sides.access.index))
            # Listen before the first look, so that nothing falls between.
            self._depletions = sockets.enter_context(closing(Depletions(self.table)))
            keep_found(self.nft, self.table, self.sides.ports)
            self.merging: list[str] = self.sides.make_countable()
            self.allow_signalling(set(signalling))
            self._sockets = sockets.pop_all()

    @property
    def mtu(self) -> int:
        return self.sides.access.mtu

    def fileno(self) -> int:
        return self._depletions.fileno()

    def take_dry(self) -> dict[str, list[str]] | None:
        """Return which rungs ran dry, by label; None when events were lost and everyone has to look. Never waits.

        Raises TableGone.
        """
        try:
            names = self._depletions.take()
        except EventsLost:
            if comment_on(self.nft, self.table) is None:
                raise TableGone(self.table) from None
            return None
        found = defaultdict(list)
        for name in names:
            label = label_of(name)
            if label is not None:
                found[label].append(name)
        return found

    def shared(self) -> dict[str, Octets]:
        """Return what was refused, forged, or free of charge, over all."""
        return {name: self.nft.counter(self.table, name).octets for name in _SHARED}

    def allow_signalling(self, servers: Collection[Endpoint]) -> None:
        """Let these be reached by everybody, uncharged, and no others; none known leaves those of before."""
        if servers:
            let_through(self.nft, self.table, servers)

    def close(self) -> None:
        """Let go of the table and leave it standing."""
        self._sockets.close()

    def remove(self) -> None:
        self.nft.commit([self.table.delete()])
        self.close()

    def _adopted(self, access: str, uplink: str, portal_port: int) -> str | None:
        standing = inscribed(self.nft, self.table)
        if standing is None or standing.meter == _IN_ADVANCE:
            return None
        if standing[1:] != (access, uplink, portal_port):
            raise ForeignTable(
                f"nftables table inet {self.table.name} was laid for something else ({standing}): "
                f"`qanat station release --access {access}` takes it down and keeps what it has counted"
            )
        return standing.meter

    def _lay(self, access: str, uplink: str, portal_port: int) -> str:
        meter = fresh_id("mtr")
        _lay(meter, access=access, uplink=uplink, portal_port=portal_port)
        return meter


def shut_in_advance(*, access: str, uplink: str) -> bool:
    """Have a table stand behind which nobody is online, also for interfaces that come later; return whether none stood.

    One that stands is left as it is. Raises NftMissing, KernelFault, BadInput.
    """
    with closing(Nft()) as nft:
        if comment_on(nft, table_for(access)) is not None:
            return False
    _lay(_IN_ADVANCE, access=access, uplink=plain_name(uplink), portal_port=PORTAL_PORT)
    return True


def inscribed(nft: Nft, table: Table) -> Inscription | None:
    """Return what the standing table says of itself, None when there is none. Raises ForeignTable."""
    comment = comment_on(nft, table)
    if comment is None:
        return None
    match = _COMMENT.fullmatch(comment)
    if match is None:
        raise ForeignTable(
            f"nftables table inet {table.name} was not laid by this version of Qanat ({comment or 'no comment'}): "
            f"`nft delete table inet {table.name}` removes it, together with what it has counted"
        )
    return Inscription(match[1], match[2], match[3], int(match[4]))


def _lay(meter: str, *, access: str, uplink: str, portal_port: int) -> None:
    table = table_for(access)
    comment = str(Inscription(meter, access, uplink, portal_port))
    without = f"add table inet {table.name}\ndelete table inet {table.name}\n"  # whether or not one was laid in advance
    run_nft(without + ruleset(table, comment=comment, access=access, uplink=uplink, portal_port=portal_port))
