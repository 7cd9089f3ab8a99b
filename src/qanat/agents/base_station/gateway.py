"""The gateway's table in the kernel: laid once, adopted after a crash, and read.

It stays when this process dies: everyone keeps what was granted to him and not an octet more. The gate of one demander
is ``metered``; this is what all of them share.
"""

from __future__ import annotations

import errno
import re
from collections import defaultdict
from collections.abc import Iterable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from qanat.agents.base_station.ruleset import LABEL, collections, down, plain_name, ruleset, table_for, up
from qanat.agents.kernel import nft
from qanat.agents.kernel.ladder import Key, label_of
from qanat.agents.kernel.lay import ForeignTable, run_nft
from qanat.agents.kernel.link import Link, Links, UpDown
from qanat.agents.kernel.netlink import EventsLost, KernelFault
from qanat.agents.kernel.nft import Depletions, Nft, Quota, Table, TableGone
from qanat.agents.kernel.offloads import make_countable
from qanat.system import fresh_id
from qanat.units import Octets

Server = tuple[IPv4Address | IPv6Address, int]
_COMMENT: Final = re.compile(r"qanat-station/1 (\S+) (\S+) (\S+) (\d+)")
_SHARED: Final = ("forged", "refused_up", "refused_dn", "signalling_up", "signalling_dn")


@dataclass(slots=True)
class Standing:
    """What stands in the kernel under one label."""

    keys: list[Key] = field(default_factory=list)
    link_address: bytes = b""
    quotas: dict[str, Quota] = field(default_factory=dict)


class Gateway:
    """Adopts the table that stands, or lays one. Raises NoSuchInterface, NftMissing, ForeignTable, KernelFault."""

    def __init__(self, *, access: str, uplink: str, portal_port: int, signalling: Iterable[Server] = ()) -> None:
        self.table: Table = table_for(access)
        plain_name(uplink)
        with ExitStack() as sockets:
            self._links = sockets.enter_context(closing(Links()))
            self.access: Link = self._links.find(access)
            self.uplink: Link = self._links.find(uplink)
            self.nft = sockets.enter_context(closing(Nft()))
            self.meter = self._adopted(portal_port) or self._lay(portal_port)
            # Listen before the first look, so that nothing falls between.
            self._depletions = sockets.enter_context(closing(Depletions(self.table)))
            self.merging: list[str] = self._make_countable()
            self._allow_signalling(set(signalling))
            self._sockets = sockets.pop_all()

    def fileno(self) -> int:
        return self._depletions.fileno()

    def take_dry(self) -> dict[str, list[str]] | None:
        """Return which rungs ran dry, by label; None when events were lost and everyone has to look. Never waits.

        Raises TableGone.
        """
        try:
            names = self._depletions.take()
        except EventsLost:
            if self._read_comment() is None:
                raise TableGone(self.table) from None
            return None
        found = defaultdict(list)
        for name in names:
            label = label_of(name)
            if label is not None:
                found[label].append(name)
        return found

    def reading(self, label: str) -> UpDown | None:
        """Return what has passed under a label, read by name; None when it has no counters."""
        try:
            counted = (self.nft.counter(self.table, name) for name in (up(label), down(label)))
            return UpDown(*(counter.octets for counter in counted))
        except KernelFault as fault:
            if fault.code == errno.ENOENT:
                return None
            raise

    def readings(self) -> dict[str, UpDown]:
        """Return what has passed under every label, in one pass over the table."""
        counters = self.nft.counters(self.table)
        found = {}
        for name, way_up in counters.items():
            way_down = counters.get(down(name[2:]))
            if way_down is not None and name.startswith("u_") and LABEL.fullmatch(name):
                found[name[2:]] = UpDown(way_up.octets, way_down.octets)
        return found

    def shared(self) -> dict[str, Octets]:
        """Return what was refused, forged, or free of charge, over all."""
        return {name: self.nft.counter(self.table, name).octets for name in _SHARED}

    def standing(self) -> dict[str, Standing]:
        """Return what the kernel holds, by label: how a restart finds its sessions again."""
        found: dict[str, Standing] = {label: Standing() for label in self.readings()}
        owner: dict[tuple[str, bytes], str] = {}
        for name in collections("up_of"):
            for element, target in self.nft.elements(self.table, name).items():
                match = LABEL.fullmatch(target or "")
                if match:
                    found[match[1]].keys.append(Key(name[-1], element))
                    owner[name[-1], element] = match[1]
        for name in collections("bound"):
            for element in self.nft.elements(self.table, name):
                label = owner.get((name[-1], element[8:]))
                if label is not None:
                    found[label].link_address = element[:6]
        for name, quota in self.nft.quotas(self.table).items():
            label = label_of(name)
            if label in found:
                found[label].quotas[name] = quota
        return found

    def close(self) -> None:
        """Let go of the table and leave it standing."""
        self._sockets.close()

    def remove(self) -> None:
        self.nft.commit([self.table.delete()])
        self.close()

    def _adopted(self, portal_port: int) -> str | None:
        comment = self._read_comment()
        if comment is None:
            return None
        match = _COMMENT.fullmatch(comment)
        if (
            match is None
            or (match[2], match[3]) != (self.access.name, self.uplink.name)
            or int(match[4]) != portal_port
        ):
            raise ForeignTable(
                f"nftables table inet {self.table.name} was laid for something else ({comment or 'no comment'}): "
                f"`nft delete table inet {self.table.name}` removes it, together with what it has counted"
            )
        return match[1]

    def _read_comment(self) -> str | None:
        try:
            return self.nft.comment(self.table)
        except KernelFault as fault:
            if fault.code == errno.ENOENT:
                return None
            raise

    def _lay(self, portal_port: int) -> str:
        meter = fresh_id("mtr")
        comment = f"qanat-station/1 {meter} {self.access.name} {self.uplink.name} {portal_port}"
        text = ruleset(
            self.table, comment=comment, access=self.access.name, uplink=self.uplink.name, portal_port=portal_port
        )
        run_nft(text)
        return meter

    def _make_countable(self) -> list[str]:
        """Packets are merged where they come in, so the ports of a bridge or bond count too."""
        sides = {self.access.index, self.uplink.index}
        ports = [link for link in self._links.all() if sides & {link.index, link.master}]
        return [f"{offload} on {link.name}" for link in ports for offload in make_countable(self._links, link)]

    def _allow_signalling(self, servers: set[Server]) -> None:
        for version in (4, 6):
            wanted = {nft.service_key(*server) for server in servers if server[0].version == version}
            self.nft.make_hold(self.table, f"servers{version}", wanted)
