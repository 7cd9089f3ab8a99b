"""Who an agent's request is from: nothing is decided for a stranger.

In this order: form of the signature, clock, key, signature, replay; only then is the body read.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from nacl.signing import VerifyKey
from starlette.requests import Request

from qanat.clock import Clock
from qanat.errors import BadInput
from qanat.ledger.work import Work
from qanat.refusals import Refusal, Refused
from qanat.registry.base_stations import BaseStation, base_station_or_refused, note_heard
from qanat.registry.terminals import Terminal, terminal_or_refused
from qanat.server.http.signed import TooManyNonces, Verifier, device_key
from qanat.store.store import Store
from qanat.units import MINUTE, Instant
from qanat.wire.signature import CLOCK_OFFSET, Signed

_KEYS_KEPT: Final = 50_000
VOUCHED: Final = "qanat.terminal"
"""In the scope of a request whose signature was checked already: the id of the terminal."""
BASE_STATION: Final = "bst"
"""How the ids of base stations begin."""


class Admission:
    """Knows the keys of the devices that were seen last; a device's key never changes."""

    def __init__(self, *, store: Store, verifier: Verifier, clock: Clock) -> None:
        self._store = store
        self._verifier = verifier
        self._clock = clock
        self._heard: dict[str, Instant] = {}
        self._keys: OrderedDict[str, VerifyKey] = OrderedDict()

    async def terminal(self, request: Request, body: bytes) -> str | Refused:
        """Return the id of the enrolled terminal that signed this request. Raises BadInput, TooManyNonces."""
        id = await self._device(request, body)
        if isinstance(id, str) and _is_base_station(id):
            return Refused(Refusal.UNKNOWN_TERMINAL, {"terminal": id})
        return id

    async def base_station(self, request: Request, body: bytes) -> str | Refused:
        """Return the id of the enrolled base station that signed this request. Raises BadInput, TooManyNonces."""
        id = await self._device(request, body)
        if isinstance(id, str) and not _is_base_station(id):
            return Refused(Refusal.UNKNOWN_BASE_STATION, {"base_station": id})
        if isinstance(id, str):
            await self._note_heard(id, request)
        return id

    async def _note_heard(self, base_station: str, request: Request) -> None:
        """Keep when a base station was heard, once a minute, for whoever wonders whether it is on."""
        now = self._clock.now()
        if abs(now - self._heard.get(base_station, Instant(0))) < MINUTE:
            return
        self._heard[base_station] = now
        ahead_ms = -_offset(request.headers.get(CLOCK_OFFSET, ""))
        await self._store.decide(lambda work: note_heard(work, base_station, ahead_ms=ahead_ms))

    async def _device(self, request: Request, body: bytes) -> str | Refused:
        vouched = request.scope.get(VOUCHED)
        if vouched is not None:
            return str(vouched)
        signed = self._read(request, body)
        if isinstance(signed, Refused):
            return signed
        key = await self._key_of(signed.key_id)
        if isinstance(key, Refused):
            return key
        return self._verifier.check(signed, key) or signed.key_id

    def bearer(self, request: Request, body: bytes) -> str | Refused:
        """Return the public key that signed this request and names itself. Raises BadInput, TooManyNonces."""
        signed = self._read(request, body)
        if isinstance(signed, Refused):
            return signed
        return self._verifier.check(signed, device_key(signed.key_id)) or signed.key_id

    def vouch(self, *, method: str, path: str, headers: Mapping[str, str], body: bytes) -> str | None:
        """Return the id of the terminal that signed, if its key is at hand and all is in order.

        None: nothing was remembered, and ``terminal`` says what is missing. Else the nonce is used up.
        """
        try:
            signed = self._verifier.read(method=method, path=path, headers=headers, body=body)
            if isinstance(signed, Refused) or _is_base_station(signed.key_id):
                return None
            key = self._known(signed.key_id)
            return signed.key_id if key is not None and self._verifier.check(signed, key) is None else None
        except (BadInput, TooManyNonces):
            return None

    def _read(self, request: Request, body: bytes) -> Signed | Refused:
        path: str = request.scope["path"]
        return self._verifier.read(method=request.method, path=path, headers=dict(request.headers), body=body)

    async def _key_of(self, device: str) -> VerifyKey | Refused:
        known = self._known(device)
        if known is not None:
            return known
        found = await self._store.decide(lambda work: _find(work, device))
        if isinstance(found, Refused):
            return found
        key = self._keys[device] = device_key(found.public_key)
        if len(self._keys) > _KEYS_KEPT:
            self._keys.popitem(last=False)
        return key

    def _known(self, device: str) -> VerifyKey | None:
        key = self._keys.get(device)
        if key is not None:
            self._keys.move_to_end(device)
        return key


def _offset(text: str) -> int:
    """Read what a device says it must add to its clock; nonsense is nothing, since nothing rests on it."""
    return int(text) if re.fullmatch(r"-?\d{1,15}", text) else 0


def _is_base_station(id: str) -> bool:
    return id.partition("-")[0] == BASE_STATION


def _find(work: Work, device: str) -> Terminal | BaseStation | Refused:
    return base_station_or_refused(work, device) if _is_base_station(device) else terminal_or_refused(work, device)
