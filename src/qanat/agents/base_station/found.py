"""How the ports of a gateway were found, kept in its table: whoever takes that down leaves them so.

A counter that counts nothing says it by its name, as rungs say where they end; a table of an earlier version takes it, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from qanat.agents.kernel.link import Link
from qanat.agents.kernel.nft import Nft, Table
from qanat.agents.kernel.offloads import OffloadState

_NAME: Final = re.compile(r"found_(\d+)_(\w+)")


def keep_found(nft: Nft, table: Table, ports: Iterable[Link]) -> None:
    """Keep how these are now; one of which it is known stays as it was found."""
    known = found(nft, table)
    nft.commit([table.add_counter(_name(port)) for port in ports if port.index not in known])


def found(nft: Nft, table: Table) -> dict[int, OffloadState]:
    """Return how ports were found, by the index of each."""
    matches = [match for name in nft.counters(table) if (match := _NAME.fullmatch(name))]
    return {int(match[1]): OffloadState.parse(match[2].replace("_", "+")) for match in matches}


def _name(port: Link) -> str:
    return f"found_{port.index}_{OffloadState.of(port)}".replace("+", "_")
