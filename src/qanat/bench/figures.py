"""The figures of one benchmark run."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """``conserved`` tells whether the octets acknowledged are the octets in the ledger, to the octet."""

    requests: int
    seconds: float
    requests_per_s: int
    p50_ms: float
    p99_ms: float
    p999_ms: float
    server_cpu_us_per_request: float
    server_rss_mb: int
    durable: bool
    conserved: bool
    commits_per_s: int | None = None
    """Durable commits of the server, an fsync each."""
    client_cpu_us_per_request: float | None = None
    """Of the load client, where it is a process apart from the server: it must not be what limits."""
    database_cpu_us_per_request: float | None = None
    """Of a PostgreSQL that the benchmark started itself."""
    put_off: int | None = None
    """Answers that said only: later. Their requests were repeated and are not counted above until they were done."""
    put_off_p50_ms: float | None = None
    put_off_slowest_ms: float | None = None


def figures(
    latencies_s: Sequence[float], *, seconds: float, server_cpu_s: float, server_rss_mb: int, conserved: bool
) -> Figures:
    ordered = sorted(latencies_s)
    count = len(ordered)
    return Figures(
        requests=count,
        seconds=round(seconds, 2),
        requests_per_s=round(count / seconds),
        p50_ms=_percentile(ordered, 50_0),
        p99_ms=_percentile(ordered, 99_0),
        p999_ms=_percentile(ordered, 99_9),
        server_cpu_us_per_request=round(server_cpu_s / max(count, 1) * 1e6, 1),
        server_rss_mb=server_rss_mb,
        durable=True,
        conserved=conserved,
    )


def with_put_off(measured: Figures, latencies_s: Sequence[float]) -> Figures:
    """Add how soon those were told who had to come again."""
    if not latencies_s:
        return measured
    ordered = sorted(latencies_s)
    slowest, middle_one = round(ordered[-1] * 1000, 3), _percentile(ordered, 50_0)
    return replace(measured, put_off=len(ordered), put_off_p50_ms=middle_one, put_off_slowest_ms=slowest)


def _percentile(ordered: Sequence[float], per_mille: int) -> float:
    if not ordered:
        return 0.0
    return round(ordered[min(len(ordered) - 1, len(ordered) * per_mille // 1000)] * 1000, 3)
