"""Signed requests: HTTP Message Signatures with Ed25519, in one strict profile (RFC 9421, RFC 9530).

Covered, in this order: ``@method``, ``@path``, ``content-digest``. Parameters, in this order: ``created``, ``nonce``,
``keyid``, ``alg``. A verifier that accepts one spelling only has little to get wrong. The bytes signed are the exact
bytes received.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode, b64encode
from binascii import Error as BinasciiError
from collections.abc import Mapping
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from qanat.errors import BadInput

COMPONENTS: Final = '("@method" "@path" "content-digest")'
CLOCK_OFFSET: Final = "qanat-clock-offset"
"""A header: milliseconds that the device adds to its own clock to have the server's. Told, not signed; nothing rests on it."""
_INPUT: Final = re.compile(
    re.escape(f"sig={COMPONENTS};")
    + r'created=(\d{1,12});nonce="([A-Za-z0-9_-]{16,64})";keyid="([A-Za-z0-9._:+/=-]{1,128})";alg="ed25519"'
)
_SIGNATURE: Final = re.compile(r"sig=:([A-Za-z0-9+/]{86}==):")


class Signed(NamedTuple):
    """A request's signature as its headers state it; nothing is verified yet."""

    created_s: int
    nonce: str
    key_id: str
    base: bytes
    signature: bytes


def content_digest(body: bytes) -> str:
    """Return the Content-Digest header (RFC 9530 §2)."""
    return f"sha-256=:{b64encode(hashlib.sha256(body).digest()).decode()}:"


def sign(
    key: Ed25519PrivateKey, *, key_id: str, method: str, path: str, body: bytes, created_s: int, nonce: str
) -> dict[str, str]:
    """Return the three headers to send with these exact bytes."""
    digest = content_digest(body)
    parameters = f'{COMPONENTS};created={created_s};nonce="{nonce}";keyid="{key_id}";alg="ed25519"'
    signature = b64encode(key.sign(_base(method, path, digest, parameters))).decode()
    return {"content-digest": digest, "signature-input": f"sig={parameters}", "signature": f"sig=:{signature}:"}


def read_signature(*, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Signed:
    """Read the headers and check the digest against the body. Raises BadInput that names the header at fault."""
    given = _INPUT.fullmatch(headers.get("signature-input", ""))
    if given is None:
        raise BadInput("Signature-Input is missing or not in the profile that Qanat uses", field="Signature-Input")
    seal = _SIGNATURE.fullmatch(headers.get("signature", ""))
    if seal is None:
        raise BadInput("Signature is missing or not 64 octets in base64", field="Signature")
    digest = content_digest(body)
    if headers.get("content-digest") != digest:
        raise BadInput("Content-Digest does not match the body", field="Content-Digest")
    parameters = headers["signature-input"].removeprefix("sig=")
    return Signed(
        created_s=int(given[1]),
        nonce=given[2],
        key_id=given[3],
        base=_base(method, path, digest, parameters),
        signature=b64decode(seal[1]),
    )


def public_key(text: str) -> Ed25519PublicKey:
    """Read a raw Ed25519 public key in base64. Raises BadInput."""
    try:
        return Ed25519PublicKey.from_public_bytes(b64decode(text, validate=True))
    except (ValueError, BinasciiError) as error:
        raise BadInput(f"{text!r} is not 32 octets of Ed25519 public key in base64", field="public_key") from error


def _base(method: str, path: str, digest: str, parameters: str) -> bytes:
    """Build the signature base (RFC 9421 §2.5)."""
    return (
        f'"@method": {method}\n"@path": {path}\n"content-digest": {digest}\n"@signature-params": {parameters}'
    ).encode()
