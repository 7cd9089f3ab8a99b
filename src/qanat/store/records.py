"""Every kind of record there is, and how records and entries are written: as JSON, which anybody can read."""

from __future__ import annotations

from typing import Any, Final, Union, cast

import msgspec

from qanat.charging.metering import JournalMark
from qanat.charging.session import Session
from qanat.ledger.book import Account
from qanat.ledger.work import Entry, Record, kind_name

KINDS: Final[dict[str, type[Record]]] = {kind_name(kind): kind for kind in (Account, JournalMark, Session)}

_AnyRecord: Any = Union[tuple(KINDS.values())]  # noqa: UP007 - built from a list
_StoredEntry = msgspec.defstruct(
    "_StoredEntry",
    [
        ("postings", list[tuple[str, int]], msgspec.field(default_factory=list)),
        ("put", list[_AnyRecord], msgspec.field(default_factory=list)),
        ("drop", list[tuple[str, str, str]], msgspec.field(default_factory=list)),
    ],
    gc=False,
)
_encoder: Final = msgspec.json.Encoder()
_entries: Final[msgspec.json.Decoder[Any]] = msgspec.json.Decoder(_StoredEntry)
_records: Final[msgspec.json.Decoder[Any]] = msgspec.json.Decoder(_AnyRecord)


def encode(value: Entry | Record) -> str:
    return _encoder.encode(value).decode()


def decode_entry(text: str | bytes) -> Entry:
    return cast(Entry, _entries.decode(text))


def decode_record(text: str | bytes) -> Record:
    return cast(Record, _records.decode(text))
