"""``qanat bench``: figures with their method, against a server or a store of its own, durable, on loopback."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from qanat.bench.figures import Figures
from qanat.bench.machine import describe
from qanat.console.lazy import Group
from qanat.console.parameters import Number
from qanat.errors import Fault

if TYPE_CHECKING:
    from qanat.bench.database import Database


_POSTGRES = ("postgres", "kill_database", "promote_standby")
"""Flags that start one."""


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print JSON for programs."),
        click.option("--connections", type=click.IntRange(1, 10_000), default=1, show_default=True),
        click.option(
            "--in-flight", type=click.IntRange(1, 1_000), default=1, show_default=True, help="Per connection."
        ),
        click.option("--seconds", type=Number(0.5, 600), default=10, show_default=True),
    ):
        command = option(command)
    return command


@click.group(cls=Group)
def bench() -> None:
    """Measure speed, with the method and the machine beside the figures."""


@bench.command()
@_options
@click.option(
    "--database",
    metavar="URL",
    help="sqlite:///PATH, postgresql://USER@HOST/NAME, or memory: (not durable). Default: a fresh SQLite file.",
)
@click.option("--postgres", is_flag=True, help="A PostgreSQL of its own, started for this from Debian's programs.")
def ledger(
    *, seconds: float, connections: int, in_flight: int, database: str | None, postgres: bool, as_json: bool
) -> None:
    """Durable interrogations (post, release, reserve) through the store, in one process."""
    import uvloop  # noqa: PLC0415 - the server's imports cost half a second

    from qanat.bench.ledger import bench_ledger  # noqa: PLC0415 - as above

    with tempfile.TemporaryDirectory(prefix="qanat-bench-") as folder:
        with _database(database or (None if postgres else f"sqlite:///{folder}/qanat.db"), postgres=postgres) as where:
            assert where is not None, "the ledger has a file at least"
            measured = uvloop.run(bench_ledger(where.address, seconds=seconds, in_flight=connections * in_flight))
        if database == "memory:":
            measured = msgspec.structs.replace(measured, durable=False)
        _print(measured, Path(folder), as_json=as_json)


@bench.command()
@click.option("--trades", type=click.IntRange(1, 10_000_000), default=40_000, show_default=True)
@click.option("--subscribers", type=click.IntRange(5, 1_000_000), default=2000, show_default=True)
@click.option(
    "--in-flight", type=click.IntRange(1, 10_000), default=64, show_default=True, help="Trades that end at once."
)
@click.option("--database", metavar="URL", help="An empty database. Default: a fresh SQLite file.")
@click.option("--postgres", is_flag=True, help="A PostgreSQL of its own, started for this from Debian's programs.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def trades(
    *, trades: int, subscribers: int, in_flight: int, database: str | None, postgres: bool, as_json: bool
) -> None:
    """Trades that end: what was given and obtained is booked, what is owed is offset, and operators clear."""
    import uvloop  # noqa: PLC0415 - as above

    from qanat.bench.trades import bench_trades  # noqa: PLC0415 - as above

    with tempfile.TemporaryDirectory(prefix="qanat-bench-") as folder:
        with _database(database or (None if postgres else f"sqlite:///{folder}/qanat.db"), postgres=postgres) as where:
            assert where is not None, "trades have a file at least"
            measured = uvloop.run(
                bench_trades(where.address, trades=trades, in_flight=in_flight, subscribers=subscribers)
            )
        _print(measured, Path(folder), as_json=as_json)


@bench.command()
@_options
@click.option("--kill", is_flag=True, help="Kill the server (SIGKILL) in the middle and start it again.")
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep the server's data there, to be looked at with `qanat serve`.",
)
@click.option("--database", metavar="URL", help="Default: a SQLite file in the server's data.")
@click.option("--postgres", is_flag=True, help="A PostgreSQL of its own, started for this from Debian's programs.")
def http(
    *,
    seconds: float,
    connections: int,
    in_flight: int,
    kill: bool,
    data: Path | None,
    database: str | None,
    postgres: bool,
    as_json: bool,
) -> None:
    """Signed usage reports of terminals; one connection for each request in flight.

    The server may also be killed by hand: it is started again, and what was acknowledged must be there.
    """
    from qanat.bench.http import bench_http  # noqa: PLC0415 - as above

    def tell(line: str) -> None:
        click.echo(line, err=True)

    with tempfile.TemporaryDirectory(prefix="qanat-bench-") as folder:
        kept = data or Path(folder)
        kept.mkdir(parents=True, exist_ok=True)
        try:
            with _database(database, postgres=postgres) as where:
                at_once = connections * in_flight
                measured = bench_http(kept, seconds=seconds, in_flight=at_once, kill=kill, database=where, tell=tell)
        except Fault as fault:
            raise click.ClickException(str(fault)) from fault
        _print(measured, kept, as_json=as_json)


@bench.command()
@_options
@click.option("--subscribers", type=click.IntRange(1, 1_000_000), default=2000, show_default=True)
@click.option(
    "--open-sessions",
    type=click.IntRange(0, 10_000_000),
    default=0,
    help="So many sessions of other subscribers are open in the store.",
)
@click.option("--hot", is_flag=True, help="One account for everybody.")
@click.option(
    "--rate", type=Number(1, 1_000_000), metavar="PER_S", help="Open loop: so many requests are due a second."
)
@click.option("--kill", is_flag=True, help="Kill the server (SIGKILL) in the middle and start it again.")
@click.option(
    "--workers", type=click.IntRange(1, 256), default=1, show_default=True, help="Of the server; needs PostgreSQL."
)
@click.option("--kill-worker", is_flag=True, help="Kill one of them (SIGKILL) in the middle.")
@click.option("--database", metavar="URL", help="An empty database. Default: a fresh SQLite file.")
@click.option("--postgres", is_flag=True, help="A PostgreSQL of its own, started for this from Debian's programs.")
@click.option("--kill-database", is_flag=True, help="The same, killed (SIGKILL) in the middle and started again.")
@click.option(
    "--away",
    type=Number(0, 600),
    default=0,
    metavar="SECONDS",
    help="So long the killed database stays away.",
)
@click.option(
    "--promote-standby", is_flag=True, help="The same with a synchronous standby, which takes over when it is killed."
)
def gy(as_json: bool, database: str | None, **wanted: Any) -> None:
    """Gateways' sessions over Diameter Gy, by the Open5GS profile: one first, eight intermediate, one final."""
    import uvloop  # noqa: PLC0415 - as above

    from qanat.bench.gy import bench_gy  # noqa: PLC0415 - as above

    def tell(line: str) -> None:
        click.echo(line, err=True)

    if wanted["workers"] > 1 and database is None and not any(wanted[name] for name in _POSTGRES):
        raise click.UsageError("--workers needs PostgreSQL: --postgres, or --database postgresql://USER@HOST/NAME.")
    if wanted["kill_worker"] and wanted["workers"] == 1:
        raise click.UsageError("--kill-worker kills one of several: it needs --workers 2 or more.")
    kinds = {name: wanted.pop(name) for name in (*_POSTGRES, "away")}
    with tempfile.TemporaryDirectory(prefix="qanat-bench-") as folder:
        try:
            with _database(database, **kinds) as where:
                measured = uvloop.run(bench_gy(Path(folder), **wanted, database=where, tell=tell))
        except Fault as fault:
            raise click.ClickException(str(fault)) from fault
        _print(measured, Path(folder), as_json=as_json)


