"""What a holder asks of its surroundings, in the order in which it must happen.

``Commit`` is durable before the next action begins: that one rule carries write-ahead metering, identical repeats and
the clearing of local records after confirmation.
"""

from __future__ import annotations

import msgspec

from qanat.agents.holding import Epoch, Held, Session, Snapshot
from qanat.units import Instant, Octets
from qanat.wire.agent import Interrogation, UsageReport, UsageRow


class Gone(msgspec.Struct, frozen=True):
    """The server has confirmed all of this quota: its local record is cleared."""

    quota: str


class Acked(msgspec.Struct, frozen=True):
    """The server has confirmed every row up to here: they are deleted, and their numbers used."""

    seq: int


class Pending(msgspec.Struct, frozen=True):
    message: Interrogation | None


class CurrentSession(msgspec.Struct, frozen=True):
    session: Session | None


Change = Epoch | Held | UsageRow | Gone | Acked | Pending | CurrentSession


class Commit(msgspec.Struct, frozen=True):
    """Write these to the journal in one transaction, durably."""

    changes: tuple[Change, ...]


class Raise(msgspec.Struct, frozen=True):
    """Open the gate until the source's total reaches this."""

    ceiling: Octets
    ends: tuple[Octets, ...]
    """Where each quota ends, in order of use; the last ends at the ceiling."""


class Shut(msgspec.Struct, frozen=True):
    """Close the gate, wait out what is in flight, and come back with ``Holder.fenced``."""


class Send(msgspec.Struct, frozen=True):
    """Send this; exactly one of ``answered``, ``confirmed``, ``rejected``, ``unreachable`` follows."""

    message: Interrogation | UsageReport


class Wake(msgspec.Struct, frozen=True):
    """Come back with ``Holder.tick`` at this time at the latest."""

    at: Instant


class Note(msgspec.Struct, frozen=True):
    """Something a person may want to see."""

    event: str
    facts: dict[str, int | str]


Action = Commit | Raise | Shut | Send | Wake | Note


def remember(snapshot: Snapshot, change: Change) -> None:
    """Apply one change to a journal that is kept in memory."""
    match change:
        case Epoch():
            snapshot.epoch = change
        case Held():
            snapshot.quotas[change.quota] = change
        case UsageRow():
            snapshot.rows[change.seq] = change
            snapshot.next_seq = max(snapshot.next_seq, change.seq + 1)
        case Gone():
            snapshot.quotas.pop(change.quota, None)
        case Acked():
            snapshot.rows = {seq: row for seq, row in snapshot.rows.items() if seq > change.seq}
            snapshot.floor = max(snapshot.floor, change.seq)
            snapshot.next_seq = max(snapshot.next_seq, change.seq + 1)
        case Pending():
            snapshot.pending = change.message
        case CurrentSession():
            before = None if snapshot.session is None else snapshot.session.name
            snapshot.sessions += change.session is not None and change.session.name != before
            snapshot.session = change.session


def leap(snapshot: Snapshot, by: int) -> None:
    """Number a journal's rows further on, by chance, as whoever opens it does: a copy of it would use the same numbers.

    The server takes a number it has counted for a repeat, unread. Rows whose number changes may be sent again: they are
    cumulative.
    """
    snapshot.floor += by
    snapshot.next_seq += by
    snapshot.rows = {seq + by: msgspec.structs.replace(row, seq=seq + by) for seq, row in snapshot.rows.items()}
