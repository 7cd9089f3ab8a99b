"""Transfers between operators, drawn as bands from who pays to who gets: the thicker, the more. Pure; made of SVG."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from qanat.server.http.views.clearing import TransferView

_WIDTH: Final = 640
_LEFT: Final = 225
_RIGHT: Final = 415
_NODE: Final = 8
_GAP: Final = 28
_HIGH: Final = 150
"""What all bands together measure."""
_THIN: Final = 2.0

_SVG: Final = Markup('<svg class="flow" viewBox="0 0 {width} {height}" role="img" aria-label="{told}">{inside}</svg>')
_BAND: Final = Markup(
    '<path class="band" d="M{x0} {y0:.1f}C{mid} {y0:.1f} {mid} {y1:.1f} {x1} {y1:.1f}" stroke-width="{width:.1f}">'
    "<title>{told}</title></path>"
)
_BAR: Final = Markup('<rect class="end" x="{x}" y="{y:.1f}" width="{wide}" height="{high:.1f}" rx="3"/>')
_NAME: Final = Markup(
    '<text x="{x}" y="{y:.1f}" text-anchor="{side}"><tspan class="name">{name}</tspan>'
    '<tspan class="sum" x="{x}" dy="1.25em">{amount}</tspan></text>'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """How an amount is said beside who pays it, and beside who gets it."""

    pays: Callable[[int], str]
    gets: Callable[[int], str]


def draw(transfers: Sequence[TransferView], *, words: Words) -> Markup:
    """Draw the transfers of one unit; nothing where there are none."""
    if not transfers:
        return Markup("")
    scale = _HIGH / sum(one.amount for one in transfers)
    pays, gets = Counter[str](), Counter[str]()
    for one in transfers:
        pays[one.debtor] += one.amount
        gets[one.creditor] += one.amount
    tops = {name: top for ends in (pays, gets) for name, top in _stacked(ends, scale)}
    height = max(_height(pays, scale), _height(gets, scale))
    inside = [
        *_bands(transfers, tops, scale, words),
        *_ends(pays, tops, scale, words.pays, x=_LEFT - _NODE, text=_LEFT - _NODE - 10, side="end"),
        *_ends(gets, tops, scale, words.gets, x=_RIGHT, text=_RIGHT + _NODE + 10, side="start"),
    ]
    told = "; ".join(_told(one, words) for one in transfers)
    return _SVG.format(width=_WIDTH, height=round(height), told=told, inside=Markup("").join(inside))


def _bands(transfers: Sequence[TransferView], tops: dict[str, float], scale: float, words: Words) -> list[Markup]:
    """Draw a band for each transfer; those of one operator lie side by side."""
    done = Counter[str]()
    bands = []
    for one in transfers:
        width = max(_THIN, one.amount * scale)
        bands.append(
            _BAND.format(
                x0=_LEFT,
                x1=_RIGHT,
                mid=(_LEFT + _RIGHT) // 2,
                y0=tops[one.debtor] + done[one.debtor] * scale + width / 2,
                y1=tops[one.creditor] + done[one.creditor] * scale + width / 2,
                width=width,
                told=_told(one, words),
            )
        )
        done[one.debtor] += one.amount
        done[one.creditor] += one.amount
    return bands


def _ends(
    sums: Counter[str],
    tops: dict[str, float],
    scale: float,
    say: Callable[[int], str],
    *,
    x: int,
    text: int,
    side: str,
) -> list[Markup]:
    drawn = []
    for name, total in sums.items():
        high = max(_THIN, total * scale)
        middle = tops[name] + high / 2
        drawn.append(_BAR.format(x=x, y=tops[name], wide=_NODE, high=high))
        drawn.append(_NAME.format(x=text, y=middle - 2, side=side, name=_short(name), amount=say(total)))
    return drawn


def _stacked(sums: Counter[str], scale: float) -> list[tuple[str, float]]:
    """Put one operator under the other, none closer than its two lines of text need."""
    top, placed = _GAP / 2, []
    for name, total in sums.items():
        room = max(total * scale, 2.0 * _GAP)
        placed.append((name, top + (room - total * scale) / 2))
        top += room + _GAP / 2
    return placed


def _height(sums: Counter[str], scale: float) -> float:
    return _GAP / 2 + sum(max(total * scale, 2.0 * _GAP) + _GAP / 2 for total in sums.values())


def _told(one: TransferView, words: Words) -> str:
    return f"{one.debtor} {words.pays(one.amount)} → {one.creditor}"


def _short(name: str) -> str:
    return name if len(name) <= 14 else f"{name[:13]}…"
