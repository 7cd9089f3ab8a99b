"""Where a benchmark keeps its data: at an address, or in a PostgreSQL of its own that may be struck in the middle."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from qanat.bench.postgres import OwnPostgres
from qanat.errors import Fault

_NAME: Final = "bench"
_STANDBY_S: Final = 10
_RETRY_S: Final = 0.05

Tell = Callable[[str], None]


class Database(Protocol):
    address: str
    away_s: float
    """So long it stays away when it is struck; the load must go on for longer."""

    def strike(self, tell: Tell) -> None:
        """Do what is to happen in the middle, and return when the database is back. Blocks."""
        ...

    def cpu_s(self) -> float:
        """Return the processor time it took so far; 0 where that is not known."""
        ...


class GivenDatabase:
    """A database that somebody else runs; nothing happens to it."""

    away_s = 0.0

    def __init__(self, address: str) -> None:
        self.address = address

    def strike(self, tell: Tell) -> None:
        """Nothing."""

    def cpu_s(self) -> float:
        return 0.0


class OwnDatabase:
    """A PostgreSQL that the benchmark started itself."""

    away_s = 0.0

    def __init__(self, primary: OwnPostgres) -> None:
        self.address = primary.create(_NAME)
        self._primary = primary
        self._spent_s = 0.0

    def strike(self, tell: Tell) -> None:
        """Nothing."""

    def cpu_s(self) -> float:
        return self._spent_s + self._primary.cpu_s()


class KilledDatabase(OwnDatabase):
    """Its primary is killed as by a power cut, and started again after a while."""

    def __init__(self, primary: OwnPostgres, *, away_s: float = 0.0) -> None:
        super().__init__(primary)
        self.away_s = away_s

    def strike(self, tell: Tell) -> None:
        began, self._spent_s = time.monotonic(), self._primary.cpu_s()
        tell(f"PostgreSQL {self._primary.pid} killed (SIGKILL)")
        self._primary.kill()
        time.sleep(self.away_s)
        self._primary.start()
        tell(f"PostgreSQL started again; it was away for {time.monotonic() - began:.1f} s")


class PromotedDatabase:
    """Its primary is killed for good, and the standby that every commit waited for takes over."""

    away_s = 0.0

    def __init__(self, primary: OwnPostgres, standby: OwnPostgres) -> None:
        primary.create(_NAME)
        follow(primary)
        self.address = f"{primary.url(_NAME)},{standby.host}&target_session_attrs=primary"
        self._primary = primary
        self._standby = standby

    def strike(self, tell: Tell) -> None:
        began = time.monotonic()
        tell(f"PostgreSQL {self._primary.pid} killed (SIGKILL)")
        self._primary.kill()
        self._standby.promote()
        tell(f"its standby was promoted; nobody took a write for {time.monotonic() - began:.1f} s")

    def cpu_s(self) -> float:
        return 0.0


def follow(primary: OwnPostgres) -> None:
    """Let every commit of the primary wait for its standby from now on. Raises Fault if that does not come up."""
    primary.ask("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
    primary.ask("SELECT pg_reload_conf()")
    until = time.monotonic() + _STANDBY_S
    while "sync" not in primary.ask("SELECT sync_state FROM pg_stat_replication").split():
        if time.monotonic() > until:
            raise Fault("the standby does not follow its primary")
        time.sleep(_RETRY_S)


@contextmanager
def own_postgres(kind: Callable[[OwnPostgres], OwnDatabase] = OwnDatabase) -> Iterator[Database]:
    with OwnPostgres() as primary:
        yield kind(primary)


@contextmanager
def postgres_with_standby() -> Iterator[Database]:
    with OwnPostgres() as primary, primary.standby() as standby:
        yield PromotedDatabase(primary, standby)
