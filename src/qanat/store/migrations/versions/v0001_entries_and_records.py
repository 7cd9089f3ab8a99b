"""The first tables: entries, records behind them, and how far the records have come."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_whole = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_options = {"sqlite_strict": True}


def upgrade() -> None:
    op.create_table(
        "entry",
        sa.Column("shard", sa.Integer, nullable=False),
        sa.Column("seq", _whole, nullable=False),
        sa.Column("at", _whole, nullable=False),
        sa.Column("act", _text, nullable=False),
        sa.Column("body", _text, nullable=False),
        sa.PrimaryKeyConstraint("shard", "seq", name="pk_entry"),
        **_options,
    )
    op.create_table(
        "record",
        sa.Column("shard", sa.Integer, nullable=False),
        sa.Column("owner", _text, nullable=False),
        sa.Column("kind", _text, nullable=False),
        sa.Column("id", _text, nullable=False),
        sa.Column("label", _text, nullable=False),
        sa.Column("due", _whole),
        sa.Column("body", _text, nullable=False),
        sa.PrimaryKeyConstraint("shard", "owner", "kind", "id", name="pk_record"),
        **_options,
    )
    op.create_index("ix_record_label", "record", ["kind", "label", "owner"])
    there_is = sa.text("due IS NOT NULL")
    op.create_index("ix_record_due", "record", ["due"], sqlite_where=there_is, postgresql_where=there_is)
    op.create_table(
        "watermark",
        sa.Column("shard", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("seq", _whole, nullable=False),
        sa.PrimaryKeyConstraint("shard", name="pk_watermark"),
        **_options,
    )
