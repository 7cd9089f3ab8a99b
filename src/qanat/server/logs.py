"""Logs: structured, to stderr, without secrets."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any, Final

import structlog

from qanat.server.settings import Log

SECRET: Final = frozenset(
    {"authorization", "binding_code", "code", "cookie", "csrf", "current", "passcode", "password", "signature", "token"}
)
"""Names under which requests carry what nobody else may know; neither log has their values."""


def configure(settings: Log) -> None:
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if settings.format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _hide_secrets,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[settings.level.upper()]),
        logger_factory=_Lines,
        cache_logger_on_first_use=False,
    )


class _Lines:
    """Lines on stderr. One that can't be written, to a full disk or a reader who left, is lost: serving goes on."""

    def __init__(self, *_: Any) -> None:
        self._stream = sys.stderr

    def msg(self, line: str) -> None:
        with suppress(OSError):
            print(line, file=self._stream, flush=True)

    debug = info = warning = error = critical = msg


def _hide_secrets(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Last defence: whoever logs a secret by its name logs nothing."""
    for name in SECRET & event.keys():
        event[name] = "…"
    return event
