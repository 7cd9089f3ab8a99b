"""One line for each event on stderr, for a person or, with ``--json``, for a program.

A line that cannot be written, to a full disk or a reader who left, is lost: metering goes on.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final, Protocol, TextIO

import msgspec

from qanat.clock import Clock
from qanat.printed import plain
from qanat.units import format_size

_SIZES: Final = frozenset({"octets", "used", "left", "returned", "reserved", "unreported"})


class Log(Protocol):
    def __call__(self, event: str, **facts: int | str) -> None: ...


class PlainLog:
    """``21:04:05 quota granted  octets=10000000 (10.0 MB) quota=q-7``"""

    def __init__(self, clock: Clock, stream: TextIO = sys.stderr) -> None:
        self._clock = clock
        self._stream = stream

    def __call__(self, event: str, **facts: int | str) -> None:
        moment = datetime.fromtimestamp(self._clock.now() / 1000, UTC)
        shown = " ".join(f"{name}={_shown(name, value)}" for name, value in facts.items() if value != "")
        _print(plain(f"{moment:%H:%M:%S} {event}  {shown}".rstrip()), self._stream)


class JsonLog:
    def __init__(self, clock: Clock, stream: TextIO = sys.stderr) -> None:
        self._clock = clock
        self._stream = stream

    def __call__(self, event: str, **facts: int | str) -> None:
        line = msgspec.json.encode({"at": self._clock.now(), "event": event, **facts})
        _print(line.decode(), self._stream)


def _print(line: str, stream: TextIO) -> None:
    with suppress(OSError):
        print(line, file=stream, flush=True)


def _shown(name: str, value: int | str) -> str:
    if name in _SIZES and isinstance(value, int):
        return f"{value} ({format_size(value)})" if value >= 1000 else str(value)
    return f'"{value}"' if isinstance(value, str) and " " in value else str(value)
