"""Every sentence of the console is there in both languages, and no translation is left over."""

from __future__ import annotations

import ast
import re
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment
from jinja2.nodes import Call, Const, Name

from qanat.server.web.language import CHINESE, speak
from qanat.server.web.menu import MENUS, SUBSCRIBER, here
from qanat.server.web.words import base, operators, people
from qanat.server.web.words.one import ONE

_WEB = Path(str(files("qanat.server.web")))
_PLACE = re.compile(r"{(\w+)}")


def _said_in_templates() -> set[str]:
    found: set[str] = set()
    for template in (_WEB / "templates").rglob("*.html"):
        for call in Environment().parse(template.read_text(encoding="utf-8")).find_all(Call):
            if isinstance(call.node, Name) and call.node.name == "_" and isinstance(call.args[0], Const):
                found.add(str(call.args[0].value))
    return found


def _said_in_code() -> set[str]:
    """What is said by ``say`` or ``visit.say``, and what stands in a table of sentences (``SENTENCES`` and the like)."""
    found: set[str] = set()
    for module in _WEB.rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in (
                "say",
                "later",
            ):
                found |= {str(arg.value) for arg in node.args[:1] if isinstance(arg, ast.Constant)}
    return found | {entry.label for menu in MENUS.values() for entry in menu}


def test_every_sentence_has_its_chinese_and_no_translation_is_left_over() -> None:
    said = _said_in_templates() | _said_in_code()
    spoken_by_variable = {"administrator", "operator", "subscriber", "active", "enrolled", "revoked", *_field_names()}
    assert sorted(said - CHINESE.keys()) == []
    assert sorted(CHINESE.keys() - said - spoken_by_variable) == []


def _field_names() -> set[str]:
    """Names of form fields: a form that is asked again shows them."""
    templates = "".join(file.read_text(encoding="utf-8") for file in (_WEB / "templates").rglob("*.html"))
    return set(re.findall(r'name="(\w+)"', templates))


def test_a_translation_has_the_places_of_its_sentence() -> None:
    for sentence, chinese in CHINESE.items():
        assert sorted(_PLACE.findall(sentence)) == sorted(_PLACE.findall(chinese)), sentence


def test_a_sentence_stands_in_one_list_and_so_means_one_thing_on_both_faces() -> None:
    """A plan that cost nothing was offered in Chinese as idle: a free SIM is, and the later list had the word."""
    lists = [base.CHINESE, people.CHINESE, operators.CHINESE]
    assert sorted(sentence for sentence in CHINESE if sum(sentence in words for words in lists) > 1) == []


def test_one_of_a_thing_is_said_of_one() -> None:
    counted = {sentence for sentence in CHINESE if re.search(r"{n} [a-z]{3,}", sentence)}
    assert counted - {"{n} left", "{n} min", "{n} min ago"} == ONE.keys()
    assert speak("en")("for {n} days", n=1) == "for 1 day"
    assert speak("en")("for {n} days", n=30) == "for 30 days"
    assert speak("zh")("for {n} days", n=1) == "1 天有效"


def test_a_page_belongs_to_the_entry_it_is_reached_from_wherever_its_address_is() -> None:
    assert here(SUBSCRIBER, "/me") == "/me"
    assert here(SUBSCRIBER, "/me/left") == "/me"
    assert here(SUBSCRIBER, "/me/plans/day") == "/me/plans"
    assert here(SUBSCRIBER, "/me/vouchers") == "/me/plans"
    assert here(SUBSCRIBER, "/me/base-stations/bst-1") == "/me/terminals"
    assert here(SUBSCRIBER, "/elsewhere") == ""


def test_places_in_a_sentence_are_filled_in() -> None:
    assert speak("en")("{n} octets", n=3) == "3 octets"
    assert "3" in speak("zh")("{n} octets", n=3)
