"""Connections to PostgreSQL: made when they are needed, given up when they break, and what their errors mean.

A connection that says nothing for ``_SILENT_S`` is given up by closing it, never by cancelling what it does: a cancelled
commit answers as if it had reached the standby. While the database is away everybody is told so at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg  # type: ignore[import-untyped]

from qanat.errors import BadInput, Fault, StoreFault
from qanat.store.port import Taken

T = TypeVar("T")
Connection = Any
"""An ``asyncpg.Connection``; asyncpg has no types."""

_CONNECT_S: Final = 2.0
_STATEMENT_S: Final = 3
_SILENT_S: Final = _STATEMENT_S + 1
"""The database ends a statement itself before; so a connection as silent as this leads nowhere."""
_AWAY_S: Final = 0.2
"""After a connection could not be made the next is tried no earlier."""
_SETTINGS: Final = {
    "application_name": "qanat",
    "synchronous_commit": "on",
    "statement_timeout": f"{_STATEMENT_S}s",
    "jit": "off",
}
_PLAN_ANEW: Final = (
    "SELECT set_config('plan_cache_mode', 'force_custom_plan', false) FROM pg_extension WHERE extname = 'citus'"
)
"""Citus can't plan in advance."""
_OTHERS: Final = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
    "AND backend_type = 'client backend' AND application_name LIKE 'qanat%'"
)
_LEAVING_S: Final = 3.0
"""So long a program that has ended, also by kill -9, may still be connected."""
_LOOK_S: Final = 0.1
_AT_ONCE: Final = 2000
"""Rows of a large reading that are fetched together."""
_COLLIDED: Final = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)
_BROKEN: Final = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.ReadOnlySQLTransactionError,  # it has become a standby: the primary is elsewhere
)
ERRORS: Final = (*_BROKEN, asyncpg.PostgresError)
_CURES: Final[tuple[tuple[type[Exception], str], ...]] = (
    (asyncpg.InvalidCatalogNameError, "Make the database: createdb -E UTF8 -T template0 NAME."),
    (asyncpg.InvalidAuthorizationSpecificationError, "Look at the user's name, its password and pg_hba.conf."),
    (asyncpg.InsufficientPrivilegeError, "Let the user own the database, or grant it what is missing."),
    (asyncpg.DiskFullError, "Make room on the database's disk; nothing acknowledged is lost."),
    (asyncpg.TooManyConnectionsError, "Raise max_connections, or run fewer servers."),
    (asyncpg.LockNotAvailableError, "Another program holds its tables, such as a VACUUM: try again when it has ended."),
    (asyncpg.QueryCanceledError, "It takes too long: look at its load, its disk and its standby."),
)


class Collided(StoreFault):
    """The transaction ran into another (40001, 40P01) and left nothing. The same again is safe."""


class Broken(StoreFault):
    """The connection broke: what was being written may be there or not. Look before saying either."""


class Link:
    """One connection, made anew after it broke; used by one task at a time."""

    def __init__(self, address: str, role: str, **settings: str) -> None:
        self._address = address
        # What was planned while the tables were empty must not read them from end to end once they are full.
        self._settings = {"application_name": f"qanat {role}", "enable_seqscan": "off", **settings}
        self._connection: Connection | None = None
        self._free = asyncio.Lock()
        self._away_until = 0.0
        self._why = StoreFault()

    async def run(self, use: Callable[[Connection], Awaitable[T]]) -> T:
        """Use the connection. Raises Taken, Collided, Broken, or StoreFault: then nothing was written."""
        async with self._free:
            connection = await self._connected()
            silence = asyncio.get_running_loop().call_later(_SILENT_S, connection.terminate)
            try:
                return await use(connection)
            except Taken:  # somebody else was first: the connection is as good as it was
                raise
            except (*_COLLIDED, asyncpg.UniqueViolationError) as error:
                raise fault_of(error, self._address) from error
            except ERRORS as error:
                self._drop()
                raise fault_of(error, self._address) from error
            except BaseException:
                self._drop()
                raise
            finally:
                silence.cancel()

    async def close(self) -> None:
        async with self._free:
            self._drop()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def _connected(self) -> Connection:
        if self._connection is not None and not self._connection.is_closed():
            return self._connection
        loop = asyncio.get_running_loop()
        if loop.time() < self._away_until:
            raise type(self._why)(*self._why.args)
        try:
            self._connection = await connect(self._address, **self._settings)
        except Fault as fault:
            # The address was good once, when the log was opened; now a file that it names is gone.
            self._why = fault if isinstance(fault, StoreFault) else Broken(str(fault))
            self._away_until = loop.time() + _AWAY_S
            raise self._why from fault.__cause__
        return self._connection


