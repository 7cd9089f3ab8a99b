"""The gate in the kernel: nothing passes on the metered interface but what a quota object covers, to the octet.

Its table stays when this process dies: closed at its last ceiling. Down is counted where packets come in (prerouting, before
fragments are joined), up where they go out (output and forward, after all other rules), so the counts are those of the
interface. Other interfaces are not touched. The interface is known by its name, so that one made anew is shut, and by its
index, so that another name opens nothing.

Never charged: TCP to and from the Qanat servers; and, within a rate, the agent's own questions to the DNS and their
answers, known by a port that it holds (what is forwarded could claim the port, and is not looked at); IPv6 neighbour
discovery, its multicast membership, and packet-too-big, without which an open connection would hang. What exceeds the rate is
charged like everything else. Packet sockets (a DHCP client's first request) and ARP do not go through netfilter at all. Up,
netfilter sees a datagram before it is cut into fragments or, with UDP_SEGMENT, into datagrams: their further headers
(20 to 28 octets each) are not charged. A multicast packet of our own that the kernel loops back is charged as received.

The layout of the table is ``gate_table``'s, renewal ``ladder``'s.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import ExitStack, closing, suppress
from typing import Final

from qanat.agents.kernel import nft
from qanat.agents.kernel.climb import Climb
from qanat.agents.kernel.fence import wait_for_packets_in_flight
from qanat.agents.kernel.ladder import Key, Ladder
from qanat.agents.kernel.link import Links, UpDown
from qanat.agents.kernel.netlink import EventsLost, KernelFault
from qanat.agents.kernel.nft import Depletions, Nft, TableGone
from qanat.agents.kernel.offloads import OffloadState, make_countable, put_back
from qanat.agents.kernel.route import Routes
from qanat.agents.signalling import Endpoint, let_through
from qanat.agents.terminal.gate import NOTHING, Carried, GateEvent, Reading, uncounted
from qanat.agents.terminal.gate_table import KINDS, Laid, laid_in, lay, refuse_another_names_gate, table_for
from qanat.system import fresh_id
from qanat.units import Octets

_LABEL: Final = "terminal"
_SPLIT_LEAST: Final = 512 * 1024
"""Less is one rung: two small ones would be dry before anybody can have heard of the first."""


class KernelGate:
    """Adopts the gate that stands, or lays one. Raises NoSuchInterface, NftMissing, ForeignTable, KernelFault."""

    def __init__(
        self,
        interface: str,
        *,
        signalling: Iterable[Endpoint],
        asks_from: Collection[int] = (),
        carried: Carried | None = None,
    ) -> None:
        self._table = table_for(interface)
        self._built_on: tuple[Octets, Octets] | None = None
        with ExitStack() as sockets:
            self._links = sockets.enter_context(closing(Links()))
            self._link = self._links.find(interface)
            self._nft = sockets.enter_context(closing(Nft()))
            self._laid = self._have_table(carried)
            self._nft.make_hold_too(self._table, "metered", nft.interface_key(self._link.index))
            # Listen before the first look, so that nothing falls between.
            self._depletions = sockets.enter_context(closing(Depletions(self._table)))
            self._offloads = make_countable(self._links, self._link)
            sockets.enter_context(closing(Routes())).refresh()
            self.allow_signalling(set(signalling))
            self._let_ask(asks_from)
            self._climb = self._adopt_ladder()
            self._ladder = self._climb.ladder
            self._follow_interface()
            self._advance()
            sockets.callback(self._ask_no_more)
            self._sockets = sockets.pop_all()

    @property
    def interface(self) -> str:
        return self._link.name

    @property
    def meter(self) -> str:
        return self._laid.meter

    @property
    def stays_shut(self) -> bool:
        return True

    @property
    def ceiling(self) -> Octets:
        return self._ladder.ceiling

    def raise_to(self, ceiling: Octets) -> None:
        """Let octets pass up to this running total, and not one more. Takes effect at once, or as rungs run dry."""
        assert ceiling >= self.ceiling, "a ceiling only rises; close() lowers it"
        self._ladder.ceiling = ceiling
        if self._ladder.is_shut:
            self._rebuild(least=1)
        else:
            self._climb.extend()

    def reading(self) -> Reading:
        octets = {name: counter.octets for name, counter in self._nft.counters(self._table).items()}
        if not octets:
            raise TableGone(self._table)
        return Reading(**{kind: UpDown(octets[f"{kind}_up"], octets[f"{kind}_down"]) for kind in KINDS})

    def close(self) -> Reading:
        self._climb.fence()
        self._built_on = None
        wait_for_packets_in_flight()
        final = self.reading()
        self._ladder.ceiling = final.passed.total
        return final

    def allow_signalling(self, servers: Collection[Endpoint]) -> None:
        let_through(self._nft, self._table, servers)

    def fileno(self) -> int:
        return self._depletions.fileno()

    def take_events(self) -> list[GateEvent]:
        try:
            self._climb.heard(self._depletions.take())
        except EventsLost:
            if laid_in(self._nft, self._table) is None:
                raise TableGone(self._table) from None
            self._climb.look()
        return self._advance()

    def describe(self) -> str:
        return (
            f"the kernel stops {self.interface} at the octet and keeps it stopped without this program"
            f"{uncounted(self._offloads)}"
        )

    def detach(self) -> None:
        self._sockets.close()

    def remove(self) -> None:
        self._nft.commit([self._table.delete()])
        if self._laid.index == self._link.index:
            put_back(self._links, self._link, self._laid.found)
        self.detach()

    def _have_table(self, carried: Carried | None) -> Laid:
        """Take up the table that stands, or lay one. One that would be laid otherwise now is replaced; its counts go on, shut."""
        standing = laid_in(self._nft, self._table)
        if standing is not None and standing.is_whole:
            return standing
        refuse_another_names_gate(self._nft, self._link.name, self._link.index)
        if standing is not None:
            carried = carried or self._carry(standing)
        laid = Laid(
            meter=carried.meter if carried else fresh_id("mtr"), index=self._link.index, found=self._found(standing)
        )
        counted = carried.reading if carried else Reading(passed=NOTHING)
        lay(self._link.name, laid, counted=counted, instead=standing is not None)
        return laid

    def _found(self, standing: Laid | None) -> OffloadState:
        """Return the interface's offloads before any gate changed them."""
        if standing is not None and standing.index == self._link.index:
            return standing.found
        return OffloadState.of(self._link)

    def _carry(self, standing: Laid) -> Carried:
        """Shut the gate that stands, so that what it charges stands still."""
        self._adopt_ladder().fence()
        wait_for_packets_in_flight()
        return Carried(meter=standing.meter, reading=self.reading())

    def _let_ask(self, ports: Collection[int]) -> None:
        self._nft.make_hold(self._table, "asks_from", {nft.port_key(port) for port in ports})

    def _ask_no_more(self) -> None:
        """From now on anybody may have the port."""
        with suppress(KernelFault):  # another program deleted the table
            self._let_ask(())

    def _adopt_ladder(self) -> Climb:
        """Find the rungs that stand, whichever interface index they are for."""
        standing = self._nft.elements(self._table, "a_of")
        key = Key("", next(iter(standing), nft.interface_key(self._link.index)))
        ladder = Ladder(table=self._table, label=_LABEL, keys=[key], ceiling=self.reading().passed.total)
        climb = Climb(self._nft, ladder)
        climb.adopt(self._nft.quotas(self._table))
        return climb

    def _follow_interface(self) -> None:
        """If the interface was made anew it has been shut since: let it have the rungs of the old one."""
        key = Key("", nft.interface_key(self._link.index))
        if self._ladder.keys == [key]:
            return
        self._climb.fence()
        self._ladder.keys = [key]
        self._rebuild(least=1)

    def _advance(self) -> list[GateEvent]:
        """Rotate past every dry rung; when none is left, give back the remainders or say that the gate is shut."""
        events = [GateEvent.LOWER] * self._climb.rotate()
        if events and self._ladder.is_shut and not self._rebuild(least=self._link.mtu):
            events[-1] = GateEvent.SHUT
        return events

    def _rebuild(self, *, least: int) -> bool:
        """Open the shut gate on the exact count if at least so much is allowed; return whether it is open.

        Not twice on the same figures: the packet that did not fit would not fit again.
        """
        wait_for_packets_in_flight()
        figures = (self._ladder.ceiling, self.reading().passed.total)
        ceiling, passed = figures
        if ceiling - passed < least or figures == self._built_on:
            return False
        self._built_on = figures
        if ceiling - passed >= _SPLIT_LEAST:
            self._ladder.ends = (Octets((passed + ceiling) // 2),)
        self._climb.rebuild(passed=passed)
        return True
