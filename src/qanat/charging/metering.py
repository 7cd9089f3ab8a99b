"""Rows of usage journals in, octets to post out; exactly once, however rows are repeated, late or reordered.

Rows are cumulative within (quota, epoch): what has passed under a quota is the sum over its epochs of the largest row.
The difference to what was known is what there is to post. ``acked`` is the end of the unbroken run of rows received.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final, NamedTuple

from msgspec.structs import replace

from qanat.charging.session import Session
from qanat.ids import Owner
from qanat.ledger.work import Record, Work
from qanat.refusals import Refusal, Refused
from qanat.units import Octets
from qanat.wire.agent import UsageReport, UsageRow

_QUOTAS_KEPT: Final = 32


class JournalMark(Record, frozen=True, kw_only=True):
    """What the server has counted from one journal of an owner's devices; id is what ``ingest`` was told."""

    acked: int = 0
    totals: dict[str, dict[int, tuple[int, int]]] = {}
    """quota → epoch → (up, down), the largest seen."""
    last_seq: dict[str, int] = {}
    """quota → seq of its latest row."""


class Ingested(NamedTuple):
    """What was new in a report, by quota."""

    octets: dict[str, Octets]
    """To post."""
    up: dict[str, Octets]
    """The part of it that the device sent."""
    acked: int
    """Rows up to this seq are confirmed."""


def ingest(
    work: Work,
    owner: Owner,
    *,
    journal: str,
    report: UsageReport,
    most: int,
    is_open: Callable[[str], bool] = lambda _: False,
) -> Ingested | Refused:
    """Count a report's rows; ``journal`` is what makes its seqs unique on this page.

    Repeating a report returns nothing to post and the same confirmation. Refused, with nothing counted, when more than
    ``most`` octets are new. ``is_open`` tells of a quota that no session holds whether rows may come all the same.
    """
    mark = work.get(JournalMark, owner, journal) or JournalMark(owner=owner, id=journal)
    fresh = [row for row in report.rows if row.seq > mark.acked]
    acked = _unbroken(max(mark.acked, report.floor), fresh)
    if not fresh and acked == mark.acked:
        return Ingested({}, {}, mark.acked)
    totals, last_seq = dict(mark.totals), dict(mark.last_seq)
    delta, up = dict[str, Octets](), dict[str, Octets]()
    for row in fresh:
        sent, received = _raise_total(totals, row)
        delta[row.quota] = Octets(delta.get(row.quota, 0) + sent + received)
        up[row.quota] = Octets(up.get(row.quota, 0) + sent)
        last_seq[row.quota] = max(last_seq.get(row.quota, 0), row.seq)
    octets = sum(delta.values())
    if octets > most:
        return Refused(Refusal.IMPLAUSIBLE_USAGE, {"octets": octets})
    for quota in [quota for quota in _forgettable(work, owner, last_seq, acked) if not is_open(quota)]:
        del totals[quota], last_seq[quota]
    work.put(replace(mark, acked=acked, totals=totals, last_seq=last_seq))
    return Ingested(delta, up, acked)


def tell_counted(work: Work, owner: Owner, mark: JournalMark, quotas: Iterable[str]) -> None:
    """Let a page know what another counted of these quotas and it has not confirmed: should those rows come, they are not new."""
    own = work.get(JournalMark, owner, mark.id) or JournalMark(owner=owner, id=mark.id)
    unconfirmed = [quota for quota in quotas if mark.last_seq[quota] > own.acked]
    if unconfirmed:
        totals = {**own.totals, **{quota: mark.totals[quota] for quota in unconfirmed}}
        last_seq = {**own.last_seq, **{quota: mark.last_seq[quota] for quota in unconfirmed}}
        work.put(replace(own, totals=totals, last_seq=last_seq))


def forget_quotas(work: Work, mark: JournalMark, quotas: Collection[str]) -> None:
    """Forget what was counted of quotas of which no row is taken any more; with the last of them, the journal."""
    totals = {quota: total for quota, total in mark.totals.items() if quota not in quotas}
    if totals:
        last_seq = {quota: seq for quota, seq in mark.last_seq.items() if quota in totals}
        work.put(replace(mark, totals=totals, last_seq=last_seq))
    else:
        work.drop(mark)


def _unbroken(start: int, rows: Iterable[UsageRow]) -> int:
    """Return the end of the run of consecutive seqs that begins after ``start``."""
    for seq in sorted(row.seq for row in rows):
        if seq == start + 1:
            start = seq
    return start


def _raise_total(totals: dict[str, dict[int, tuple[int, int]]], row: UsageRow) -> tuple[int, int]:
    """Raise what is known of (quota, epoch) to the row's figures; return by how many octets, up and down."""
    up, down = totals.get(row.quota, {}).get(row.epoch, (0, 0))
    now_up, now_down = max(up, row.up), max(down, row.down)
    totals[row.quota] = {**totals.get(row.quota, {}), row.epoch: (now_up, now_down)}
    return now_up - up, now_down - down


def _forgettable(work: Work, owner: Owner, last_seq: Mapping[str, int], acked: int) -> list[str]:
    """Return quotas before the latest that are held no more and whose rows are all confirmed: none of them comes again."""
    oldest = [quota for quota in sorted(last_seq, key=last_seq.__getitem__)[:-_QUOTAS_KEPT] if last_seq[quota] <= acked]
    if not oldest:
        return []
    held = {quota.id for session in work.records(Session, owner).values() for quota in session.quotas}
    return [quota for quota in oldest if quota not in held]
