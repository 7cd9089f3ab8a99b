"""Diameter peers that may talk to us: by their identity, or a whole realm by ``*.realm``.

A stranger is never written down here: it is seen, shown to the operator (``server/gy/roster``), and accepted with one
command.
"""

from __future__ import annotations

from typing import Final

from qanat.ids import Owner
from qanat.ledger.work import Record, Work
from qanat.refusals import Refusal, Refused
from qanat.units import Instant

ORIGIN_HOST: Final = r"^(\*\.)?[A-Za-z0-9_]([A-Za-z0-9._-]{0,252})$"
"""A Diameter identity (RFC 6733 §4.3.1), or one behind ``*.`` for all that end so."""


class AcceptedPeer(Record, frozen=True, kw_only=True):
    """The id is the Origin-Host, or ``*.`` and what it must end with."""

    profile: str
    accepted_at: Instant

    def covers(self, origin_host: str) -> bool:
        name, asked = self.id.lower(), origin_host.lower()
        return asked.endswith(name[1:]) if name.startswith("*.") else asked == name


def peer_owner(origin_host: str) -> Owner:
    return Owner(f"peer/{origin_host}")


def accept_peer(work: Work, *, origin_host: str, profile: str) -> AcceptedPeer:
    """Accept a peer, or change the profile of one that is. Repeating is safe."""
    peer = AcceptedPeer(owner=peer_owner(origin_host), id=origin_host, profile=profile, accepted_at=work.now)
    work.put(peer)
    work.act = "peer accepted"
    return peer


def remove_peer(work: Work, *, origin_host: str) -> AcceptedPeer | Refused:
    """Accept a peer no longer."""
    peer = work.get(AcceptedPeer, peer_owner(origin_host), origin_host)
    if peer is None:
        return Refused(Refusal.NOT_FOUND, {"thing": f"accepted peer {origin_host}"})
    work.drop(peer)
    work.act = "peer removed"
    return peer
