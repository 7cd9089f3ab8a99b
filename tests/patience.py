"""How long tests wait for what comes: on a quick machine in a moment, on one that others use within this."""

from __future__ import annotations

from typing import Final

PATIENCE_S: Final = 100
