"""The gate's table in the kernel: what its rules say, how it is laid, and how one that stands is known again.

A table is laid whole or replaced whole, each in one transaction: there is no moment without one in between. It may stand
before its interface is there, since its rules know that by its name; by its index too, from then on.
"""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from qanat.agents.kernel import nft
from qanat.agents.kernel.lay import ForeignTable, comment_on, plain_name, run_nft
from qanat.agents.kernel.nft import Nft, Table
from qanat.agents.kernel.offloads import OffloadState
from qanat.agents.terminal.gate import NOTHING, Reading
from qanat.errors import Fault
from qanat.system import fresh_id
from qanat.units import Octets
from qanat.wire.dns import ANSWER_MAX, QUESTION_MAX

KINDS: Final = ("passed", "signalling", "upkeep", "refused")
"""What the gate counts, each in both directions."""
_VERSION: Final = 3
"""2 had no way for the agent's own questions to the DNS."""
_COMMENT: Final = re.compile(r"qanat-gate/([23]) (\S+) (\d+) (\S+)")
LOOPBACK: Final = "lo"
OTHERS_NEED_IT: Final = (
    "it is this machine's own loopback, which all of it needs: meter the interface that leads to the network"
)
_NOBODY: Final = 0
"""The index of an interface that is not there."""

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
    version: int = _VERSION

    @property
    def is_whole(self) -> bool:
        """Whether it is what would be laid now: not for an interface that was not there yet, nor by an earlier version."""
        return self.index != _NOBODY and self.version == _VERSION

    def __str__(self) -> str:
        return f"qanat-gate/{self.version} {self.meter} {self.index} {self.found}"


def table_for(interface: str) -> Table:
    """Return the table of an interface's gate. Raises BadInput for a name that nft could read as more than a name."""
    return Table(nft.INET, f"qanat_terminal_{plain_name(interface)}")


def meter_in(comment: str) -> str | None:
    """Return the meter that a table's comment names; None when the table is not a gate of ours."""
    laid = _read(comment)
    return None if laid is None else laid.meter


def laid_in(nft: Nft, table: Table) -> Laid | None:
    """Return how the standing table was laid, None when there is none. Raises ForeignTable."""
    comment = comment_on(nft, table)
    if comment is None:
        return None
    laid = _read(comment)
    if laid is None:
        raise ForeignTable(
            f"nftables table inet {table.name} was not laid by this version of Qanat: "
            f"`nft delete table inet {table.name}` removes it, together with what it has counted"
        )
    return laid


def refuse_another_names_gate(nft: Nft, interface: str, index: int) -> None:
    """Behind the gate that this interface had before it was renamed nothing would ever pass. Raises ForeignTable."""
    for name, comment in nft.comments(table_for(interface).family):
        laid = _read(comment)
        if laid is not None and laid.index == index and name != table_for(interface).name:
            raise ForeignTable(
                f"{interface} had another name when nftables table inet {name} was laid for it: rename it "
                f"back, or `nft delete table inet {name}` removes the table, together with what it has counted"
            )


def lay(interface: str, laid: Laid, *, counted: Reading, instead: bool = False) -> None:
    """Lay a shut gate that counts on from here; ``instead`` of the one that stands. Raises NftMissing, KernelFault."""
    table = table_for(interface).name
    ruleset = _RULESET.format(
        table=table,
        comment=laid,
        interface=interface,
        discovery=_DISCOVERY,
        membership=_MEMBERSHIP,
        asking=_ASKING,
        question=_HEADERS + QUESTION_MAX,
        answer=_HEADERS + ANSWER_MAX,
        counts=_counts(counted),
    )
    without = f"add table inet {table}\ndelete table inet {table}\n"  # whether or not it is there by now
    run_nft(without * instead + ruleset)


class NeverGated(Fault):
    """The loopback has no gate."""


def lay_in_advance(interface: str) -> bool:
    """Have a gate stand for whatever comes up under this name; return whether there was none.

    One that stands is left as it is. Raises NeverGated, NftMissing, KernelFault, ForeignTable, BadInput.
    """
    if interface == LOOPBACK:
        raise NeverGated(f"{interface} is not shut: {OTHERS_NEED_IT}")
    with closing(Nft()) as nft:
        if laid_in(nft, table_for(interface)) is not None:
            return False
    nobody = Laid(meter=fresh_id("mtr"), index=_NOBODY, found=OffloadState(0, frozenset()))
    lay(interface, nobody, counted=Reading(passed=NOTHING))
    return True


def _read(comment: str) -> Laid | None:
    match = _COMMENT.fullmatch(comment)
    if match is None:
        return None
    version, meter, index, found = match.groups()
    return Laid(meter=meter, index=int(index), found=OffloadState.parse(found), version=int(version))


def _counts(reading: Reading) -> dict[str, Octets]:
    """Return the figure of each counter by its name."""
    both = {kind: getattr(reading, kind) for kind in KINDS}
    return {f"{kind}_{way}": getattr(octets, way) for kind, octets in both.items() for way in ("up", "down")}
