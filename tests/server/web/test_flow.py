"""Net positions drawn as bands between operators."""

from __future__ import annotations

import itertools
import re
from xml.etree import ElementTree

from qanat.server.http.views.clearing import TransferView
from qanat.server.web.operators.flow import Words, draw

_WORDS = Words(pays="pays {}".format, gets="gets {}".format)


def transfer(debtor: str, creditor: str, amount: int) -> TransferView:
    return TransferView(unit="octets", debtor=debtor, creditor=creditor, amount=amount)


def widths(drawn: str) -> list[float]:
    return [float(width) for width in re.findall(r'stroke-width="([\d.]+)"', drawn)]


def test_where_nobody_owes_anything_nothing_is_drawn() -> None:
    assert draw([], words=_WORDS) == ""


def test_bands_are_as_thick_as_their_amounts_and_every_operator_is_named_once() -> None:
    drawn = draw([transfer("south", "north", 300), transfer("south", "west", 100)], words=_WORDS)
    thick, thin = widths(drawn)
    assert abs(thick - 3 * thin) < 0.5
    names = [text.text for text in ElementTree.fromstring(drawn).iter("tspan")]
    assert names == ["south", "pays 400", "north", "gets 300", "west", "gets 100"]


def test_a_tiny_transfer_beside_a_huge_one_is_still_seen() -> None:
    drawn = draw([transfer("a", "b", 2**62), transfer("c", "d", 1)], words=_WORDS)
    assert min(widths(drawn)) >= 2


def test_names_stay_text_and_long_ones_are_cut() -> None:
    drawn = draw([transfer("<script>alert(1)</script>" * 3, "b", 1)], words=_WORDS)
    assert "<script" not in drawn
    assert "…" in drawn
    ElementTree.fromstring(drawn)


def test_operators_do_not_lie_on_each_other_however_many_there_are() -> None:
    drawn = draw([transfer(f"d{n:02}", f"c{n:02}", 10 ** (n % 6)) for n in range(30)], words=_WORDS)
    for side in ("end", "start"):
        heights = [float(y) for y in re.findall(rf'<text x="\d+" y="([\d.]+)" text-anchor="{side}"', drawn)]
        assert len(heights) == 30
        assert all(lower - upper > 36 for upper, lower in itertools.pairwise(heights))
