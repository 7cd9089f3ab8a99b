"""Decisions and questions that the store's tests share."""

from __future__ import annotations

from collections.abc import Callable

from qanat.charging.credit_control import interrogate
from qanat.charging.interrogation import Ask, Interrogation, Use
from qanat.charging.quota import Policy
from qanat.charging.session import Answer, Event
from qanat.ids import Owner, SessionId
from qanat.ledger import book
from qanat.ledger.book import Account
from qanat.ledger.work import Work
from qanat.store.store import Store
from qanat.units import Instant, Octets

POLICY = Policy(quota_octets=Octets(1000))


def fund(name: str, octets: int, *, id: str = "b", due: int | None = None) -> Callable[[Work], None]:
    """A decision that may be repeated: the bucket's id makes it one."""

    def decision(work: Work) -> None:
        owner = Owner(f"subscriber/{name}")
        if work.get(Account, owner, id) is None:
            when = None if due is None else Instant(due)
            bucket = Account(owner=owner, id=id, role="bucket", operator="home", size=octets, due=when)
            book.open_bucket(work, bucket)

    return decision


def say(name: str, session: str, number: int, event: Event, used: int = 0) -> Callable[[Work], Answer]:
    request = Interrogation(
        session=SessionId(session),
        owner=Owner(f"subscriber/{name}"),
        event=event,
        number=number,
        digest=used,
        front="test",
        holder="trm",
        uses=(Use(octets=Octets(used), ends=True),) if number else (),
        asks=() if event is Event.FINAL else (Ask(),),
    )
    return lambda work: interrogate(work, POLICY, request)


async def balance(store: Store, name: str, id: str = "b") -> int:
    account = await store.decide(lambda work: work.get(Account, Owner(f"subscriber/{name}"), id))
    return account.balance if account else 0
