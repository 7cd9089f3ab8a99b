from __future__ import annotations

from typing import Any

import msgspec
import pytest

from qanat.wire import agent, base_station


@pytest.mark.parametrize(("kind", "text"), [(agent.Name, "trm-1"), (base_station.Currency, "EUR")])
def test_what_is_one_word_ends_with_it(kind: Any, text: str) -> None:
    """``$`` in a pattern lets a newline follow."""
    assert msgspec.convert(text, kind) == text
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(text + "\n", kind)
