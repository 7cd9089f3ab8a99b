"""The page a person sees in a plain browser: who serves, on whose traffic, how much is left, why not.

Everything goes without scripts; with them, the figures of somebody who is online stay fresh.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from html import escape
from typing import Final

from qanat.agents.base_station.page_looks import STYLE
from qanat.agents.base_station.page_words import say, sentence_and_cure
from qanat.agents.base_station.said import Here, SessionView
from qanat.languages import LANGUAGES, TAGS, Language
from qanat.units import format_money, format_size
from qanat.wire.agent import RefusalBody

Say = Callable[..., str]
_FIELDS: Final = (
    ("passcode", "Passcode", "From your demand order.", 'required maxlength="64" autocapitalize="characters"'),
    ("supplier", "Supplier's identity code", "Leave it empty for the best offer.", 'maxlength="32"'),
    (
        "most",
        "Highest price for 1 GB",
        "Leave it empty for octet-for-octet only.",
        'maxlength="16" inputmode="decimal" placeholder="2.50 EUR"',
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """For whom the page is made."""

    language: Language
    server: str = ""
    """Where a person can ask for a passcode; the way there is free."""
    filled: Mapping[str, str] = field(default_factory=dict)
    """What was typed into a form that is shown again."""


def page(here: Here, reader: Reader) -> bytes:
    say_it = partial(say, reader.language)
    is_online = here.session is not None and here.session.open
    body = _online(here.session, say_it, reader) if here.session and is_online else _offline(here, say_it, reader)
    serves = say_it("Base station {identity} of {operator}", identity=here.identity, operator=here.operator)
    title = f"{say_it('You are online' if is_online else 'You are not online')} · {here.place or here.base_station}"
    return (
        f'<!doctype html><html lang="{TAGS[reader.language]}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style>"
        '<script src="/page.js" defer></script></head><body>'
        f'<header><h1>{escape(here.place or here.base_station)}</h1><p class="soft">{escape(serves)}</p></header>'
        f"<main>{body}{_links(say_it, reader, is_online=is_online)}</main></body></html>"
    ).encode()


def _online(session: SessionView, say_it: Say, reader: Reader) -> str:
    used = session.up + session.down
    left = max(0, session.bound - used)
    exact = say_it("{n} octets", n=f"{left:,}")
    told = say_it("{used} used of {bound}", used=format_size(used), bound=format_size(session.bound))
    rows = (
        (say_it("On the traffic of"), session.supplier),
        (say_it("Price"), _price(session, say_it)),
    )
    listed = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in rows)
    listed += f'<dt>{say_it("Trade")}</dt><dd class="id">{escape(session.trade)}</dd>'
    return (
        f'<section><h2 class="online">{say_it("You are online")}</h2><div data-live>'
        f'<p class="soft">{say_it("Left of this agreement")}</p>'
        f'<data class="figure" value="{left}" title="{exact}">{format_size(left)}</data>'
        f'<progress max="{max(1, session.bound)}" value="{left}" aria-label="{say_it("Left of this agreement")}"></progress>'
        f'<p class="hint">{told}</p></div><dl>{listed}</dl>{_refusal(session.refusal, reader)}'
        f'<p class="away" data-away role="status" hidden>'
        f"{say_it('The base station does not answer; these figures are old.')}</p>"
        f'<form method="post" action="{_path("/leave", reader)}">'
        f'<button class="quiet">{say_it("Go offline")}</button></form></section>'
    )


def _offline(here: Here, say_it: Say, reader: Reader) -> str:
    why = here.refusal if here.session is None else here.session.refusal or here.refusal
    fields = "".join(_field(*each, say_it=say_it, reader=reader) for each in _FIELDS)
    return (
        f'{_refusal(why, reader)}<form class="card" method="post" action="{_path("/join", reader)}">'
        f'<h2>{say_it("Go online")}</h2><p class="soft">'
        f"{say_it('Somebody lends you traffic here. Your passcode says who you are.')}</p>"
        f"{fields}<button>{say_it('Go online')}</button></form>"
    )


def _field(name: str, label: str, hint: str, rules: str, *, say_it: Say, reader: Reader) -> str:
    return (
        f'<div><label for="{name}">{escape(say_it(label))}</label><p class="hint" id="{name}-hint">{say_it(hint)}</p>'
        f'<input id="{name}" name="{name}" aria-describedby="{name}-hint" autocomplete="off" spellcheck="false" {rules}'
        f' value="{escape(reader.filled.get(name, ""))}"></div>'
    )


def _refusal(why: RefusalBody | None, reader: Reader) -> str:
    if why is None:
        return ""
    sentence, cure = sentence_and_cure(why, reader.language)
    return (
        f'<section class="refused" role="alert"><p><strong>{escape(sentence)}</strong></p><p>{_coded(cure)}</p>'
        f"<p><code>{escape(why.reason)}</code></p></section>"
    )


def _coded(text: str) -> str:
    """Show what is typed into a shell, between backticks, as such."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts))


def _links(say_it: Say, reader: Reader, *, is_online: bool) -> str:
    """Look again, or ask for a passcode; and the page in the other language."""
    again = f'<a href="{_path("/", reader)}">{say_it("Look again")}</a>'
    ask = f'<a href="{escape(reader.server)}/me/borrow">{say_it("No passcode yet? Ask for one")}</a>'
    other: Language = "en" if reader.language == "zh" else "zh"
    return (
        f"<nav>{again if is_online else ask if reader.server else ''}"
        f'<a href="/?language={other}" hreflang="{TAGS[other]}" lang="{TAGS[other]}">{LANGUAGES[other]}</a></nav>'
    )


def _path(path: str, reader: Reader) -> str:
    """Return a path of ours that goes on in this language."""
    return f"{path}?language={reader.language}"


def _price(session: SessionView, say_it: Say) -> str:
    if not session.currency:
        return say_it("octet for octet")
    return f"{format_money(session.price_per_gb, session.currency)} / GB"
