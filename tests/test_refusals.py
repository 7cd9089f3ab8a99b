"""Every refusal says itself, in both languages, from the same facts, and names only commands that exist."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import click
import pytest

from qanat.console.main import main
from qanat.phrases import PHRASES, WORDED
from qanat.refusals import WORDS, Refusal, Refused

_FACT = re.compile(r"{\w+}")


@pytest.mark.parametrize("reason", Refusal)
def test_both_languages_rest_on_the_same_facts(reason: Refusal) -> None:
    words = WORDS[reason]
    assert set(_FACT.findall(words.sentence)) == set(_FACT.findall(words.sentence_zh))
    assert set(_FACT.findall(words.cure)) == set(_FACT.findall(words.cure_zh))
    assert re.search("[一-鿿]", words.sentence_zh)
    assert re.search("[一-鿿]", words.cure_zh)


@pytest.mark.parametrize("reason", Refusal)
def test_a_cure_names_only_commands_that_exist(reason: Refusal) -> None:
    for named in re.findall(r"`qanat ([a-z -]+)`", WORDS[reason].cure + WORDS[reason].cure_zh):
        command: click.Command = main
        for word in named.split():
            if word.startswith("-"):
                assert any(word in option.opts for option in command.params), named
            else:
                assert isinstance(command, click.Group), named
                found = command.get_command(click.Context(command), word)
                assert found is not None, named
                command = found


@pytest.mark.parametrize(
    ("refused", "sentence", "cure"),
    [
        (
            Refused(Refusal.WRONG_KIND_OF_IDENTITY, {"code": "S-1", "kind": "base station", "needed": "terminal"}),
            "身份识别码 S-1 属于基站，此处应为终端。",
            "请出示终端的识别码。",
        ),
        (
            Refused(Refusal.NOT_ALLOWED, {"who": "terminal", "needed": "staff of operator north"}),
            "terminal 无权这样做。",
            "请以运营商 north 的员工的身份登录，或请其代办。",
        ),
        (
            Refused(Refusal.NOT_FOUND, {"thing": "nora in the staff of north"}),
            "没有 north 的员工 nora。",
            "请检查名称；列表会显示现有的内容。",
        ),
        (
            Refused(Refusal.UNITS_USED_UP, {"subscriber": "alice", "unit": "seconds", "available": 0, "reserved": 5}),
            "alice 的时长已用完：可用 0，未结束的会话预留了 5。",
            "购买以时长计量的套餐：`qanat buy`。",
        ),
        (
            Refused(Refusal.ORDER_NOT_FOR_YOU, {"order": "o", "audience": "circle a", "demander": "b", "holder": "c"}),
            "订单 o 只面向圈子 a，不包括 b。",
            "请 c 将您加入，或选择其他供应方。",
        ),
    ],
)
def test_facts_that_are_words_are_said_in_chinese_and_names_stay(refused: Refused, sentence: str, cure: str) -> None:
    assert (refused.sentence_zh, refused.cure_zh) == (sentence, cure)


def test_every_fact_that_is_words_has_its_chinese() -> None:
    said = {
        _pattern(value)
        for module in Path(str(files("qanat"))).rglob("*.py")
        for value in _worded(ast.parse(module.read_text(encoding="utf-8")))
    }
    assert {text for text in said if re.search("[a-z]", text)} <= PHRASES.keys()
    assert "Terminal {}" in said


def _worded(tree: ast.Module) -> Iterator[ast.expr]:
    """What is written out under the key of such a fact, where a refusal is made."""
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "Refused":
            for given in (one for one in call.args if isinstance(one, ast.Dict)):
                for key, value in zip(given.keys, given.values, strict=True):
                    if isinstance(key, ast.Constant) and key.value in WORDED:
                        yield value


def _pattern(value: ast.expr) -> str:
    """Return ``Terminal {}`` for what the code says as ``f"Terminal {id}"``; empty for a variable."""
    if isinstance(value, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in value.values)
    return str(value.value) if isinstance(value, ast.Constant) else ""


def test_counts_have_their_thousands_apart_in_both_languages() -> None:
    facts: dict[str, int | str] = {"subscriber": "wanda", "available": 0, "reserved": 39_998_876}
    refused = Refused(Refusal.CREDIT_LIMIT_REACHED, facts)
    assert "0 octets are available to wanda, 39,998,876 are reserved" in refused.sentence
    assert "39,998,876" in refused.sentence_zh
