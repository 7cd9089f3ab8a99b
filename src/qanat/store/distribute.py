"""Laying the tables out over the machines of a Citus cluster: by shard, colocated, so that one owner's data lie together.

Every key begins with the shard and no statement joins two of them, so nothing else changes. Citus deals out pieces, each of
many of our 1,024 shards, and every commit visits each piece it touches: one for each machine is best (docs/guides/scaling.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from qanat.errors import BadInput, Fault
from qanat.store.address import is_postgres
from qanat.store.postgres import PostgresLog
from qanat.store.postgres_link import Connection, connect, named

_FIRST: Final = "entry"
_TABLES: Final = (_FIRST, "record", "watermark")
_CITUS: Final = "SELECT extversion FROM pg_extension WHERE extname = 'citus'"
_LAID_OUT: Final = "SELECT logicalrelid::text FROM pg_dist_partition WHERE logicalrelid::text = ANY($1)"
_PIECES: Final = "SELECT count(*) FROM pg_dist_shard WHERE logicalrelid::text = $1"
_NODES: Final = "SELECT count(*) FROM pg_dist_node WHERE shouldhaveshards AND isactive"
_LAY_OUT_FIRST: Final = (
    "SELECT create_distributed_table($1::text::regclass, 'shard', shard_count => $2, colocate_with => 'none')"
)
_LAY_OUT_BESIDE: Final = "SELECT create_distributed_table($1::text::regclass, 'shard', colocate_with => $2)"
_LAY_OUT_ANEW: Final = (
    "SELECT alter_distributed_table($1::text::regclass, shard_count => $2, cascade_to_colocated => true)"
)


class NoCitus(Fault):
    """The database can't distribute tables: Citus is not there, or has no machine to put them on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    version: str
    """Of Citus."""
    nodes: int
    pieces: int
    """In which each table lies now."""
    pieces_before: int
    """0 if it was not distributed."""
    tables: tuple[str, ...]
    """Those that were distributed now; none if all were before."""


async def distribute(address: str, *, pieces: int | None = None) -> Layout:
    """Distribute the tables, with what is in them, in so many pieces, or in one for each machine.

    Tables that lie in another number of pieces than is asked for are laid out anew. Repeating does nothing.
    Raises BadInput, NoCitus, StoreFault.
    """
    if not is_postgres(address):
        raise BadInput(
            f"{address!r} is one file or one memory; only PostgreSQL with Citus can be distributed", field="database"
        )
    await (await PostgresLog.open(address)).close()
    connection = await connect(address, statement_timeout="0")
    try:
        return await _distribute(connection, named(address), pieces)
    finally:
        await connection.close()


async def _distribute(connection: Connection, name: str, pieces: int | None) -> Layout:
    version = await connection.fetchval(_CITUS)
    if version is None:
        raise NoCitus(
            f"{name} is a PostgreSQL without Citus: install Citus on every machine, name it in shared_preload_libraries, "
            "CREATE EXTENSION citus, and add the machines with citus_add_node. A single PostgreSQL needs none of this"
        )
    nodes = await connection.fetchval(_NODES)
    if not nodes:
        raise NoCitus(
            f"{name} has Citus {version} and no machine to put tables on: SELECT citus_add_node('host', 5432), or "
            "citus_set_coordinator_host and shouldhaveshards for the coordinator itself"
        )
    before = await connection.fetchval(_PIECES, _FIRST)
    distributed = {table for (table,) in await connection.fetch(_LAID_OUT, list(_TABLES))}
    fresh = tuple(table for table in _TABLES if table not in distributed)
    for table in fresh:
        if table == _FIRST:
            await connection.execute(_LAY_OUT_FIRST, table, pieces or nodes)
        else:
            await connection.execute(_LAY_OUT_BESIDE, table, _FIRST)
    if before and pieces not in (None, before):
        await connection.execute(_LAY_OUT_ANEW, _FIRST, pieces)
    now = await connection.fetchval(_PIECES, _FIRST)
    return Layout(version=version, nodes=nodes, pieces=now, pieces_before=before, tables=fresh)
