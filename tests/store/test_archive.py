"""Archives: what leaves the database stands in the file, and nobody is told anything else than before."""

from __future__ import annotations

import asyncio
import gzip
import json
import signal
import sqlite3
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import closing
from operator import methodcaller
from pathlib import Path

import pytest
from tests.store.deciding import balance, fund, say
from tests.store.logs import Database, migrated_database, run
from tests.store.writing import count_accounts, writer

from qanat.bench.postgres import OwnPostgres
from qanat.charging.session import Event
from qanat.clock import ManualClock
from qanat.errors import BadInput, StoreFault
from qanat.ids import Owner, Shard, shard_of
from qanat.ledger import book
from qanat.ledger.audit import Verdict
from qanat.ledger.book import Account
from qanat.ledger.work import Work
from qanat.store.archive import Archived, archive, open_archivable
from qanat.store.archive_file import Checked, audit_archives
from qanat.store.audit import audit
from qanat.store.memory import MemoryLog
from qanat.store.port import Archivable, EntryRow, Opening, Taken
from qanat.store.postgres_archiving import GONE, PostgresArchiving
from qanat.store.store import Store
from qanat.units import DAY, Instant

NAMES = ("alice", "bob", "carol")


class Failing:
    """A database whose n-th step towards an archive fails: before it was done, or after it was done and before that was known."""

    def __init__(self, database: Archivable, *, fails_at: int, after: bool) -> None:
        self._database = database
        self._left = fails_at
        self._after = after
        self.failed = False

    def shard_of(self, owner: Owner) -> Shard:
        return self._database.shard_of(owner)

    def old_entries(self, before: Instant) -> Generator[Opening | EntryRow, None, None]:
        return self._database.old_entries(before)

    async def lay(self, openings: Sequence[Opening]) -> None:
        await self._step(self._database.lay(openings))

    async def begin_behind(self, seqs: Mapping[Shard, int], pieces: int, *, begun: Mapping[Shard, int]) -> None:
        await self._step(self._database.begin_behind(seqs, pieces, begun=begun))

    async def shed(self, limit: int) -> int:
        done: list[int] = []

        async def shed() -> None:
            done.append(await self._database.shed(max(1, limit // 100)))

        await self._step(shed())
        return done[0]

    async def _step(self, step: Awaitable[None]) -> None:
        self._left -= 1
        fails = self._left == 0
        if not fails or self._after:
            await step
        else:
            asyncio.ensure_future(step).cancel()
        if fails:
            self.failed = True
            raise StoreFault("the disk failed, as it was told to")


class Overtaken(Failing):
    """A database of which something else is done before what was read of it is laid down."""

    def __init__(self, database: Archivable, meanwhile: Callable[[], Awaitable[object]]) -> None:
        super().__init__(database, fails_at=0, after=False)
        self._meanwhile: Callable[[], Awaitable[object]] | None = meanwhile

    async def lay(self, openings: Sequence[Opening]) -> None:
        meanwhile, self._meanwhile = self._meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        await super().lay(openings)


def quiet(what: str, done: int, total: int) -> None:
    assert what
    assert done <= total or not total


async def use(store: Store, session: str) -> None:
    """A session of everybody's, 100 octets each."""
    for name in NAMES:
        await store.decide(say(name, session, 0, Event.FIRST))
        await store.decide(say(name, session, 1, Event.FINAL, used=100))


async def two_days(database: Database, clock: ManualClock) -> None:
    """On the first everybody is funded and has a session, on the second another; on the third one begins."""
    store = await database.open(clock)
    for name in NAMES:
        await store.decide(fund(name, 5000))
    await use(store, "first")
    clock.advance(DAY)
    await use(store, "second")
    clock.advance(DAY)
    await store.decide(say("alice", "third", 0, Event.FIRST))
    await store.close()


async def audited(database: Database) -> Verdict:
    log = database.log()
    try:
        return await asyncio.to_thread(audit, log)
    finally:
        await log.close()


async def made(database: Archivable, to: Path, before: Instant) -> Archived:
    return await archive(database, to, before=before, tell=quiet)


def check(*files: Path) -> list[Checked]:
    return list(audit_archives(files, tell=quiet))


def files_of(folder: Path) -> list[str]:
    return [file.name for file in folder.glob("*.gz*")]


def mode(file: Path) -> int:
    return file.stat().st_mode & 0o777


def lines(file: Path) -> list[dict[str, object]]:
    with gzip.open(file) as packed:
        return [json.loads(line) for line in packed]


def test_what_left_stands_in_the_file_and_everybody_goes_on_as_before(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    async def story() -> None:
        await two_days(database, clock)
        before = await audited(database)
        done = await made(database.archivable(), tmp_path / "a.gz", clock.now())
        after = await audited(database)
        assert after.problems == []
        assert (after.accounts, after.totals) == (before.accounts, before.totals)
        assert mode(tmp_path / "a.gz") == 0o600
        assert after.archived == done.entries
        assert after.entries + done.entries == before.entries
        assert [line.get("act") for line in lines(tmp_path / "a.gz")].count("interrogated first") >= 4
        assert [one.problems for one in check(tmp_path / "a.gz")] == [[]]
        store = await database.open(clock)
        assert [await balance(store, name) for name in NAMES] == [4800, 4800, 4800]
        first = await store.decide(say("alice", "third", 0, Event.FIRST))
        await store.decide(say("alice", "third", 1, Event.FINAL, used=300))
        assert await store.decide(say("alice", "third", 1, Event.FINAL, used=300)) != first
        await use(store, "fourth")
        assert [await balance(store, name) for name in NAMES] == [4400, 4700, 4700]
        assert (await store.audit()).problems == []
        await store.close()

    run(story)


def test_only_what_is_old_leaves_and_the_next_archive_goes_on_there(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    async def story() -> None:
        begun = clock.now()
        await two_days(database, clock)
        before = await audited(database)
        files = [tmp_path / "1.gz", tmp_path / "2.gz"]
        first = await made(database.archivable(), files[0], Instant(begun + DAY))
        assert (first.first, first.last) == (begun, begun)
        second = await made(database.archivable(), files[1], Instant(begun + 2 * DAY))
        assert second.first == begun + DAY
        after = await audited(database)
        assert (after.problems, after.totals) == ([], before.totals)
        assert after.archived == first.entries + second.entries
        assert [one.problems for one in check(*files)] == [[], []]
        assert "piece" in lines(files[1])[0]
        assert check(*reversed(files))[1].problems == ["it does not begin with what the archive before it left behind"]

    run(story)


def test_where_nothing_is_old_there_is_no_file(database: Database, clock: ManualClock, tmp_path: Path) -> None:
    async def story() -> None:
        begun = clock.now()
        await two_days(database, clock)
        before = await audited(database)
        done = await made(database.archivable(), tmp_path / "a.gz", begun)
        assert done.entries == 0
        assert files_of(tmp_path) == []
        assert await audited(database) == before

    run(story)


@pytest.mark.parametrize("after", [False, True])
def test_every_step_may_fail_and_nothing_is_lost(
    database: Database, after: bool, clock: ManualClock, tmp_path: Path
) -> None:
    async def story() -> None:
        await two_days(database, clock)
        whole, files = await audited(database), list[Path]()
        for fails_at in range(1, 100):
            before = await audited(database)
            failing = Failing(database.archivable(), fails_at=fails_at, after=after)
            name = f"{fails_at}.gz"
            try:
                await made(failing, tmp_path / name, clock.now())
            except StoreFault:
                verdict = await audited(database)
                assert (verdict.problems, verdict.totals) == ([], whole.totals)
                if verdict.archived > before.archived:
                    files.append(tmp_path / name)
                else:
                    (tmp_path / name).unlink(missing_ok=True)
                assert not [one for one in files_of(tmp_path) if one.endswith("partial")]
                store = await database.open(clock)
                await use(store, name)  # there is something new to put into the next
                await store.close()
                whole = await audited(database)
                clock.advance(DAY)
            if not failing.failed:
                files.append(tmp_path / name)
                break
        assert fails_at > 4
        assert [one.problems for one in check(*files)] == [[]] * len(files)
        verdict = await audited(database)
        assert (verdict.problems, verdict.totals) == ([], whole.totals)

    run(story)


@pytest.mark.parametrize("kind", ["memory", "postgres"])
def test_a_server_that_knows_a_shard_only_as_of_an_entry_that_left_goes_on_behind_the_others(
    kind: str, clock: ManualClock, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    postgres = request.getfixturevalue("postgres") if kind == "postgres" else None
    database = Database(kind, tmp_path, postgres)

    async def story() -> None:
        writes, reads, other = [await database.open(clock) for _ in range(3)]
        await other.decide(fund("alice", 5000))
        for stale in (writes, reads):
            assert await balance(stale, "alice") == 5000
        await other.decide(fund("alice", 70, id="c"))
        for n in range(20):
            await other.decide(say("alice", f"s{n}", 0, Event.FIRST))
            await other.decide(say("alice", f"s{n}", 1, Event.FINAL, used=100))
        await other.find(Account)  # so the rows know all of it
        clock.advance(DAY)
        done = await made(database.archivable(), tmp_path / "a.gz", clock.now())
        assert done.entries > 20
        repeat = await writes.decide(say("alice", "s19", 1, Event.FINAL, used=100))
        assert repeat == await other.decide(say("alice", "s19", 1, Event.FINAL, used=100))
        await writes.decide(say("alice", "last", 0, Event.FIRST))
        assert [await balance(reads, "alice", id) for id in ("b", "c")] == [3000, 70]
        await reads.decide(say("alice", "last", 1, Event.FINAL, used=500))
        assert [await balance(one, "alice") for one in (writes, reads, other)] == [2500] * 3
        assert (await other.audit()).problems == []
        for one in (writes, reads, other):
            await one.close()

    run(story)


@pytest.mark.parametrize("kind", ["memory", "postgres"])
def test_what_one_server_reads_of_a_shard_that_moved_into_an_archive_is_read_again_before_another_shard_is_written_to(
    kind: str, clock: ManualClock, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    postgres = request.getfixturevalue("postgres") if kind == "postgres" else None
    database = Database(kind, tmp_path, postgres)
    alice, bob = Owner("subscriber/alice"), Owner("subscriber/bob")
    assert shard_of(alice) != shard_of(bob)

    def copies(work: Work) -> int:
        """Bob gets what Alice has."""
        account = work.get(Account, alice, "b")
        assert account is not None
        book.open_bucket(work, Account(owner=bob, id="c", role="bucket", operator="home", size=account.balance))
        return account.balance

    async def story() -> None:
        stale, other = await database.open(clock), await database.open(clock)
        await other.decide(fund("alice", 5000))
        assert await balance(stale, "alice") == 5000
        assert await balance(stale, "bob", "c") == 0
        await other.decide(say("alice", "s", 0, Event.FIRST))
        await other.decide(say("alice", "s", 1, Event.FINAL, used=700))
        await other.decide(say("alice", "t", 0, Event.FIRST))
        await other.find(Account)
        clock.advance(DAY)
        assert (await made(database.archivable(), tmp_path / "a.gz", clock.now())).entries > 0
        assert await stale.decide(copies) == 4300
        assert (await other.audit()).problems == []
        for one in (stale, other):
            await one.close()

    run(story)


def test_servers_go_on_while_everything_leaves_again_and_again(
    clock: ManualClock, tmp_path: Path, postgres: OwnPostgres
) -> None:
    database = Database("postgres", tmp_path, postgres)

    async def holder(servers: list[Store], place: int) -> None:
        for serial in range(12):
            for number, event in enumerate((Event.FIRST, Event.FINAL)):
                server = servers[(place + serial + number) % len(servers)]
                await server.decide(say(NAMES[place % 3], f"{place}-{serial}", number, event, used=10 * number))
            await server.find(Account)  # so the rows have come as far

    async def archivist(files: list[Path], *, until: asyncio.Future[list[None]]) -> None:
        while not until.done():
            file = tmp_path / f"{len(files)}.gz"
            clock.advance(1)
            if (await made(database.archivable(), file, clock.now())).entries:
                files.append(file)

    async def story() -> None:
        servers = [await database.open(clock) for _ in range(3)]
        for name in NAMES:
            await servers[0].decide(fund(name, 50_000))
        files: list[Path] = []
        used = asyncio.ensure_future(asyncio.gather(*(holder(servers, place) for place in range(9))))
        await asyncio.gather(archivist(files, until=used), used)
        assert [await balance(servers[place], name) for place, name in enumerate(NAMES)] == [50_000 - 360] * 3
        verdict = await servers[1].audit()
        assert verdict.problems == []
        assert verdict.archived == sum(one.entries for one in check(*files))
        assert [one.problems for one in check(*files)] == [[]] * len(files)
        assert files
        for one in servers:
            await one.close()

    run(story)


def test_however_many_have_left_none_of_them_is_read_again(postgres: OwnPostgres) -> None:
    """What left still takes room in the table until the database has swept it; the key skips it."""
    archiving = PostgresArchiving(migrated_database(postgres))

    async def story() -> None:
        plan = await archiving._in_one(methodcaller("fetch", f"EXPLAIN {GONE}", 1000))
        ways = [line for (line,) in plan if " on entry" in line]
        assert ["using pk_entry" in way for way in ways] == [False, True, True]

    run(story)


def test_of_two_archives_at_once_one_is_made(database: Database, clock: ManualClock, tmp_path: Path) -> None:
    async def story() -> None:
        await two_days(database, clock)
        before = await audited(database)
        files = [tmp_path / "1.gz", tmp_path / "2.gz"]
        tries = (made(database.archivable(), file, clock.now()) for file in files)
        outcomes = await asyncio.gather(*tries, return_exceptions=True)
        assert any(isinstance(one, Archived) for one in outcomes)
        assert all(isinstance(one, Archived | Taken) for one in outcomes)
        after = await audited(database)
        assert (after.problems, after.totals) == ([], before.totals)
        held = [one.entries for one in check(*(file for file in files if file.exists()))]
        assert sum(held) == after.archived

    run(story)


def test_an_archive_that_was_overtaken_by_one_of_older_entries_is_not_made(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    """It would hold those as well."""

    async def story() -> None:
        begun, files = clock.now(), [tmp_path / "1.gz", tmp_path / "2.gz"]
        await two_days(database, clock)
        before = await audited(database)
        older = Overtaken(database.archivable(), lambda: made(database.archivable(), files[0], Instant(begun + DAY)))
        with pytest.raises(Taken, match="another archive"):
            await made(older, files[1], clock.now())
        assert files_of(tmp_path) == ["1.gz"]
        after = await audited(database)
        assert (after.problems, after.totals, after.archived) == ([], before.totals, check(files[0])[0].entries)

    run(story)


def test_a_file_is_written_to_meanwhile_and_nothing_of_it_is_lost(clock: ManualClock, tmp_path: Path) -> None:
    url, archives = f"sqlite:///{tmp_path}/q.db", tmp_path / "archives"
    process = writer(url)
    assert process.stdout is not None
    acknowledged = [int(process.stdout.readline()) for _ in range(60)][-1]
    files: list[Path] = []

    async def story() -> None:
        while len(files) < 3:
            file = archives / f"{len(files)}.gz"
            if (await made(await open_archivable(url), file, Instant(1 << 60))).entries:
                files.append(file)

    run(story)
    later = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    process.communicate()
    verdicts = check(*files)
    assert [one.problems for one in verdicts] == [[], [], []]
    assert verdicts[0].entries > 0
    assert run(lambda: count_accounts(url)) >= later > acknowledged


def test_behind_each_step_a_file_is_left_alone_as_long_as_the_step_took(clock: ManualClock, tmp_path: Path) -> None:
    """SQLite keeps no queue: a server that waits looks now and then, and had found the file taken again for seconds."""
    database = Database("sqlite", tmp_path)

    async def story() -> None:
        await two_days(database, clock)
        with closing(sqlite3.connect(database.path, isolation_level=None)) as server:

            async def look(times: int) -> int:
                for _ in range(times):
                    ((laid,),) = server.execute("SELECT count(*) FROM opening")
                    await asyncio.sleep(0)
                return int(laid)

            server.execute("BEGIN IMMEDIATE")
            step = asyncio.ensure_future(database.archivable().lay([Opening(Shard(0), 1, 0, clock.now(), "{}")]))
            assert await look(4000) == 0
            server.execute("COMMIT")
            while not await look(1):
                assert not step.done()
            await look(1000)
            assert not step.done()
            await step

    run(story)


def test_an_archive_is_never_written_over_anything(clock: ManualClock, tmp_path: Path) -> None:
    database = Database("sqlite", tmp_path)
    to = tmp_path / "a.gz"
    to.write_text("mine")

    async def story() -> None:
        await two_days(database, clock)
        with pytest.raises(BadInput, match="exists"):
            await made(database.archivable(), to, clock.now())
        assert (await audited(database)).archived == 0

    run(story)
    assert to.read_text() == "mine"


class Long(MemoryLog):
    """A database that takes its time to read."""

    read = 0

    def old_entries(self, before: Instant) -> Generator[Opening | EntryRow, None, None]:
        for seq in range(1, 1_000_001):
            self.read = seq
            yield EntryRow(Shard(0), seq, before, "act", "{}")


def test_who_gives_an_archive_up_does_not_wait_for_it(tmp_path: Path) -> None:
    log = Long()

    async def story() -> None:
        loop, begun = asyncio.get_running_loop(), asyncio.Event()

        def tell(what: str, done: int, total: int) -> None:
            quiet(what, done, total)
            loop.call_soon_threadsafe(begun.set)

        making = asyncio.create_task(archive(log, tmp_path / "a.gz", before=Instant(1), tell=tell))
        await begun.wait()
        making.cancel()
        with pytest.raises(asyncio.CancelledError):
            await making

    run(story)
    assert log.read < 1_000_000
    assert files_of(tmp_path) == []


def test_a_folder_that_is_a_file_is_told(clock: ManualClock, tmp_path: Path) -> None:
    database = Database("sqlite", tmp_path)
    (tmp_path / "file").touch()

    async def story() -> None:
        await two_days(database, clock)
        with pytest.raises(StoreFault, match="could not be written"):
            await made(database.archivable(), tmp_path / "file" / "a.gz", clock.now())

    run(story)


def test_books_that_do_not_add_up_stay_where_they_are(clock: ManualClock, tmp_path: Path) -> None:
    database = Database("sqlite", tmp_path)

    async def story() -> None:
        await two_days(database, clock)
        with closing(sqlite3.connect(database.path)) as other:
            other.execute("UPDATE entry SET body = replace(body, '5000', '5001') WHERE seq = 1")
            other.commit()
        before = await audited(database)
        with pytest.raises(StoreFault, match="do not add up"):
            await made(database.archivable(), tmp_path / "a.gz", clock.now())
        assert files_of(tmp_path) == []
        assert await audited(database) == before

    run(story)


@pytest.mark.parametrize(
    "damage",
    [lambda octets: octets[:-9], lambda octets: b"Dear all" + octets, lambda octets: octets[:200], lambda _: b""],
)
def test_a_damaged_archive_is_told(damage: Callable[[bytes], bytes], clock: ManualClock, tmp_path: Path) -> None:
    database, to = Database("sqlite", tmp_path), tmp_path / "a.gz"

    async def story() -> None:
        await two_days(database, clock)
        await made(database.archivable(), to, clock.now())

    run(story)
    to.write_bytes(damage(to.read_bytes()))
    with pytest.raises(StoreFault, match="is no archive"):
        check(to)


def test_what_keeps_no_entries_is_named(tmp_path: Path) -> None:
    for url, said in (("memory:", "write sqlite:///"), (f"sqlite:///{tmp_path}/none.db", "there is no database at")):
        with pytest.raises(BadInput, match=said):
            run(lambda url=url: open_archivable(url))  # type: ignore[misc]
