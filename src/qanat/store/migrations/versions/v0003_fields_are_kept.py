"""Nothing changes but the number: earlier versions, which would drop fields that they don't know, leave the database alone."""

from __future__ import annotations

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """A number for the fields that records have."""
