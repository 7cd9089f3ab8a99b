"""Chinese of the subscribers' face."""

from __future__ import annotations

from typing import Final

CHINESE: Final[dict[str, str]] = {
    "What is left": "剩余流量",
}
