"""What base stations and the server say to each other about other people's traffic, on top of the agents' messages.

A base station is a credit-control client like a terminal: once a demander is admitted, the trade is a session, and
``agent.Interrogation``, ``InterrogationAnswer``, ``UsageReport`` and ``UsageConfirmation`` are used as they are, with
the trade's name as session. New here: enrolment, admission, and recall.

A demander proves that it is at this very base station, now, in one of two ways: its terminal signs a *presentation*, or
a person types the *passcode* of a demand order into the base station's page.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as BinasciiError
from typing import Annotated, Literal

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Meta

from qanat.errors import BadInput
from qanat.units import Instant
from qanat.wire.agent import Amount, Message, Name, Note
from qanat.wire.signature import public_key
from qanat.wire.spelling import CURRENCY, SERIAL, in_words

Code = Annotated[str, Meta(min_length=1, max_length=32)]
"""An identity code as a person wrote it."""
Currency = Annotated[str, Meta(pattern=CURRENCY)]
Role = Literal["demander", "supplier", "base_station", "supplier_terminal", "terminal"]
"""In what part somebody or something is in a trade; ``terminal`` is the demander's."""


class BaseStationEnrolment(Message, frozen=True, kw_only=True):
    """A base station's registration request, signed with the key it brings."""

    code: Annotated[str, Meta(min_length=4, max_length=64)]
    public_key: Annotated[str, Meta(min_length=44, max_length=44)]
    """Raw Ed25519 public key, base64."""
    hardware: Note
    serial: Annotated[str, Meta(min_length=1, max_length=64, pattern=SERIAL)]
    version: Note
    place: Note = ""
    """Where it stands, for people."""


class BaseStationEnrolled(Message, frozen=True, kw_only=True):
    """The base station is known from now on. Enrolling again with the same key and code gives the same answer."""

    base_station: Name
    identity: Code
    """Shown to demanders, in letters and as a QR code."""
    subscriber: Name
    operator: Name
    report_interval_s: Annotated[int, Meta(ge=1, le=86_400)]
    server_time: Instant


class Wish(Message, frozen=True, kw_only=True):
    """What the demander wants."""

    supplier: Code | None = None
    """The identity code of a supplier or a supplier's terminal; null is the best offer here."""
    octets: Amount | None = None
    """Ask for so many at least, and use no more; null is as far as the order goes."""
    most_per_gb: Amount | None = None
    """The highest price accepted for 10^9 octets, in minor units of ``currency``; null accepts only octet for octet."""
    currency: Currency = "EUR"


class Presentation(Message, frozen=True, kw_only=True):
    """A terminal's word that it wants to go online at this base station."""

    terminal: Code
    subscriber: Code
    base_station: Code
    wish: Wish
    at: Instant
    """When it was signed; each must be later than the one before."""


class SignedPresentation(Message, frozen=True, kw_only=True):
    """The exact JSON text of a presentation and the Ed25519 signature of the terminal's key over it."""

    text: Annotated[str, Meta(max_length=2048)]
    signature: Annotated[str, Meta(min_length=88, max_length=88)]


class Admission(Message, frozen=True, kw_only=True):
    """A base station asks whether a demander may go online. Repeating it gives the same answer."""

    presentation: SignedPresentation | None = None
    passcode: Annotated[str, Meta(min_length=4, max_length=64)] | None = None
    """Of a demand order; the other way to prove oneself."""
    wish: Wish = Wish()
    """For a passcode only: a presentation carries its own."""


class Admitted(Message, frozen=True, kw_only=True):
    """The demander may go online: open a session named ``trade`` with a first interrogation."""

    trade: Name
    demander: Name
    terminal: str
    """Empty for a person who came with a passcode."""
    supplier: Name
    supplier_terminal: str
    identities: dict[Role, Code]
    """The identity codes of all who take part."""
    order: Name
    price_per_gb: Amount
    currency: str
    """Empty when the price is octet for octet."""
    octets: Amount
    """The bound as it stands now; each grant is judged anew."""
    report_interval_s: Annotated[int, Meta(ge=1, le=86_400)]
    server_time: Instant


class Recalls(Message, frozen=True, kw_only=True):
    """Trades of this base station that must end: close the gate, report, return. To be asked for every second or so."""

    trades: list[Name]
    ask_again_ms: Annotated[int, Meta(ge=100, le=60_000)]


class OwnIdentities(Message, frozen=True, kw_only=True):
    """A terminal's identity code and its subscriber's, for its presentations."""

    terminal: Code
    subscriber: Code


class TradeCount(Message, frozen=True, kw_only=True):
    """What the demander's terminal counted in a trade, sent by the terminal once it has left the base station."""

    trade: Name
    up: Amount
    down: Amount


class TradeCounted(Message, frozen=True, kw_only=True):
    trade: Name
    agrees: bool | None
    """Whether it fits the base station's count within the tolerance; null until the base station has reported the end."""


def sign_presentation(key: Ed25519PrivateKey, presentation: Presentation) -> SignedPresentation:
    text = msgspec.json.encode(presentation)
    return SignedPresentation(text=text.decode(), signature=b64encode(key.sign(text)).decode())


def read_presentation(signed: SignedPresentation) -> Presentation:
    """Read what is claimed; nothing is verified yet. Raises BadInput."""
    try:
        return msgspec.json.decode(signed.text, type=Presentation)
    except msgspec.DecodeError as error:
        raise BadInput(
            f"the presentation is not in its form: {in_words(str(error))}", field="presentation.text"
        ) from error


def is_signed_by(signed: SignedPresentation, key: str) -> bool:
    """Tell whether the holder of this public key signed these exact bytes."""
    try:
        public_key(key).verify(b64decode(signed.signature, validate=True), signed.text.encode())
    except (InvalidSignature, BinasciiError, ValueError):
        return False
    return True
