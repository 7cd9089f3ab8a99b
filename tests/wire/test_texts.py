from __future__ import annotations

from typing import Any

import msgspec
import pytest

from qanat.errors import BadInput
from qanat.wire import agent, base_station


@pytest.mark.parametrize(("kind", "text"), [(agent.Name, "trm-1"), (base_station.Currency, "EUR")])
def test_what_is_one_word_ends_with_it(kind: Any, text: str) -> None:
    """``$`` in a pattern lets a newline follow."""
    assert msgspec.convert(text, kind) == text
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(text + "\n", kind)


def test_a_presentation_that_is_misspelt_is_refused_in_words() -> None:
    text = '{"terminal": "A", "subscriber": "B", "base_station": "C", "wish": {"currency": "eur"}, "at": 1}'
    with pytest.raises(
        BadInput, match=r"Expected three capital letters \(ISO 4217\), as in EUR - at `\$\.wish\.currency`"
    ):
        base_station.read_presentation(base_station.SignedPresentation(text=text, signature="x" * 88))