class Links:
    """A few connections for what may be repeated, each made when all others are busy."""

    def __init__(self, address: str, role: str, count: int, **settings: str) -> None:
        self._idle: asyncio.LifoQueue[Link] = asyncio.LifoQueue()
        self._all = [Link(address, role, **settings) for _ in range(count)]
        for link in self._all:
            self._idle.put_nowait(link)

    async def run(self, use: Callable[[Connection], Awaitable[T]]) -> T:
        """Use the next free connection; once more if it broke, since it may have been long dead."""
        link = await self._idle.get()
        loop = asyncio.get_running_loop()
        silent_at = loop.time() + _SILENT_S
        try:
            try:
                return await link.run(use)
            except (Broken, Collided):
                if loop.time() >= silent_at:
                    raise
                return await link.run(use)
        finally:
            self._idle.put_nowait(link)

    async def close(self) -> None:
        for link in self._all:
            await link.close()


async def connect(address: str, **settings: str) -> Connection:
    """Connect once. Raises BadInput for an address that is none, StoreFault."""
    try:
        connection = await asyncpg.connect(address, timeout=_CONNECT_S, server_settings={**_SETTINGS, **settings})
        await connection.execute(_PLAN_ANEW)
        return connection
    except (*ERRORS, ValueError) as error:
        if not isinstance(error, ValueError) or isinstance(error, OSError):  # a certificate that is refused is both
            raise fault_of(error, address) from error
        raise BadInput(
            f"{named(address)} is no database address: {error}. Write postgresql://USER@HOST:5432/NAME",
            field="database",
        ) from error


@contextmanager
def moment(address: str) -> Iterator[Callable[..., Iterator[Any]]]:
    """Read as of one moment, in an event loop and a transaction of its own: in a thread. Raises as ``connect`` does."""
    with asyncio.Runner() as runner:
        connection = runner.run(connect(address, statement_timeout="0"))

        def rows_of(sql: str, *arguments: Any) -> Iterator[Any]:
            cursor = runner.run(_cursor(connection, sql, arguments))
            while rows := runner.run(cursor.fetch(_AT_ONCE)):
                yield from rows

        try:
            runner.run(connection.transaction(isolation="repeatable_read", readonly=True).start())
            yield rows_of
        except ERRORS as error:
            raise fault_of(error, address) from error
        finally:
            connection.terminate()


async def _cursor(connection: Connection, sql: str, arguments: tuple[Any, ...]) -> Any:
    return await connection.cursor(sql, *arguments)


async def is_connected(address: str) -> bool:
    """Tell whether another of our programs uses the database. Raises as ``connect`` does."""
    connection = await connect(address)
    try:
        until = asyncio.get_running_loop().time() + _LEAVING_S
        while await connection.fetchval(_OTHERS):
            if asyncio.get_running_loop().time() > until:
                return True
            await asyncio.sleep(_LOOK_S)
        return False
    except ERRORS as error:
        raise fault_of(error, address) from error
    finally:
        connection.terminate()


def fault_of(error: Exception, address: str) -> Fault:
    """Return what an error of the database means to whoever asked."""
    if isinstance(error, asyncpg.UniqueViolationError):
        return Taken(str(error))
    if isinstance(error, _COLLIDED):
        return Collided(f"the database {named(address)} is contended: {error}. Ask again.")
    if isinstance(error, _BROKEN):
        what = str(error) or type(error).__name__
        return Broken(f"the database {named(address)} can't be reached: {what}. Start it; service resumes by itself.")
    cure = next((cure for kind, cure in _CURES if isinstance(error, kind)), "Look at the database's log.")
    return StoreFault(f"the database {named(address)}: {error}. {cure}")


def named(address: str) -> str:
    """Return the address without its password."""
    parts = urlsplit(address)
    who, at, where = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{who.partition(':')[0]}{at}{where}"))
