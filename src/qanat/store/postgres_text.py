"""Names as PostgreSQL can hold them: without NUL, and short enough for an index (2,704 octets for all columns of a key).

Peers choose some of our names, such as Diameter's Session-Id. A name that does not fit is kept by its beginning and a
digest; the record's body has it whole.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

from qanat.ids import Owner
from qanat.store.port import RecordRow
from qanat.store.records import decode_record

_OCTETS: Final = 600
_ALWAYS_FITS: Final = _OCTETS // 4
"""So many characters, whatever they are."""
_CUT: Final = "\x01"


def to_column(text: str) -> str:
    """Return what stands for a name in a column; the same for the same name, another for another."""
    octets = text.encode()
    if _fits(text) or (len(octets) <= _OCTETS and _is_plain(text)):
        return text
    beginning = text[: _ALWAYS_FITS // 2].replace("\x00", _CUT)
    return f"{beginning}{_CUT}{blake2b(octets, digest_size=16).hexdigest()}"


def to_columns(row: RecordRow) -> RecordRow:
    if _fits(row.owner) and _fits(row.id) and _fits(row.label):
        return row
    return row._replace(owner=Owner(to_column(row.owner)), id=to_column(row.id), label=to_column(row.label))


def from_columns(row: RecordRow) -> RecordRow:
    """Return a stored row with its names whole."""
    if row.body is None or not (_CUT in row.owner or _CUT in row.id or _CUT in row.label):
        return row
    record = decode_record(row.body)
    return row._replace(owner=record.owner, id=record.id, label=record.label)


def _fits(text: str) -> bool:
    return len(text) <= _ALWAYS_FITS and _is_plain(text)


def _is_plain(text: str) -> bool:
    return "\x00" not in text and _CUT not in text
