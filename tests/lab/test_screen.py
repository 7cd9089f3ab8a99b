"""What the show looks like on a terminal of 100 columns."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from qanat.lab.report import Row
from qanat.lab.screen import Screen
from qanat.units import Octets


def test_a_command_is_never_folded_and_a_sentence_is() -> None:
    written = StringIO()
    screen = Screen(Console(file=written, force_terminal=True, width=100, color_system=None))
    words = (
        "supply",
        "offer",
        "--subscriber",
        "alice",
        "--circle",
        "family",
        "--octets",
        "40MB",
        "--price",
        "20.00",
        "--json",
    )
    screen.typed(*words, "--base-station", "bst-8pr8vkfz3j5jpn1s")
    screen.say("a word " * 30)
    lines = written.getvalue().splitlines()
    assert lines[0] == f"    $ qanat {' '.join(words)} --base-station bst-8pr8vkfz3j5jpn1s"
    assert max(len(line) for line in lines[1:]) <= 100


@pytest.mark.parametrize("width", [100, 72, 60, 40])
def test_no_figure_is_cut_however_narrow_the_screen_is(width: int) -> None:
    written = StringIO()
    counted = Octets(123_456_789)
    rows = [
        Row(counter="  service (charged)", up=counted, down=counted, total=counted, difference=-3, against="service")
    ]
    Screen(Console(file=written, force_terminal=True, width=width, color_system=None)).table(rows)
    assert "…" not in written.getvalue()
    assert written.getvalue().count("123,456,789") == (3 if width > 72 else 1)
    assert "-3  service" in written.getvalue()
