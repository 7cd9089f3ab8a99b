"""A page is written in English; its Chinese is looked up sentence by sentence in ``words/``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from qanat.languages import Language
from qanat.server.web.words import base, operators, people
from qanat.server.web.words.one import ONE

CHINESE: Final[dict[str, str]] = base.CHINESE | people.CHINESE | operators.CHINESE
Say = Callable[..., str]
"""Says an English sentence in the language of the page, with its ``{places}`` filled in."""


def speak(language: Language) -> Say:
    """Return what says sentences in this language. A sentence without a translation is a mistake a test finds."""

    def say(sentence: str, /, **places: object) -> str:
        told = CHINESE.get(sentence, sentence) if language == "zh" else _english(sentence, places.get("n"))
        return told.format(**places) if places else told

    return say


def _english(sentence: str, n: object) -> str:
    return ONE.get(sentence, sentence) if n in (1, "1") else sentence


def later(sentence: str) -> str:
    """Mark a sentence that is said where it is used, so that the test of the catalogue finds it."""
    return sentence
