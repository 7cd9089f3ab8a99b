"""Archive files: gzipped JSON, a line for each entry, behind lines of what was brought forward when the archive begins.

So each can be audited by itself, and read by anybody.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from qanat.errors import StoreFault
from qanat.ids import Shard
from qanat.ledger.audit import Auditor
from qanat.store.copying import Tell
from qanat.store.port import EntryRow, Opening
from qanat.store.records import decode_entry
from qanat.system import create_private
from qanat.units import Instant

_TOLD_EVERY: Final = 1_000


class Line(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A line of an archive: an entry, or, with its number, a piece of what was brought forward.

    Entries of a ``shard`` are numbered by ``seq``; what was brought forward stands for all up to its one. ``at`` is in
    milliseconds since 1970-01-01 UTC; ``entry`` is as it was stored.
    """

    shard: Shard
    seq: int
    at: Instant
    entry: msgspec.Raw
    act: str = ""
    piece: int | None = None


_lines: Final = msgspec.json.Decoder(Line)
_encoder: Final = msgspec.json.Encoder()


@dataclass(slots=True)
class Contents:
    """What an archive holds."""

    entries: int = 0
    size: int = 0
    """Of the file, in octets."""
    first: Instant | None = None
    last: dict[Shard, tuple[int, Instant]] = field(default_factory=dict)
    """Of each shard's last entry: its seq, and when it was made."""
    begun: dict[Shard, int] = field(default_factory=dict)
    """Up to which seq of each shard what was brought forward stands for its entries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What the audit of an archive found."""

    file: str
    entries: int
    accounts: int
    problems: list[str]


def write(items: Iterable[Opening | EntryRow], to: Path, *, tell: Tell) -> Contents:
    """Write an archive to a new file, and to the disk. Raises OSError, and what reading the items raises."""
    contents = Contents()
    create_private(to)
    with to.open("wb") as file:
        with gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0, compresslevel=6) as packed:
            for item in items:
                packed.write(_encoder.encode(_line(item)) + b"\n")
                if isinstance(item, EntryRow):
                    contents.entries += 1
                    contents.first = item.at if contents.first is None else min(contents.first, item.at)
                    contents.last[item.shard] = (item.seq, item.at)
                    _say(tell, "entries written", contents.entries, 0)
                else:
                    contents.begun[item.shard] = item.seq
        file.flush()
        os.fsync(file.fileno())
        contents.size = file.tell()
    return contents


def fold(file: Path, *, tell: Tell, of: int = 0, after: Auditor | None = None) -> Auditor:
    """Recompute an archive from its file; held against what the archive before it left behind, if that is given.

    Raises StoreFault for a file that can't be read as an archive.
    """
    auditor = Auditor()
    awaited = after
    for line in _read(file):
        entry = decode_entry(bytes(line.entry))
        if line.piece is not None:
            auditor.bring_forward(line.shard, line.seq, entry)
            continue
        if awaited is not None and not auditor.stands_as(awaited):
            auditor.problems.append("it does not begin with what the archive before it left behind")
        awaited = None
        auditor.feed(line.shard, line.seq, entry)
        _say(tell, "entries recomputed", auditor.entries, of)
    return auditor


def audit_archives(files: Sequence[Path], *, tell: Tell) -> Iterator[Checked]:
    """Recompute archives in their order: each by itself, and whether it goes on where the one before it ended.

    Raises StoreFault for a file that can't be read as an archive.
    """
    before: Auditor | None = None
    for file in files:
        auditor = fold(file, tell=tell, after=before)
        accounts = len(auditor.check_owners())
        yield Checked(file=str(file), entries=auditor.entries, accounts=accounts, problems=auditor.problems)
        before = auditor


def _line(item: Opening | EntryRow) -> Line:
    entry = msgspec.Raw(item.body.encode())
    if isinstance(item, Opening):
        return Line(item.shard, item.seq, item.at, entry, piece=item.piece)
    return Line(item.shard, item.seq, item.at, entry, item.act)


def _read(file: Path) -> Iterator[Line]:
    whole = 0
    try:
        with gzip.open(file) as lines:
            for line in lines:
                yield _lines.decode(line)
                whole += 1
    except (EOFError, gzip.BadGzipFile, zlib.error, msgspec.DecodeError) as error:
        raise StoreFault(
            f"{file} is no archive, or damaged behind line {whole}: {error}. Look for a copy of it."
        ) from error
    except OSError as error:
        raise StoreFault(f"{file} can't be read: {error.strerror or error}.") from error
    if not whole:
        raise StoreFault(f"{file} is no archive: it is empty. Look for a copy of it.")


def _say(tell: Tell, what: str, done: int, of: int) -> None:
    if done % _TOLD_EVERY == 0:
        tell(what, done, of)
