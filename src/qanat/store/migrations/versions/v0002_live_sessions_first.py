"""Sessions are labelled by whether they are live, so that the live ones can be listed without reading the others."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute(
        """UPDATE record SET label = CASE WHEN body LIKE '%"state":"closed"%' THEN 'over/' ELSE 'live/' END || id
        WHERE kind = 'session'"""
    )
