"""The tables, the same for every database.

``entry`` is the truth; ``record`` and ``watermark`` follow it. A shard's entries up to its ``beginning`` don't count any more:
they are in an archive, and what they left behind stands in ``opening``. Keys begin with the shard, so that the tables can be
distributed by it. Times are integers (``qanat.units.Instant``), bodies JSON text.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Table, Text, text

_Whole: Final = BigInteger().with_variant(Integer, "sqlite")
_Text: Final = Text().with_variant(Text(collation="C"), "postgresql")
"""Ordered by code points, as SQLite does."""

metadata: Final = MetaData(
    naming_convention={"pk": "pk_%(table_name)s", "ix": "ix_%(table_name)s_%(column_0_name)s"},
)

entry: Final = Table(
    "entry",
    metadata,
    Column("shard", Integer, primary_key=True, autoincrement=False),
    Column("seq", _Whole, primary_key=True, autoincrement=False),
    Column("at", _Whole, nullable=False),
    Column("act", _Text, nullable=False),
    Column("body", _Text, nullable=False),
    sqlite_strict=True,
)

record: Final = Table(
    "record",
    metadata,
    Column("shard", Integer, primary_key=True, autoincrement=False),
    Column("owner", _Text, primary_key=True),
    Column("kind", _Text, primary_key=True),
    Column("id", _Text, primary_key=True),
    Column("label", _Text, nullable=False),
    Column("due", _Whole),
    Column("body", _Text, nullable=False),
    sqlite_strict=True,
)
Index("ix_record_label", record.c.kind, record.c.label, record.c.owner)
Index("ix_record_due", record.c.due, sqlite_where=text("due IS NOT NULL"), postgresql_where=text("due IS NOT NULL"))

watermark: Final = Table(
    "watermark",
    metadata,
    Column("shard", Integer, primary_key=True, autoincrement=False),
    Column("seq", _Whole, nullable=False),
    sqlite_strict=True,
)

opening: Final = Table(
    "opening",
    metadata,
    Column("shard", Integer, primary_key=True, autoincrement=False),
    Column("seq", _Whole, primary_key=True, autoincrement=False),
    Column("piece", Integer, primary_key=True, autoincrement=False),
    Column("at", _Whole, nullable=False),
    Column("body", _Text, nullable=False),
    sqlite_strict=True,
)

beginning: Final = Table(
    "beginning",
    metadata,
    Column("shard", Integer, primary_key=True, autoincrement=False),
    Column("seq", _Whole, nullable=False),
    Column("archive", Integer, nullable=False),
    sqlite_strict=True,
)
"""``archive`` numbers the archives: which of them set it."""
Index("ix_beginning_archive", beginning.c.archive)
