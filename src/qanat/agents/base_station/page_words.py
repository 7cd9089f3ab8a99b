"""What the page says, in English and Chinese."""

from __future__ import annotations

from typing import Final

from qanat.languages import Language
from qanat.wire.agent import RefusalBody

WORDS: Final = {
    "Base station {identity} of {operator}": "{operator} 的基站 {identity}",
    "You are online": "您已上网",
    "You are not online": "您尚未上网",
    "Left of this agreement": "本次约定剩余",
    "{used} used of {bound}": "已用 {used}，共 {bound}",
    "{n} octets": "{n} 字节",
    "On the traffic of": "流量供应方",
    "Price": "价格",
    "octet for octet": "等量互换",
    "Trade": "交易",
    "Go offline": "下线",
    "Look again": "刷新",
    "The base station does not answer; these figures are old.": "基站没有应答；以上数字不是最新的。",
    "Go online": "上网",
    "Somebody lends you traffic here. Your passcode says who you are.": "这里有人借流量给您。口令表明您的身份。",
    "Passcode": "口令",
    "From your demand order.": "来自您的需求单。",
    "No passcode yet? Ask for one": "还没有口令？去申请",
    "Supplier's identity code": "供应方的身份识别码",
    "Leave it empty for the best offer.": "留空则选最合适的供应方。",
    "Highest price for 1 GB": "每 GB 最高价",
    "Leave it empty for octet-for-octet only.": "留空则只接受等量互换。",
}


def say(language: Language, sentence: str, /, **places: object) -> str:
    told = WORDS[sentence] if language == "zh" else sentence
    return told.format(**places) if places else told


def sentence_and_cure(why: RefusalBody, language: Language) -> tuple[str, str]:
    """Return both in the language of the page, as far as they are there."""
    if language == "zh" and why.sentence_zh:
        return why.sentence_zh, why.cure_zh
    return why.sentence, why.cure
