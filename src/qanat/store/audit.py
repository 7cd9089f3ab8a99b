"""The audit of a database: every entry recomputed, and every row held against the entries. Blocks; run it in a thread."""

from __future__ import annotations

from qanat.ids import Shard
from qanat.ledger.audit import Auditor, Verdict
from qanat.ledger.work import kind_name
from qanat.store.port import EntryRow, Log, Opening, RecordRow
from qanat.store.records import decode_entry, decode_record


def audit(log: Log) -> Verdict:
    auditor = Auditor()
    watermarks: dict[Shard, int] = {}
    behind: set[tuple[str, str, str]] = set()
    """Records changed after the watermark: their rows may be of any later moment."""
    rowless: set[tuple[str, str, str]] | None = None
    """Records whose row was not seen yet, once all entries are known: the keys themselves, for there are millions."""
    for item in log.snapshot():
        if isinstance(item, EntryRow):
            entry = decode_entry(item.body)
            auditor.feed(item.shard, item.seq, entry)
            if item.seq > watermarks.get(item.shard, 0):
                behind.update((kind_name(type(record)), record.owner, record.id) for record in entry.put)
                behind.update((kind, owner, id) for kind, owner, id in entry.drop)
        elif isinstance(item, Opening):
            auditor.bring_forward(item.shard, item.seq, decode_entry(item.body))
        elif isinstance(item, RecordRow):
            key: tuple[str, str, str] = (item.kind, item.owner, item.id)
            rowless = set(auditor.records) if rowless is None else rowless
            rowless.discard(key)
            if key not in behind:
                _compare(auditor, key, item)
        else:
            watermarks[item[0]] = item[1]
    for key in (auditor.records.keys() if rowless is None else rowless) - behind:
        auditor.problems.append(f"{key[0]} {key[1]}:{key[2]} is in the entries and has no row")
    return auditor.verdict()


def _compare(auditor: Auditor, key: tuple[str, str, str], row: RecordRow) -> None:
    image = auditor.records.get(key)
    if image is None:
        auditor.problems.append(f"{key[0]} {key[1]}:{key[2]} has a row and is not in the entries")
    # One record may be written in two ways, with and without its defaults, so texts can't be compared.
    elif row.body is None or image != decode_record(row.body):
        auditor.problems.append(f"{key[0]} {key[1]}:{key[2]} differs between its row and its entries")
