"""A whole trade on a real store while the database fails at each of its writes in turn."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
from tests.exchange.world import POLICY, World
from tests.store.logs import Database, FailingLog

from qanat.errors import StoreFault
from qanat.exchange.obligations import Obligation
from qanat.exchange.trades import Trade
from qanat.ids import shard_of
from qanat.ledger.book import Account
from qanat.ledger.transit import Outbox
from qanat.registry.names import base_station_owner, subscriber_owner
from qanat.server.http import translate_trades as translate
from qanat.server.trading import interrogate, sweep_owner, take_usage
from qanat.store.copying import copy
from qanat.store.port import EntryRow, Log
from qanat.store.records import encode
from qanat.store.store import Store
from qanat.units import Instant
from qanat.wire.agent import Interrogation, InterrogationAnswer, UsageReport, UsageRow
from qanat.wire.base_station import Admission, Admitted

T = TypeVar("T")
USED = 1_200
GRANTED = 1_000


@pytest.mark.parametrize("kind", ["memory", "sqlite", "machines"])
@pytest.mark.parametrize("after", [False, True], ids=["before it was done", "after it was done"])
def test_a_trade_ends_right_whichever_write_fails(kind: str, after: bool, tmp_path: Path) -> None:
    """Whoever was told of a failure repeats itself; at the end everything has happened once."""

    async def told_once(fails_at: int) -> bool:
        world = market()
        asked = Admission(presentation=world.present("bob", to="alice"))
        log = Database(kind, tmp_path / str(fails_at)).log()
        await replay(world, log)
        failing = FailingLog(log, fails_at=fails_at, after=after)
        store = await Store(failing, world.clock, pages_kept=20).open()
        await the_whole_trade(store, asked)
        await check(store)
        await store.close()
        return failing.failed

    async def every_write() -> None:
        fails_at = 1
        while await told_once(fails_at):
            fails_at += 1
        assert fails_at > 10

    asyncio.run(every_write())


@pytest.mark.parametrize("source", ["machines", "sqlite"])
def test_a_trade_whose_end_is_in_the_post_is_booked_in_the_database_that_it_was_copied_to(
    source: str, tmp_path: Path
) -> None:
    """From several machines to one and back: the base station never hears of it, and repeats itself."""

    async def story() -> None:
        world = market()
        asked = Admission(presentation=world.present("bob", to="alice"))
        old = Database(source, tmp_path)
        new = Database("sqlite" if source == "machines" else "machines", tmp_path / "new")
        log = old.log()
        await replay(world, log)
        store = await Store(log, world.clock).open()
        quota = await begin(store, asked)
        final = _question(number=1, kind="final", report=_report(quota, USED // 2, USED), returns=[quota])
        await store.decide(
            partial(translate.counted_interrogation, policy=POLICY, base_station="bst-carol", message=final)
        )
        await store.close()
        source_log, target_log = old.log(), new.log()
        await copy(source_log, target_log, tell=lambda *_: None)
        await source_log.close()
        store = await Store(target_log, world.clock).open()
        assert any(outbox.parcels for outbox in await store.find(Outbox))
        assert isinstance(await interrogate(store, POLICY, "bst-carol", final), InterrogationAnswer)
        await deliver_all(store)
        await check(store)
        await store.close()

    asyncio.run(story())


def market() -> World:
    world = World()
    world.buy("alice", 5_000)
    world.offer("alice", 3_000)
    return world


async def replay(world: World, log: Log) -> None:
    """Put what happened on the desk into a log, in the shards it has."""
    heads: dict[int, int] = {}
    rows = []
    for _, _, entry in world.desk.entries:
        shard = log.shard_of(entry.put[0].owner)
        heads[shard] = heads.get(shard, 0) + 1
        rows.append(EntryRow(shard, heads[shard], world.clock.now(), "replayed", encode(entry)))
    await log.append(rows)


async def begin(store: Store, asked: Admission) -> str:
    """Admit the demander and return the quota that its base station is granted."""
    admit = partial(
        translate.admission, policy=POLICY, base_station="bst-carol", asked=asked, id="trd-1", offered_by=()
    )
    assert isinstance(await again(lambda: store.decide(admit)), Admitted)
    first = await again(lambda: interrogate(store, POLICY, "bst-carol", _question(number=0, kind="first")))
    assert isinstance(first, InterrogationAnswer)
    return first.quotas[0].quota


async def the_whole_trade(store: Store, asked: Admission) -> None:
    """The base station reports more than it was granted, so that every kind of parcel is sent."""
    quota = await begin(store, asked)
    await again(lambda: take_usage(store, "bst-carol", _report(quota, USED // 2)))
    final = _question(number=1, kind="final", report=_report(quota, USED // 2, USED), returns=[quota])
    ended = await again(lambda: interrogate(store, POLICY, "bst-carol", final))
    assert isinstance(ended, InterrogationAnswer)
    assert ended.acked == 2
    await again(lambda: deliver_all(store))


async def deliver_all(store: Store) -> None:
    while owners := await store.due_owners(100):
        for owner in owners:
            await sweep_owner(store, owner)


async def check(store: Store) -> None:
    verdict = await again(store.audit)
    assert verdict.problems == []
    assert (verdict.totals["exchanged-octets given"], verdict.totals["exchanged-octets obtained"]) == (
        -GRANTED,
        GRANTED,
    )
    assert not any(outbox.parcels for outbox in await again(lambda: store.find(Outbox)))
    (obligation,) = await again(lambda: store.find(Obligation))
    assert (obligation.debtor, obligation.creditor, obligation.left) == ("bob", "alice", GRANTED)
    assert await _debt(store) == GRANTED - USED
    assert shard_of(subscriber_owner("alice")) != shard_of(subscriber_owner("bob")), "the story crosses shards"


async def _debt(store: Store) -> int:
    found = await store.decide(lambda work: work.get(Account, base_station_owner("bst-carol"), "debt"))
    return found.balance if found else 0


def test_a_question_with_its_usage_takes_two_commits(tmp_path: Path) -> None:
    """Counting and granting are one, confirming is the other: a demander waits for it between two grants."""

    async def story() -> None:
        world = market()
        asked = Admission(presentation=world.present("bob", to="alice"))
        log = Database("sqlite", tmp_path).log()
        await replay(world, log)
        store = await Store(log, world.clock, pages_kept=20).open()
        await store.decide(
            partial(
                translate.admission, policy=POLICY, base_station="bst-carol", asked=asked, id="trd-1", offered_by=()
            )
        )
        first = await interrogate(store, POLICY, "bst-carol", _question(number=0, kind="first"))
        assert isinstance(first, InterrogationAnswer)
        used = _report(first.quotas[0].quota, 500)
        before = store.figures.batches
        answer = await interrogate(store, POLICY, "bst-carol", _question(number=1, kind="intermediate", report=used))
        assert store.figures.batches == before + 2
        assert isinstance(answer, InterrogationAnswer)
        assert (answer.acked, len(answer.quotas)) == (1, 1)
        await store.close()

    asyncio.run(story())


def test_a_question_that_brings_rows_of_another_trade_too_counts_each_on_its_own_page(tmp_path: Path) -> None:
    async def story() -> None:
        world = market()
        world.buy("anna", 5_000)
        world.offer("anna", 3_000)
        log = Database("sqlite", tmp_path).log()
        admissions = [
            Admission(presentation=world.present(name, to=to)) for name, to in (("bob", "alice"), ("bella", "anna"))
        ]
        await replay(world, log)
        store = await Store(log, world.clock, pages_kept=20).open()
        quotas = []
        for id, asked in zip(("trd-1", "trd-2"), admissions, strict=True):
            admit = partial(translate.admission, policy=POLICY, base_station="bst-carol", asked=asked, offered_by=())
            await store.decide(partial(admit, id=id))
            first = await interrogate(store, POLICY, "bst-carol", _question(session=id, number=0, kind="first"))
            assert isinstance(first, InterrogationAnswer)
            quotas.append(first.quotas[0].quota)
        both = UsageReport(journal="j", floor=0, rows=[_row(1, quotas[0], 300), _row(2, quotas[1], 200)])
        question = _question(session="trd-2", number=1, kind="intermediate", report=both)
        answer = await interrogate(store, POLICY, "bst-carol", question)
        assert isinstance(answer, InterrogationAnswer)
        assert answer.acked == 2
        counted = {trade.id: trade.counted for trade in await store.find(Trade)}
        assert counted == {"trd-1": 300, "trd-2": 200}
        await store.close()

    asyncio.run(story())


def _question(
    *, number: int, kind: str, session: str = "trd-1", report: UsageReport | None = None, returns: Sequence[str] = ()
) -> Interrogation:
    return Interrogation(
        session=session,
        number=number,
        kind=kind,  # type: ignore[arg-type]
        report=report or UsageReport(journal="j", floor=0, rows=[]),
        returns=list(returns),
    )


def _report(quota: str, *totals: int) -> UsageReport:
    return UsageReport(journal="j", floor=0, rows=[_row(seq, quota, total) for seq, total in enumerate(totals, 1)])


def _row(seq: int, quota: str, total: int) -> UsageRow:
    return UsageRow(seq=seq, quota=quota, epoch=0, up=0, down=total, reserved=0, at=Instant(1))


async def again(action: Callable[[], Awaitable[T]]) -> T:
    try:
        return await action()
    except StoreFault:
        return await action()
