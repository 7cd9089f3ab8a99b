"""English of one: a sentence with ``{n}`` when that is 1. Chinese has no plural."""

from __future__ import annotations

from typing import Final

ONE: Final[dict[str, str]] = {
    "for {n} days": "for {n} day",
    "turned away {n} times": "turned away once",
    "{n} days": "{n} day",
    "{n} days ago": "{n} day ago",
    "{n} octets": "{n} octet",
    "{n} people": "{n} person",
    "{n} quotas": "{n} quota",
    "{n} times": "once",
    "{n} units": "{n} unit",
}
