"""Facts of refusals that are words, in Chinese. Names, numbers and codes among them stay what they are."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

WORDED: Final = frozenset({"accepted", "audience", "issuer", "kind", "needed", "service", "thing", "unit"})
"""Facts that are words, or have words around a name; of all others each is a name or a number."""
PHRASES: Final[dict[str, str]] = {
    # things with their names
    "A holder of IMSI {}": "IMSI {} 的持有者",
    "A holder of number {}": "号码 {} 的持有者",
    "ICCID {} or IMSI {}": "ICCID {} 或 IMSI {}",
    "Operator {}": "运营商 {}",
    "Plan {}": "套餐 {}",
    "Serial number {}": "序列号 {}",
    "Subscriber {}": "用户 {}",
    "Terminal {}": "终端 {}",
    "The code {}": "识别码 {}",
    "The name {}": "名称 {}",
    "Voucher batch {}": "充值券批次 {}",
    "accepted peer {}": "已接受的对端 {}",
    "dispute {}": "争议 {}",
    "file of {} for {}": "{} 的 {} 账期文件",
    "voucher batch {}": "充值券批次 {}",
    "{} in the staff of {}": "{1} 的员工 {0}",
    # who is meant
    "a subscriber of operator {}": "运营商 {} 的用户",
    "an administrator": "管理员",
    "an operator": "运营商员工",
    "base station": "基站",
    "circle {}": "圈子 {}",
    "person {}": "用户 {}",
    "staff of operator {}": "运营商 {} 的员工",
    "subscriber": "用户",
    "subscriber or terminal": "用户或终端",
    "terminal": "终端",
    # what is counted and paid
    "a price enquiry": "价格查询",
    "a refund without requested units": "未说明数量的退款",
    "an event in several units": "多种单位的事件",
    "an event without requested units": "未说明数量的事件",
    "octet for octet": "等量互换",
    "seconds": "时长",
    "units": "业务单位",
}
_BETWEEN_WORDS: Final = re.compile(r"(?<=[一-鿿]) (?=[一-鿿])")


def in_chinese(fact: str) -> str:
    """Say a fact in Chinese, if it is known words."""
    for pattern, chinese in _patterns():
        found = pattern.fullmatch(fact)
        if found is not None:
            return chinese.format(*found.groups())
    return fact


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    """Made when they are first needed: a command that is refused nothing starts sooner without."""
    return [
        (re.compile(re.escape(english).replace(r"\{\}", r"(\S+)")), chinese) for english, chinese in PHRASES.items()
    ]


def closed_up(sentence: str) -> str:
    """Take out the space that stood beside a name, where a Chinese word has come to stand in its place."""
    return _BETWEEN_WORDS.sub("", sentence)
