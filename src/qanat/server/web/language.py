"""English and Chinese. A page is written in English; its Chinese is looked up sentence by sentence in ``words/``.

Which one is shown: what the person chose, else the first that the browser asks for (RFC 9110 §12.5.4), else English.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from qanat.server.web.words import base, operators, people

Language = Literal["en", "zh"]
LANGUAGES: Final[dict[Language, str]] = {"en": "English", "zh": "中文"}
TAGS: Final[dict[Language, str]] = {"en": "en", "zh": "zh-Hans"}
"""What ``<html lang>`` says (BCP 47)."""
CHINESE: Final[dict[str, str]] = base.CHINESE | people.CHINESE | operators.CHINESE
Say = Callable[..., str]
"""Says an English sentence in the language of the page, with its ``{places}`` filled in."""


def choose(chosen: str, accepted: str) -> Language:
    """Return the language of a page. ``accepted`` is the browser's Accept-Language."""
    if chosen in LANGUAGES:
        return chosen
    weighed = sorted(map(_weighed, accepted.split(",")[:20]), reverse=True, key=lambda pair: pair[0])
    known = (tag[:2] for weight, tag in weighed if weight > 0)
    return next((tag for tag in known if tag in LANGUAGES), "en")


def speak(language: Language) -> Say:
    """Return what says sentences in this language. A sentence without a translation is a mistake a test finds."""

    def say(sentence: str, /, **places: object) -> str:
        told = CHINESE.get(sentence, sentence) if language == "zh" else sentence
        return told.format(**places) if places else told

    return say


def later(sentence: str) -> str:
    """Mark a sentence that is said where it is used, so that the test of the catalogue finds it."""
    return sentence


def _weighed(accepted: str) -> tuple[float, str]:
    """Read ``zh-CN;q=0.8``. What can't be read weighs nothing."""
    tag, _, weight = accepted.strip().lower().partition(";q=")
    try:
        return (min(1.0, float(weight)) if weight else 1.0), tag
    except ValueError:
        return 0.0, tag
