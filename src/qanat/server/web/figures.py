"""How figures stand on a page: short enough to be read, with the exact count one gesture away."""

from __future__ import annotations

from datetime import UTC, datetime

from markupsafe import Markup, escape

from qanat.languages import Language
from qanat.server.web.language import Say
from qanat.units import Unit, format_count, format_money, format_size

_ELEMENT = Markup('<data value="{value}" title="{exact}">{short}</data>')
_TIME = Markup('<time datetime="{iso}" title="{exact}">{short}</time>')
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def octets(count: int | None, unit: Unit = "octets", *, say: Say) -> Markup:
    """Write ``1.50 GB``; its title tells every octet. Other units: ``1 h 30 min``, ``10 units``."""
    if count is None:
        return Markup("–")
    if unit != "octets":
        short = _duration(count, say) if unit == "seconds" else say("{n} units", n=f"{count:,}")
        return _ELEMENT.format(value=count, exact=format_count(count, unit), short=short)
    return _ELEMENT.format(value=count, exact=say("{n} octets", n=f"{count:,}"), short=format_size(count))


def figure(count: int, say: Say) -> Markup:
    """Write a large figure: the number and, smaller, its unit."""
    number, _, unit = format_size(count).partition(" ")
    exact = say("{n} octets", n=f"{count:,}")
    return Markup('<data class="figure" value="{}" title="{}">{}<small>{}</small></data>').format(
        count, exact, number, unit
    )


def money(amount: int, currency: str) -> Markup:
    return _ELEMENT.format(value=amount, exact=currency, short=format_money(amount, currency))


def price(per_gb: int, currency: str, say: Say) -> str:
    """Write what a gigabyte costs; without a currency it is octet for octet."""
    return f"{format_money(per_gb, currency)} / GB" if currency else say("octet for octet")


def when(iso: str | None, language: Language) -> Markup:
    """Write a moment for people; its title is the moment to the second, in UTC."""
    if not iso:
        return Markup("–")
    at = datetime.fromisoformat(iso)
    return _TIME.format(iso=iso, exact=at.strftime("%Y-%m-%d %H:%M:%S UTC"), short=f"{day(at, language)} {at:%H:%M}")


def day(at: datetime, language: Language) -> str:
    """Write a day: ``22 Nov 2026`` or ``2026年11月22日``."""
    if language == "zh":
        return f"{at.year}年{at.month}月{at.day}日"
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}"


def date(iso: str | None, language: Language) -> Markup:
    if not iso:
        return Markup("–")
    at = datetime.fromisoformat(iso)
    return _TIME.format(iso=iso, exact=at.strftime("%Y-%m-%d %H:%M:%S UTC"), short=day(at, language))


def ago(iso: str, now_ms: int, say: Say) -> Markup:
    """Write how long ago a moment was, coarsely."""
    at = datetime.fromisoformat(iso)
    seconds = max(0, int((datetime.fromtimestamp(now_ms / 1000, UTC) - at).total_seconds()))
    return _TIME.format(iso=iso, exact=at.strftime("%Y-%m-%d %H:%M:%S UTC"), short=_ago(seconds, say))


def coded(text: str) -> Markup:
    """Write a sentence in which `commands` stand between backticks."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    written = (
        Markup("<code>{}</code>").format(part) if place % 2 else escape(part) for place, part in enumerate(parts)
    )
    return Markup("").join(written)


def share(part: int, whole: int) -> int:
    """Return how many hundredths ``part`` is of ``whole``, within 0 … 100."""
    return max(0, min(100, part * 100 // whole)) if whole > 0 else 0


def _duration(seconds: int, say: Say) -> str:
    hours, minutes, rest = seconds // 3600, seconds // 60 % 60, seconds % 60
    parts = ((hours, say("{n} h", n=hours)), (minutes, say("{n} min", n=minutes)), (rest, say("{n} s", n=rest)))
    return " ".join(told for part, told in parts if part) or say("{n} s", n=0)


def _ago(seconds: int, say: Say) -> str:
    if seconds < 60:
        return say("just now")
    if seconds < 3600:
        return say("{n} min ago", n=seconds // 60)
    if seconds < 86_400:
        return say("{n} h ago", n=seconds // 3600)
    return say("{n} days ago", n=seconds // 86_400)
