"""What the base station lays into the kernel: one table that is closed until a grant opens it, and the names in it.

Forwarding between the access side and the uplink is counted and stopped here, for IPv4 and IPv6 alike. A packet from
the access side passes only if its sender's address is bound to the link address it came from, and while one of its
owner's two rungs has octets left. An access side that was given another name passes nothing. Everything is looked up in
maps, so ten thousand terminals cost no more than one.

Never charged: TCP to and from the Qanat servers. What the base station itself offers (its page, DHCP, DNS) is not
forwarded, and so not touched. A browser's plain HTTP is led to the page until its address is bound.
How a demander's two rungs take turns is ``ladder``'s (docs/decisions/0018).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from qanat.agents.kernel import nft
from qanat.agents.kernel.ladder import Key
from qanat.agents.kernel.lay import plain_name
from qanat.agents.kernel.nft import Table

PORTAL_PORT: Final = 8910
LABEL: Final = re.compile(r"[ud]_(s\d+)")

_RULESET: Final = """
create table inet {table} {{ comment "{comment}"; }}
table inet {table} {{
  counter forged {{}}
  counter refused_up {{}}
  counter refused_dn {{}}
  counter signalling_up {{}}
  counter signalling_dn {{}}
  set access_side {{ type iface_index; }}
  set servers4 {{ type ipv4_addr . inet_service; }}
  set servers6 {{ type ipv6_addr . inet_service; }}
  set bound4 {{ type ether_addr . ipv4_addr; }}
  set bound6 {{ type ether_addr . ipv6_addr; }}
  map a_of4 {{ type ipv4_addr : quota; }}
  map a_of6 {{ type ipv6_addr : quota; }}
  map b_of4 {{ type ipv4_addr : quota; }}
  map b_of6 {{ type ipv6_addr : quota; }}
  map up_of4 {{ type ipv4_addr : counter; }}
  map up_of6 {{ type ipv6_addr : counter; }}
  map dn_of4 {{ type ipv4_addr : counter; }}
  map dn_of6 {{ type ipv6_addr : counter; }}
  chain portal {{
    type nat hook prerouting priority -100; policy accept;
    iifname != "{access}" accept
    ether saddr . ip saddr != @bound4 tcp dport 80 redirect to :{port}
    ether saddr . ip6 saddr != @bound6 tcp dport 80 redirect to :{port}
  }}
  chain up4 {{
    ip daddr . tcp dport @servers4 counter name signalling_up accept
    ether saddr . ip saddr != @bound4 goto strangers
    quota name ip saddr map @a_of4 counter name ip saddr map @up_of4 accept
    quota name ip saddr map @b_of4 counter name ip saddr map @up_of4 accept
    counter name refused_up reject with icmpx admin-prohibited
  }}
  chain up6 {{
    ip6 daddr . tcp dport @servers6 counter name signalling_up accept
    ether saddr . ip6 saddr != @bound6 goto strangers
    quota name ip6 saddr map @a_of6 counter name ip6 saddr map @up_of6 accept
    quota name ip6 saddr map @b_of6 counter name ip6 saddr map @up_of6 accept
    counter name refused_up reject with icmpx admin-prohibited
  }}
  chain strangers {{
    ip saddr @up_of4 counter name forged drop
    ip6 saddr @up_of6 counter name forged drop
    counter name refused_up reject with icmpx admin-prohibited
  }}
  chain down4 {{
    ip saddr . tcp sport @servers4 counter name signalling_dn accept
    quota name ip daddr map @a_of4 counter name ip daddr map @dn_of4 accept
    quota name ip daddr map @b_of4 counter name ip daddr map @dn_of4 accept
    counter name refused_dn drop
  }}
  chain down6 {{
    ip6 saddr . tcp sport @servers6 counter name signalling_dn accept
    quota name ip6 daddr map @a_of6 counter name ip6 daddr map @dn_of6 accept
    quota name ip6 daddr map @b_of6 counter name ip6 daddr map @dn_of6 accept
    counter name refused_dn drop
  }}
  chain gate {{
    type filter hook forward priority 0; policy drop;
    iifname != "{access}" iif != @access_side oifname != "{access}" oif != @access_side accept
    iifname "{access}" oifname "{uplink}" meta nfproto ipv4 goto up4
    iifname "{access}" oifname "{uplink}" meta nfproto ipv6 goto up6
    iifname "{uplink}" oifname "{access}" meta nfproto ipv4 goto down4
    iifname "{uplink}" oifname "{access}" meta nfproto ipv6 goto down6
  }}
}}
"""


def ruleset(table: Table, *, comment: str, access: str, uplink: str, portal_port: int) -> str:
    return _RULESET.format(table=table.name, comment=comment, access=access, uplink=uplink, port=portal_port)


def table_for(access: str) -> Table:
    """Return the table of a base station. Raises BadInput for a name that nft could read as more than a name."""
    return Table(nft.INET, f"qanat_station_{plain_name(access)}")


def key_of(address: IPv4Address | IPv6Address) -> Key:
    return Key(str(address.version), address.packed)


def address_of(key: Key) -> IPv4Address | IPv6Address:
    return ip_address(key.octets)


def bound_key(link_address: bytes, key: Key) -> bytes:
    """Pack an element of ``bound``: each part is filled up to four octets."""
    return link_address + bytes(2) + key.octets


def up(label: str) -> str:
    return f"u_{label}"


def down(label: str) -> str:
    return f"d_{label}"


def collections(*names: str) -> Sequence[str]:
    return [f"{name}{suffix}" for name in names for suffix in ("4", "6")]
