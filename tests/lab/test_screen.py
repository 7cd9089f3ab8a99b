"""What the show looks like on a terminal of 100 columns."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from qanat.lab.screen import Screen


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
