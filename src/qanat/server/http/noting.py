"""What the log of changes is told of a request: where it went and what it said, shortened, and nothing secret."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import unquote

import msgspec
from fastapi import Request

from qanat.ledger.work import Work
from qanat.registry.access import Caller
from qanat.registry.changes import note_change
from qanat.server.logs import SECRET
from qanat.system import fresh_id

_VALUE: Final = 120
"""Letters of a value that are kept."""
_VALUES: Final = 20


async def noted(request: Request, caller: Caller | None) -> Callable[[Work], None]:
    """Return what notes this request in a decision. A subscriber's own doings are no business of the log.

    All decisions of one request are one line of the log.
    """
    if caller is None or caller.role == "subscriber":
        return lambda _: None
    if not hasattr(request.state, "change"):
        request.state.change = fresh_id("chg")
    id, target = request.state.change, unquote(request.url.path).removeprefix("/v1/")
    said = dict(_said(await request.body()))
    return lambda work: note_change(work, caller, id=id, target=target, said=said)


def _said(body: bytes) -> Iterator[tuple[str, str]]:
    for field, value in list(_fields(body).items())[:_VALUES]:
        if field not in SECRET and value not in (None, "", []):
            yield field, _short(value)


def _fields(body: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(body or b"{}")
    except msgspec.DecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= _VALUE else f"{text[:_VALUE]}… ({len(text)} letters)"
