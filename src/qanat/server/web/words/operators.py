"""Chinese of the operators' face."""

from __future__ import annotations

from typing import Final

CHINESE: Final[dict[str, str]] = {
    "What was refused in the last week, newest first.": "最近一周的拒绝记录，最新的在前。",
    "Nothing was refused.": "没有拒绝记录。",
    "Who": "谁",
    "Why": "原因",
    "Times": "次数",
    "Last": "最近一次",
}
