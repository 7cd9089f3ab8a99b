"""The gate in the kernel: nothing passes on the metered interface but what a quota object covers, to the octet.

The table is laid once, by one ``nft -f`` transaction, and stays when this process dies: closed at its last ceiling.
Down is counted where packets come in (prerouting, before fragments are joined), up where they go out (output and
forward, after all other rules), so the counts are those of the interface. Other interfaces are not touched. The
interface is known by its name, so that one made anew is shut, and by its index, so that another name opens nothing.

Never charged: TCP to and from the Qanat servers; and, within a rate, the agent's own questions to the DNS and their
answers, known by a port that it holds (what is forwarded could claim the port, and is not looked at); IPv6 neighbour
discovery, its multicast membership, and packet-too-big, without which an open connection would hang. What exceeds the rate is
charged like everything else. Packet sockets (a DHCP client's first request) and ARP do not go through netfilter at all. Up,
netfilter sees a datagram before it is cut into fragments or, with UDP_SEGMENT, into datagrams: their further headers
(20 to 28 octets each) are not charged. A multicast packet of our own that the kernel loops back is charged as received.

The layout of the table is decided here, renewal in ``ladder``.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Collection, Iterable
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from typing import Final

from qanat.agents.kernel import nft
from qanat.agents.kernel.climb import Climb
from qanat.agents.kernel.fence import wait_for_packets_in_flight
from qanat.agents.kernel.ladder import Key, Ladder
from qanat.agents.kernel.lay import ForeignTable, run_nft
from qanat.agents.kernel.link import Links, UpDown
from qanat.agents.kernel.netlink import EventsLost, KernelFault
from qanat.agents.kernel.nft import Depletions, Nft, Table, TableGone
from qanat.agents.kernel.offloads import OffloadState, make_countable, put_back
from qanat.agents.kernel.route import Routes
from qanat.agents.signalling import Endpoint, let_through
from qanat.agents.terminal.gate import NOTHING, Carried, GateEvent, Reading, uncounted
from qanat.errors import BadInput
from qanat.system import fresh_id
from qanat.units import Octets
from qanat.wire.dns import ANSWER_MAX, QUESTION_MAX

_LABEL: Final = "terminal"
_COMMENT: Final = re.compile(r"qanat-gate/([23]) (\S+) (\d+) (\S+)")
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,15}")

_RULESET: Final = """
create table inet {table} {{ comment "{comment}"; }}
table inet {table} {{
  counter passed_up {{ packets 0 bytes {counts[passed_up]} }}
  counter passed_down {{ packets 0 bytes {counts[passed_down]} }}
  counter signalling_up {{ packets 0 bytes {counts[signalling_up]} }}
  counter signalling_down {{ packets 0 bytes {counts[signalling_down]} }}
  counter upkeep_up {{ packets 0 bytes {counts[upkeep_up]} }}
  counter upkeep_down {{ packets 0 bytes {counts[upkeep_down]} }}
  counter refused_up {{ packets 0 bytes {counts[refused_up]} }}
  counter refused_down {{ packets 0 bytes {counts[refused_down]} }}
  set metered {{ type iface_index; }}
  map a_of {{ type iface_index : quota; }}
  map b_of {{ type iface_index : quota; }}
  set servers4 {{ type ipv4_addr . inet_service; }}
  set servers6 {{ type ipv6_addr . inet_service; }}
  set asks_from {{ type inet_service; }}
  chain down {{
    type filter hook prerouting priority -450; policy accept;
    iifname != "{interface}" iif != @metered accept
    ip saddr . tcp sport @servers4 counter name signalling_down accept
    ip6 saddr . tcp sport @servers6 counter name signalling_down accept
    udp sport 53 udp dport @asks_from meta length <= {answer} {asking} counter name signalling_down accept
    ip6 hoplimit 255 icmpv6 type {discovery} limit rate 100/second counter name upkeep_down accept
    ip6 hoplimit 1 icmpv6 type {membership} limit rate 100/second counter name upkeep_down accept
    icmp type destination-unreachable icmp code frag-needed limit rate 10/second counter name upkeep_down accept
    icmpv6 type packet-too-big limit rate 10/second counter name upkeep_down accept
    quota name meta iif map @a_of counter name passed_down accept
    quota name meta iif map @b_of counter name passed_down accept
    counter name refused_down drop
  }}
  chain up {{
    ip daddr . tcp dport @servers4 counter name signalling_up accept
    ip6 daddr . tcp dport @servers6 counter name signalling_up accept
    ip6 hoplimit 255 icmpv6 type {discovery} limit rate 100/second counter name upkeep_up accept
    ip6 hoplimit 1 icmpv6 type {membership} limit rate 100/second counter name upkeep_up accept
    quota name meta oif map @a_of counter name passed_up accept
    quota name meta oif map @b_of counter name passed_up accept
    counter name refused_up drop
  }}
  chain own {{
    udp sport @asks_from udp dport 53 meta length <= {question} {asking} counter name signalling_up accept
    goto up
  }}
  chain output {{
    type filter hook output priority 1000; policy accept;
    oifname "{interface}" goto own
    oif @metered goto own
  }}
  chain forward {{
    type filter hook forward priority 1000; policy accept;
    oifname "{interface}" goto up
    oif @metered goto up
  }}
}}
"""
_SPLIT_LEAST: Final = 512 * 1024
"""Less is one rung: two small ones would be dry before anybody can have heard of the first."""
_KINDS: Final = ("passed", "signalling", "upkeep", "refused")
_DISCOVERY: Final = "{ nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert }"
_MEMBERSHIP: Final = "{ mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report }"
_ASKING: Final = "limit rate 1/second burst 20 packets"
"""Enough for every try of one question, and for whoever takes up the port of an agent that was killed next to nothing."""
_HEADERS: Final = 40 + 8
"""Octets of IPv6 and UDP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Laid:
    """What the table's own comment says about how it was laid."""

    meter: str
    index: int
    found: OffloadState
    """The interface's offloads before the gate changed them."""
    lets_ask: bool
    """Whether it lets the agent ask the DNS: tables that an earlier version laid go on without."""


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
            self._laid = self._read_laid() or self._lay(carried)
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
        return Reading(**{kind: UpDown(octets[f"{kind}_up"], octets[f"{kind}_down"]) for kind in _KINDS})

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
            if self._read_laid() is None:
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

    def _read_laid(self) -> Laid | None:
        """Return how the standing table was laid, None when there is none."""
        try:
            comment = self._nft.comment(self._table)
        except KernelFault as fault:
            if fault.code == errno.ENOENT:
                return None
            raise
        match = _COMMENT.fullmatch(comment)
        if match is None:
            raise ForeignTable(
                f"nftables table inet {self._table.name} was not laid by this version of Qanat: "
                f"`nft delete table inet {self._table.name}` removes it, together with what it has counted"
            )
        return Laid(
            meter=match[2], index=int(match[3]), found=OffloadState.parse(match[4]), lets_ask=int(match[1]) >= 3
        )

    def _lay(self, carried: Carried | None) -> Laid:
        self._refuse_another_names_gate()
        found = OffloadState.of(self._link)
        meter = carried.meter if carried else fresh_id("mtr")
        laid = Laid(meter=meter, index=self._link.index, found=found, lets_ask=True)
        comment = f"qanat-gate/3 {laid.meter} {laid.index} {found}"
        run_nft(
            _RULESET.format(
                table=self._table.name,
                comment=comment,
                interface=self._link.name,
                discovery=_DISCOVERY,
                membership=_MEMBERSHIP,
                asking=_ASKING,
                question=_HEADERS + QUESTION_MAX,
                answer=_HEADERS + ANSWER_MAX,
                counts=_counts(carried.reading if carried else Reading(passed=NOTHING)),
            )
        )
        return laid

    def _refuse_another_names_gate(self) -> None:
        """Behind the gate that this interface had before it was renamed nothing would ever pass."""
        for name, comment in self._nft.comments(self._table.family):
            match = _COMMENT.fullmatch(comment)
            if match is not None and int(match[3]) == self._link.index:
                raise ForeignTable(
                    f"{self._link.name} had another name when nftables table inet {name} was laid for it: rename it "
                    f"back, or `nft delete table inet {name}` removes the table, together with what it has counted"
                )

    def _let_ask(self, ports: Collection[int]) -> None:
        if self._laid.lets_ask:
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


def table_for(interface: str) -> Table:
    """Return the table of an interface's gate. Raises BadInput for a name that nft could read as more than a name."""
    if not _NAME.fullmatch(interface):
        raise BadInput(
            f"{interface!r} can't be metered under that name: rename it to letters, digits, '.', '_' or '-'",
            field="interface",
        )
    return Table(nft.INET, f"qanat_terminal_{interface}")


def meter_in(comment: str) -> str | None:
    """Return the meter that a table's comment names; None when the table is not a gate of ours."""
    match = _COMMENT.fullmatch(comment)
    return match[2] if match else None


def _counts(reading: Reading) -> dict[str, Octets]:
    """Return the figure of each counter by its name."""
    both = {kind: getattr(reading, kind) for kind in _KINDS}
    return {f"{kind}_{way}": getattr(octets, way) for kind, octets in both.items() for way in ("up", "down")}