def _database(
    address: str | None,
    *,
    postgres: bool = False,
    kill_database: bool = False,
    away: float = 0,
    promote_standby: bool = False,
) -> AbstractContextManager[Database | None]:
    from qanat.bench.database import (  # noqa: PLC0415 - as above
        GivenDatabase,
        KilledDatabase,
        own_postgres,
        postgres_with_standby,
    )

    if address and (postgres or kill_database or promote_standby):
        raise click.UsageError(
            "--database names a database of yours; --postgres, --kill-database and --promote-standby start one."
        )
    if kill_database and promote_standby:
        raise click.UsageError("--promote-standby kills the primary itself: leave --kill-database out.")
    if away and not kill_database:
        raise click.UsageError("--away says how long a killed database stays away: it needs --kill-database.")
    if promote_standby:
        return postgres_with_standby()
    if kill_database:
        return own_postgres(partial(KilledDatabase, away_s=away))
    if postgres:
        return own_postgres()
    return nullcontext(GivenDatabase(address) if address else None)


@bench.command()
@click.option("--seconds", type=Number(5, 600), default=60, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def terminal(seconds: float, as_json: bool) -> None:
    """Memory and processor of the agent on a device at 100 Mbit/s, in a lab of network namespaces."""
    from qanat.bench.terminal import bench_terminal  # noqa: PLC0415 - as above

    try:
        measured = bench_terminal(seconds=seconds)
    except Fault as fault:
        raise click.ClickException(str(fault)) from fault
    machine = describe(Path(tempfile.gettempdir()))
    if as_json:
        both = {**msgspec.to_builtins(measured), "machine": msgspec.to_builtins(machine)}
        click.echo(msgspec.json.encode(both).decode())
    else:
        click.echo(
            f"{measured.rss_mb} MB resident, {measured.rss_highest_mb} MB at the highest; "
            f"{measured.cpu_percent} % of a core\n"
            f"at {measured.mbit_per_s} Mbit/s over {measured.seconds} s, a report every {measured.report_interval_s} s; "
            f"octets conserved: {_yes(measured.conserved)}\n"
            f"{machine}"
        )
    if not measured.conserved:
        click.get_current_context().exit(1)


@bench.command()
@click.option("--subscribers", type=click.IntRange(1, 1_000_000), default=100_000, show_default=True)
@click.option("--sessions", type=click.IntRange(0, 10_000), default=1000, show_default=True, help="Live ones.")
@click.option("--times", type=click.IntRange(1, 1000), default=20, show_default=True, help="Each page so often.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def console(subscribers: int, sessions: int, times: int, as_json: bool) -> None:
    """How soon each page of the console and the search answer."""
    import uvloop  # noqa: PLC0415 - as above

    from qanat.bench.pages import fill, measure  # noqa: PLC0415 - as above

    def tell(line: str) -> None:
        click.echo(line, err=True)

    with tempfile.TemporaryDirectory(prefix="qanat-bench-") as folder:
        try:
            uvloop.run(fill(Path(folder), subscribers=subscribers, sessions=sessions, tell=tell))
            measured = measure(Path(folder), times=times, subscribers=subscribers, tell=tell)
        except Fault as fault:
            raise click.ClickException(str(fault)) from fault
    if as_json:
        click.echo(msgspec.json.encode(measured).decode())
    else:
        for one in (*measured.pages, measured.search):
            click.echo(f"{one.path:<34} {one.median_ms:>8.1f} ms median {one.slowest_ms:>8.1f} ms slowest of {times}")
        click.echo(
            f"{measured.subscribers:,} subscribers, {measured.live_sessions:,} live sessions; "
            f"octets conserved: {_yes(measured.conserved)}"
        )
    if not measured.conserved:
        click.get_current_context().exit(1)


@bench.command()
@click.option("--trades", type=click.IntRange(1, 100_000_000), default=1_000_000, show_default=True)
@click.option("--operators", type=click.IntRange(2, 99), default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def settlement(trades: int, operators: int, as_json: bool) -> None:
    """Settle a month of trades among many operators, with a file for each."""
    import uvloop  # noqa: PLC0415 - the server's imports cost half a second

    from qanat.bench.settlement import bench_settlement  # noqa: PLC0415 - as above

    with tempfile.TemporaryDirectory(prefix="qanat-bench-") as folder:
        database = f"sqlite:///{folder}/qanat.db"
        measured = uvloop.run(bench_settlement(database, Path(folder), trades=trades, operators=operators))
    if as_json:
        click.echo(msgspec.json.encode(measured).decode())
    else:
        click.echo(
            f"{measured.trades:,} trades among {measured.operators} operators in {measured.seconds} s "
            f"({measured.trades_per_s:,}/s); {measured.rss_before_mb} MB resident before, {measured.rss_after_mb} MB after\n"
            f"netted into {measured.transfers} transfers; every operator's total preserved: {_yes(measured.preserved)}"
        )
    if not measured.preserved:
        click.get_current_context().exit(1)


@bench.command()
@click.option("--grants", type=click.IntRange(2, 10_000), default=40, show_default=True)
@click.option("--octets", type=click.IntRange(1_000_000), default=50_000_000, show_default=True, help="Of one grant.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def gate(grants: int, octets: int, as_json: bool) -> None:
    """A base station's gate: octets, renewal, and ten thousand terminals. Needs root."""
    from qanat.bench.gate import bench_gate  # noqa: PLC0415 - as above

    try:
        measured = bench_gate(grants=grants, octets=octets)
    except Fault as fault:
        raise click.ClickException(str(fault)) from fault
    if as_json:
        click.echo(msgspec.json.encode(measured).decode())
        return
    conserved, renewed, crowd = measured.conservation, measured.renewal, measured.crowd
    replaced = measured.replacement
    click.echo(
        f"passed - granted: {conserved.before_rebuild:,} of {conserved.granted:,} octets in {conserved.grants} grants "
        f"at {conserved.mbit_per_s:,} Mbit/s; {conserved.after_rebuild:,} after the closed rebuild\n"
        f"polled every second instead: {conserved.polled_overshoot:+,} of {conserved.polled_granted:,} octets\n"
        f"renewal: p50 {conserved.commit_p50_ms} ms under that load; with {renewed.terminals:,} terminals p50 "
        f"{renewed.p50_ms} ms, p99 {renewed.p99_ms} ms\n"
        f"a grant runs dry until the next is in place: p50 {replaced.p50_ms} ms, p99 {replaced.p99_ms} ms "
        f"({replaced.renewals} times, through a durable server)\n"
        f"{crowd.terminals:,} terminals: all counters read in {crowd.read_all_ms} ms, {crowd.kernel_octets_each:,} octets "
        f"of kernel memory each, agent {crowd.agent_rss_mb} MB resident, resumed in {crowd.agent_resumed_in_s} s\n"
        f"forwarding: {crowd.mbit_per_s_with_all:,} Mbit/s with all of them, {crowd.mbit_per_s_with_one:,} with one"
    )


def _print(measured: Figures, folder: Path, *, as_json: bool) -> None:
    machine = describe(folder)
    if as_json:
        both = {**msgspec.to_builtins(measured), "machine": msgspec.to_builtins(machine)}
        click.echo(msgspec.json.encode(both).decode())
    else:
        click.echo(
            f"{measured.requests_per_s:,}/s over {measured.seconds} s; "
            f"p50 {measured.p50_ms} ms, p99 {measured.p99_ms} ms, p99.9 {measured.p999_ms} ms\n"
            f"server: {measured.server_cpu_us_per_request} µs of processor a request, {measured.server_rss_mb} MB resident\n"
            f"{_more(measured)}"
            f"durable: {_yes(measured.durable)} (each commit synced, {machine.fsyncs_per_s:,} fsyncs/s on this disk); "
            f"octets conserved: {_yes(measured.conserved)}\n"
            f"{machine}"
        )
    if not measured.conserved:
        click.get_current_context().exit(1)


def _more(measured: Figures) -> str:
    """Say what only some benchmarks know."""
    spent: list[tuple[object, str]] = [
        (measured.client_cpu_us_per_request, f"load client: {measured.client_cpu_us_per_request} µs a request"),
        (measured.commits_per_s, f"{measured.commits_per_s or 0:,} commits/s"),
        (measured.database_cpu_us_per_request, f"PostgreSQL: {measured.database_cpu_us_per_request} µs a request"),
    ]
    line = "; ".join(sentence for known, sentence in spent if known is not None)
    soon = f"p50 {measured.put_off_p50_ms} ms, slowest {measured.put_off_slowest_ms} ms"
    put_off = f"told to come again later: {measured.put_off:,} times, {soon}\n" if measured.put_off else ""
    return f"{line}\n{put_off}" if line else put_off


def _yes(value: bool) -> str:
    return "yes" if value else "NO"
