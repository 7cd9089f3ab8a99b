"""Jobs for what writes to a SQLite file."""

from __future__ import annotations

from qanat.ids import Shard
from qanat.store.port import EntryRow
from qanat.store.sqlite_writer import Job, Outcome, Writer
from qanat.units import Instant


def append(writer: Writer, seq: int) -> Outcome:
    """Append an entry that fills most of a page."""
    return writer.do(Job(entries=[EntryRow(Shard(0), seq, Instant(0), "tried", "x" * 3000)]))
