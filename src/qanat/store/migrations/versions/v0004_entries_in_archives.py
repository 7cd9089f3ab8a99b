"""Entries may be in an archive: what they left behind, and where those that are still here begin."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_whole = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_options = {"sqlite_strict": True}


def upgrade() -> None:
    op.create_table(
        "opening",
        sa.Column("shard", sa.Integer, nullable=False),
        sa.Column("seq", _whole, nullable=False),
        sa.Column("piece", sa.Integer, nullable=False),
        sa.Column("at", _whole, nullable=False),
        sa.Column("body", _text, nullable=False),
        sa.PrimaryKeyConstraint("shard", "seq", "piece", name="pk_opening"),
        **_options,
    )
    op.create_table(
        "beginning",
        sa.Column("shard", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("seq", _whole, nullable=False),
        sa.Column("archive", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("shard", name="pk_beginning"),
        **_options,
    )
    op.create_index("ix_beginning_archive", "beginning", ["archive"])
