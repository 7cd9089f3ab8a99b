"""Makes an interface countable: one packet in the kernel's counters for one on the wire, as far as it can be had.

Up: ``gso_max_segs 1`` keeps TCP from handing down super-packets; connections made before keep their old way until they
look their route up again (``Routes.refresh``). Down: GRO and LRO off. What an application itself sends in bulk
(UDP_SEGMENT) is still one packet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from qanat.agents.kernel import ethtool
from qanat.agents.kernel.ethtool import Offload
from qanat.agents.kernel.link import Link, Links
from qanat.agents.kernel.netlink import KernelFault

_MERGING: Final = (Offload.GRO, Offload.LRO)


@dataclass(frozen=True, slots=True)
class OffloadState:
    """How an interface was found; its text is kept where it outlives the process."""

    gso_max_segs: int
    merging: frozenset[Offload]

    @classmethod
    def of(cls, link: Link) -> Self:
        return cls(link.gso_max_segs, frozenset(each for each in _MERGING if ethtool.is_on(link.name, each)))

    @classmethod
    def parse(cls, text: str) -> Self:
        segments, _, names = text.partition("+")
        return cls(int(segments), frozenset(Offload[name] for name in names.split("+") if name))

    def __str__(self) -> str:
        return "+".join([str(self.gso_max_segs), *sorted(each.name for each in self.merging)])


def make_countable(links: Links, link: Link) -> list[str]:
    """Switch off what merges packets; return the names of what could not be switched off."""
    left = [each.name for each in _MERGING if not ethtool.switch(link.name, each, on=False)]
    return left if _bound_segments(links, link, 1) else ["GSO", *left]


def still_merging(link: Link) -> list[str]:
    """Return the names of what merges packets on this interface, without touching it."""
    on = [each.name for each in _MERGING if ethtool.is_on(link.name, each)]
    return on if link.gso_max_segs == 1 else ["GSO", *on]


def put_back(links: Links, link: Link, state: OffloadState) -> None:
    """Leave the interface as it was found, as far as it lets itself."""
    _bound_segments(links, link, state.gso_max_segs)
    for each in state.merging:
        ethtool.switch(link.name, each, on=True)


def _bound_segments(links: Links, link: Link, segments: int) -> bool:
    try:
        links.set_gso_max_segs(link, segments)
    except KernelFault:
        return False
    return links.find(link.name).gso_max_segs == segments
