"""The page a person sees in a plain browser: who serves, on whose traffic, how much is left, why not. No script at all.

English and Chinese stand side by side, so nobody has to choose before he can read.
"""

from __future__ import annotations

from html import escape
from typing import Final

from qanat.agents.base_station.said import Here, SessionView
from qanat.units import format_money, format_size
from qanat.wire.agent import RefusalBody

_STYLE: Final = """
:root { color-scheme: light dark; font: 1.05rem/1.5 system-ui, sans-serif; }
body { max-width: 34rem; margin: 2rem auto; padding: 0 1rem; }
section { border: 1px solid color-mix(in srgb, currentColor 25%, transparent); border-radius: .6rem; }
section { padding: 1rem; margin: 1rem 0; }
.refused { border-color: #b3261e; border-width: 2px; }
dt { opacity: .75; } dd { margin: 0 0 .6rem; font-weight: 600; overflow-wrap: anywhere; }
label { display: block; margin: .6rem 0 .2rem; }
input, button { font: inherit; padding: .5rem .7rem; width: 100%; box-sizing: border-box; border-radius: .4rem; }
button { margin-top: 1rem; cursor: pointer; }
"""


def page(here: Here) -> bytes:
    body = _online(here.session) if here.session is not None and here.session.open else _offline(here)
    refresh = '<meta http-equiv="refresh" content="5">' if here.session is not None else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"{refresh}<title>Qanat</title><style>{_STYLE}</style></head><body><main>"
        f"<h1>{escape(here.place or here.base_station)}</h1>"
        f"<p>Base station <strong>{escape(here.identity)}</strong> of {escape(here.operator)}"
        f' · <span lang="zh">{escape(here.operator)} 的基站</span></p>{body}</main></body></html>'
    ).encode()


def _online(session: SessionView) -> str:
    rows = (
        ("On the traffic of", "流量供应方", session.supplier),
        ("Used", "已用", f"{format_size(session.up + session.down)} ({session.up + session.down} B)"),
        ("Left of this agreement", "本次约定剩余", format_size(max(0, session.bound - session.up - session.down))),
        ("Price", "价格", _price(session)),
        ("Trade", "交易", session.trade),
    )
    listed = "".join(_row(*row) for row in rows)
    return (
        '<section><h2>You are online · <span lang="zh">您已上网</span></h2>'
        f"<dl>{listed}</dl>{_refusal(session.refusal)}"
        '<form method="post" action="/leave"><button>Go offline · <span lang="zh">下线</span></button></form></section>'
    )


def _offline(here: Here) -> str:
    why = here.refusal if here.session is None else here.session.refusal or here.refusal
    return (
        f"{_refusal(why)}<section>"
        '<h2>Go online · <span lang="zh">上网</span></h2><form method="post" action="/join">'
        '<label for="passcode">Passcode of your demand order · <span lang="zh">需求订单口令</span></label>'
        '<input id="passcode" name="passcode" required maxlength="64" autocomplete="one-time-code" autocapitalize="characters">'
        '<label for="supplier">Supplier\'s identity code; empty for the best offer · '
        '<span lang="zh">供应方身份码；留空则选最佳报价</span></label>'
        '<input id="supplier" name="supplier" maxlength="32" autocomplete="off">'
        '<label for="most">Highest price for 1 GB; empty for octet-for-octet only · '
        '<span lang="zh">每 GB 最高价；留空则只接受等量互换</span></label>'
        '<input id="most" name="most" maxlength="16" inputmode="decimal" autocomplete="off" placeholder="2.50 EUR">'
        '<button>Go online · <span lang="zh">上网</span></button></form></section>'
    )


def _refusal(why: RefusalBody | None) -> str:
    if why is None:
        return ""
    return (
        f'<section class="refused" role="alert"><p><strong>{escape(why.sentence)}</strong></p><p>{escape(why.cure)}</p>'
        f'<p lang="zh"><strong>{escape(why.sentence_zh)}</strong><br>{escape(why.cure_zh)}</p>'
        f"<p><code>{escape(why.reason)}</code></p></section>"
    )


def _row(english: str, chinese: str, value: str) -> str:
    return f'<dt>{english} · <span lang="zh">{chinese}</span></dt><dd>{escape(value)}</dd>'


def _price(session: SessionView) -> str:
    if not session.currency:
        return "octet for octet · 等量互换"
    return f"{format_money(session.price_per_gb)} {session.currency} / GB"
