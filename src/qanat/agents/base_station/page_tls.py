"""TLS for the page: RFC 8908 §4 wants the captive-portal API to be asked over HTTPS, under a name that its certificate has.

Without a certificate of the operator's the base station makes one itself. It proves nothing to a stranger's phone, which
then looks for the page in its old ways; it is good for a lab, and for devices that were told to trust it.
"""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from qanat.agents.state_folder import write_whole
from qanat.clock import Clock
from qanat.errors import BadInput

_VALID: Final = timedelta(days=825)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageTls:
    """Where the page is served over TLS, and with what."""

    port: int
    name: str
    """Which a certificate of our own is made for."""
    certificate: Path | None = None
    """With whatever leads to its root; its key is in ``key``."""
    key: Path | None = None


def context_for(wanted: PageTls, state: Path, clock: Clock) -> ssl.SSLContext:
    """Load the certificate, or the one in the state folder, which is made if it is missing. Raises BadInput."""
    if (wanted.certificate is None) != (wanted.key is None):
        raise BadInput("a certificate and its key go together: give --page-cert and --page-key", field="page-cert")
    own = state / "page.pem"
    if wanted.certificate is None and not own.exists():
        write_whole(own, self_made(wanted.name, clock))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(wanted.certificate or own, wanted.key)
    except (OSError, ssl.SSLError) as error:
        raise BadInput(
            f"{wanted.certificate or own} can't be used ({os.strerror(error.errno) if error.errno else error}): give a"
            " certificate and its key in PEM",
            field="page-cert",
        ) from error
    return context


def self_made(name: str, clock: Clock) -> bytes:
    """Make a key and a certificate that only vouches for itself; both in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.fromtimestamp(clock.now() / 1000, UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _VALID)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return secret + made.public_bytes(Encoding.PEM)
