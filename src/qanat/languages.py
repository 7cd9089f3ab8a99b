"""English and Chinese, and which of them somebody at a page gets; the words are those of each page.

What the person chose, else the first that the browser asks for (RFC 9110 §12.5.4), else English.
"""

from __future__ import annotations

from typing import Final, Literal

Language = Literal["en", "zh"]
LANGUAGES: Final[dict[Language, str]] = {"en": "English", "zh": "中文"}
TAGS: Final[dict[Language, str]] = {"en": "en", "zh": "zh-Hans"}
"""What ``<html lang>`` says (BCP 47)."""


def choose(chosen: str, accepted: str) -> Language:
    """Return the language of a page. ``accepted`` is the browser's Accept-Language."""
    if chosen in LANGUAGES:
        return chosen
    weighed = sorted(map(_weighed, accepted.split(",")[:20]), reverse=True, key=lambda pair: pair[0])
    known = (tag[:2] for weight, tag in weighed if weight > 0)
    return next((tag for tag in known if tag in LANGUAGES), "en")


def _weighed(accepted: str) -> tuple[float, str]:
    """Read ``zh-CN;q=0.8``. What can't be read weighs nothing."""
    tag, _, weight = accepted.strip().lower().partition(";q=")
    try:
        return (min(1.0, float(weight)) if weight else 1.0), tag
    except ValueError:
        return 0.0, tag
