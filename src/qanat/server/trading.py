"""The exchange's work that takes several decisions, each in one shard and each safe to repeat."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Final, Protocol, TypeVar

from msgspec.structs import replace

from qanat.charging.granting import session_of
from qanat.charging.quota import Policy
from qanat.exchange.booking import receive
from qanat.exchange.orders import SupplyOrder
from qanat.exchange.trades import trade_at
from qanat.ids import Owner
from qanat.ledger.transit import Parcel, delivered, parcels_of
from qanat.ledger.work import Work
from qanat.refusals import Refused
from qanat.server import sweeping
from qanat.server.http import translate_trades as translate
from qanat.store.store import Store
from qanat.wire.agent import Interrogation, InterrogationAnswer, UsageConfirmation, UsageReport

_CONSIDERED: Final = 50
"""How many of the cheapest open orders are looked at for a demander who leaves the choice to us."""

T = TypeVar("T")


class Decider(Protocol):
    """The part of a store that decides."""

    def decide(self, decision: Callable[[Work], T]) -> Awaitable[T]: ...

    def decide_all(self, decisions: Iterable[Callable[[Work], object]]) -> Awaitable[None]: ...


async def take_usage(store: Decider, base_station: str, report: UsageReport) -> UsageConfirmation | Refused:
    """Count a base station's rows, supplier by supplier, then confirm them. Raises StoreFault: repeating is safe."""
    refused = await _count(store, base_station, report)
    if refused is not None:
        return refused
    return await store.decide(lambda work: translate.confirm(work, base_station, report))


async def interrogate(
    store: Decider, policy: Policy, base_station: str, message: Interrogation
) -> InterrogationAnswer | Refused:
    """Count what a question reports, answer it, confirm. Raises StoreFault: repeating is safe.

    A base station waits for this between two grants, so counting and granting, both on the supplier's page, are one
    decision, unless there are rows of other trades: each page counts its own, and all do before anything is granted.
    """
    if any(session_of(row.quota) != message.session for row in message.report.rows):
        refused = await _count(store, base_station, message.report)
        if refused is not None:
            return refused
    answer, posted = await store.decide(partial(_answer, policy=policy, base_station=base_station, message=message))
    if isinstance(answer, Refused):
        return answer
    confirmed = await store.decide(lambda work: translate.confirm(work, base_station, message.report))
    await carry(store, posted)
    return confirmed if isinstance(confirmed, Refused) else replace(answer, acked=confirmed.acked)


def _answer(
    work: Work, policy: Policy, base_station: str, message: Interrogation
) -> tuple[InterrogationAnswer | Refused, tuple[Parcel, ...]]:
    """Answer, and tell what the end of a trade has put in the post, which is not left to the next sweep."""
    answer = translate.counted_interrogation(work, policy, base_station, message)
    ended = trade_at(work, base_station, message.session) if message.kind == "final" else None
    return answer, parcels_of(work, ended.owner) if ended is not None else ()


async def _count(store: Decider, base_station: str, report: UsageReport) -> Refused | None:
    divided = await store.decide(lambda work: translate.rows_by_supplier(work, base_station, report))
    for supplier, rows in divided.items():
        count = partial(translate.count_rows, base_station=base_station, supplier=supplier, message=rows)
        refused = await store.decide(count)
        if refused is not None:
            return refused
    return None


async def deliver(store: Decider, owner: Owner) -> int:
    """Deliver the parcels in a page's outbox and return how many there were. Raises StoreFault: repeating is safe."""
    parcels = await store.decide(lambda work: parcels_of(work, owner))
    await carry(store, parcels)
    return len(parcels)


async def carry(store: Decider, parcels: tuple[Parcel, ...]) -> None:
    """Deliver all that one page has in the post, if anything. Raises StoreFault: repeating is safe."""
    if parcels:
        last = parcels[-1]
        await store.decide_all(partial(receive, parcels=part) for part in _by_page(parcels))
        await store.decide(lambda work: delivered(work, last.sender, up_to=last.seq))


def _by_page(parcels: Iterable[Parcel]) -> list[list[Parcel]]:
    pages: dict[Owner, list[Parcel]] = {}
    for parcel in parcels:
        pages.setdefault(parcel.target, []).append(parcel)
    return list(pages.values())


async def sweep_owner(store: Decider, owner: Owner) -> int:
    """Do everything that is due for an owner; return how many records it concerned."""
    swept = await store.decide(lambda work: sweeping.sweep(work, owner))
    await deliver(store, owner)
    return swept


async def suppliers_on_offer(store: Store) -> tuple[str, ...]:
    """Return who supplies now, the cheapest first."""
    orders = await store.find(SupplyOrder, label_prefix="open/", limit=_CONSIDERED)
    return tuple(dict.fromkeys(order.supplier for order in orders))
