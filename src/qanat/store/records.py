"""Every kind of record there is, and how records and entries are written: as JSON, which anybody can read."""

from __future__ import annotations

from typing import Any, Final, Literal, Union, cast

import msgspec

from qanat.charging.metering import JournalMark
from qanat.charging.session import Session
from qanat.errors import StoreFault
from qanat.exchange.clearing import ClearingRecord, Period
from qanat.exchange.disputes import Dispute
from qanat.exchange.identity import Identity, IdentityLink
from qanat.exchange.obligations import Obligation, Offset, PairAccounts, PairLink
from qanat.exchange.obtained import TradeShare
from qanat.exchange.orders import Circle, DemandOrder, PasscodeLink, SupplyOrder
from qanat.exchange.trades import Trade, TradeLink, Visit
from qanat.ledger.book import Account
from qanat.ledger.history import UsageHistory
from qanat.ledger.transit import Outbox, Receipt
from qanat.ledger.work import Entry, Record, kind_name
from qanat.registry.access import Credential, Staff, Token
from qanat.registry.answers import StoredAnswer
from qanat.registry.base_stations import BaseStation, BaseStationLink, Heard
from qanat.registry.changes import Change
from qanat.registry.codes import EnrolmentCode, WaitingCodes
from qanat.registry.leases import Lease
from qanat.registry.names import Claim
from qanat.registry.operators import Operator
from qanat.registry.peers import AcceptedPeer
from qanat.registry.plans import Plan
from qanat.registry.refused import RefusedRequest
from qanat.registry.sims import Numbering, Pool, PoolPlace, SimProfile
from qanat.registry.subscribers import Subscriber
from qanat.registry.terminals import Terminal, TerminalLink
from qanat.registry.unmatched import UnmatchedReport
from qanat.registry.vouchers import Voucher, VoucherBatch

_ALL: Final[tuple[type[Record], ...]] = (
    AcceptedPeer,
    Account,
    BaseStation,
    BaseStationLink,
    Change,
    Circle,
    Claim,
    ClearingRecord,
    Credential,
    DemandOrder,
    Dispute,
    EnrolmentCode,
    Heard,
    Identity,
    IdentityLink,
    JournalMark,
    Lease,
    Numbering,
    Obligation,
    Offset,
    Operator,
    Outbox,
    PairAccounts,
    PairLink,
    PasscodeLink,
    Period,
    Plan,
    Pool,
    PoolPlace,
    Receipt,
    RefusedRequest,
    Session,
    SimProfile,
    Staff,
    StoredAnswer,
    Subscriber,
    SupplyOrder,
    Terminal,
    TerminalLink,
    Token,
    Trade,
    TradeLink,
    TradeShare,
    UnmatchedReport,
    UsageHistory,
    Visit,
    Voucher,
    VoucherBatch,
    WaitingCodes,
)
KINDS: Final[dict[str, type[Record]]] = {kind_name(kind): kind for kind in _ALL}

_AnyRecord: Any = Union[tuple(KINDS.values())]  # noqa: UP007 - built from a list
_AnyKind: Any = Literal[tuple(KINDS)]
_StoredEntry = msgspec.defstruct(
    "_StoredEntry",
    [
        ("postings", list[tuple[str, int]], msgspec.field(default_factory=list)),
        ("put", list[_AnyRecord], msgspec.field(default_factory=list)),
        ("drop", list[tuple[_AnyKind, str, str]], msgspec.field(default_factory=list)),
    ],
    gc=False,
)
_encoder: Final = msgspec.json.Encoder()
_USUAL_OCTETS: Final = 2048
"""Room for most entries: making more of it, step by step, takes a seventh of the time it takes to write one."""
_entries: Final[msgspec.json.Decoder[Any]] = msgspec.json.Decoder(_StoredEntry)
_records: Final[msgspec.json.Decoder[Any]] = msgspec.json.Decoder(_AnyRecord)


def encode(value: Entry | Record) -> str:
    text = bytearray(_USUAL_OCTETS)
    _encoder.encode_into(value, text)
    return text.decode()


def decode_entry(text: str | bytes) -> Entry:
    """Raises StoreFault for what this version does not know."""
    try:
        return cast(Entry, _entries.decode(text))
    except msgspec.DecodeError as error:
        raise _unknown(error) from error


def decode_record(text: str | bytes) -> Record:
    """Raises StoreFault for what this version does not know."""
    try:
        return cast(Record, _records.decode(text))
    except msgspec.DecodeError as error:
        raise _unknown(error) from error


def _unknown(error: msgspec.DecodeError) -> StoreFault:
    cure = "Update this one if a later version serves the database too; if none does, restore a backup"
    return StoreFault(f"the database holds what this version of Qanat can't read: {error}. {cure}.")
