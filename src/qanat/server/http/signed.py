"""Who signed a request: the signature, the clock and the replay check (RFC 9421 §7.2.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from qanat.clock import Clock
from qanat.refusals import Refusal, Refused
from qanat.wire.signature import Signed, public_key, read_signature

_SLICE_S: Final = 60


class TooManyNonces(Exception):
    """The memory against replay is full: the server is overloaded, and says so rather than forget."""


class Memory(Protocol):
    def is_new(self, signed: Signed, *, now_s: int) -> bool:
        """Remember a nonce and tell whether this was the first time. Raises TooManyNonces."""
        ...


class ReplayMemory:
    """The nonces seen within the window, in slices of a minute that are dropped whole."""

    def __init__(self, *, window_s: int, bound: int) -> None:
        self._window_s = window_s
        self._bound = bound
        self._slices: dict[int, set[tuple[str, str]]] = {}

    def is_new(self, signed: Signed, *, now_s: int) -> bool:
        """Remember a nonce and tell whether this was the first time. Raises TooManyNonces."""
        self._keep_within(now_s - self._window_s - _SLICE_S, now_s + self._window_s + _SLICE_S)
        if sum(map(len, self._slices.values())) >= self._bound:
            raise TooManyNonces
        seen = self._slices.setdefault(signed.created_s // _SLICE_S, set())
        nonce = (signed.key_id, signed.nonce)
        if nonce in seen:
            return False
        seen.add(nonce)
        return True

    def _keep_within(self, oldest_s: int, newest_s: int) -> None:
        """Drop the slices that no request comes in: what is past, or of a clock that was set back."""
        for number in list(self._slices):
            if (number + 1) * _SLICE_S < oldest_s or number * _SLICE_S > newest_s:
                del self._slices[number]


def device_key(text: str) -> VerifyKey:
    """Read a device's public key in base64. Raises BadInput."""
    return VerifyKey(public_key(text).public_bytes_raw())


def is_genuine(signed: Signed, key: VerifyKey) -> bool:
    """Verify by libsodium, which takes half of OpenSSL's time: nothing else costs a report as much."""
    try:
        key.verify(signed.base, signed.signature)
    except BadSignatureError:
        return False
    return True


class Verifier:
    def __init__(self, *, clock: Clock, window_s: int, memory: Memory) -> None:
        self._clock = clock
        self._window_s = window_s
        self._memory = memory

    def read(self, *, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Signed | Refused:
        """Read the signature's headers and check the clock. Raises BadInput that names the header at fault."""
        signed = read_signature(method=method, path=path, headers=headers, body=body)
        now_s = self._clock.now() // 1000
        if abs(signed.created_s - now_s) > self._window_s:
            facts: dict[str, int | str] = {
                "created_s": signed.created_s,
                "now_s": now_s,
                "window_s": self._window_s,
            }
            return Refused(Refusal.CLOCK_SKEW, facts)
        return signed

    def check(self, signed: Signed, key: VerifyKey) -> Refused | None:
        """Check the signature, then that it is the first of its kind. Raises TooManyNonces."""
        if not is_genuine(signed, key):
            return Refused(Refusal.WRONG_SIGNATURE, {"key_id": signed.key_id})
        if not self._memory.is_new(signed, now_s=self._clock.now() // 1000):
            return Refused(Refusal.REPLAYED, {"nonce": signed.nonce})
        return None
