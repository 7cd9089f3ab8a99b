"""What the server counts about itself, for Prometheus. Each server has its own registry, so tests can run many."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from importlib.metadata import version
from math import nan
from typing import Final, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from qanat.store.store import Store

_SERIES: Final = re.compile(r"([\w:]+)(\{?)(.*)")
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class Gateways(Protocol):
    """What a Gy front counts by itself."""

    @property
    def results(self) -> Mapping[int, int]:
        """Answers by Result-Code."""
        ...

    @property
    def under_way(self) -> int: ...

    @property
    def connections(self) -> Collection[object]: ...


class Metrics:
    def __init__(self, store: Store) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(_StoreFigures(store))
        ProcessCollector(registry=self.registry)
        Info("qanat", "What runs here.", registry=self.registry).info({"version": version("qanat")})
        self.requests = Counter(
            "qanat_http_requests_total", "Requests answered.", ["route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "qanat_http_request_seconds", "Time to answer.", ["route"], buckets=_SECONDS, registry=self.registry
        )
        self.in_flight = Gauge("qanat_http_requests_in_flight", "Requests under way.", registry=self.registry)
        self.refusals = Counter("qanat_refusals_total", "Refusals by reason.", ["reason"], registry=self.registry)
        self.faults = Counter("qanat_faults_total", "Faults by class.", ["fault"], registry=self.registry)
        self.swept = Counter("qanat_swept_total", "Records the sweeper dealt with.", registry=self.registry)
        self.audits = Gauge(
            "qanat_audit_balanced",
            "1 when the last audit found the books balanced; NaN before.",
            registry=self.registry,
        )
        self.audits.set(nan)

    def watch_gateways(self, gateways: Gateways) -> None:
        self.registry.register(_GyFigures(gateways))

    def render(self) -> bytes:
        return generate_latest(self.registry)


def together(expositions: Mapping[int, str]) -> str:
    """Return what all workers of a host count, each series with the number of its worker."""
    families: dict[str, tuple[list[str], list[str]]] = {}
    for worker, text in sorted(expositions.items()):
        family = ""
        for line in text.splitlines():
            family = line.split(" ", 3)[2] if line.startswith("# HELP ") else family
            heads, series = families.setdefault(family, ([], []))
            if not line.startswith("#"):
                series.append(_of_worker(line, worker))
            elif line not in heads:
                heads.append(line)
    return "".join(f"{line}\n" for heads, series in families.values() for line in (*heads, *series))


def _of_worker(line: str, worker: int) -> str:
    series = _SERIES.match(line)
    assert series is not None, f"{line!r} is no series"
    name, labels, rest = series.groups()
    return f'{name}{{worker="{worker}"' + (f",{rest}" if labels else f"}}{rest}")


class _StoreFigures(Collector):
    """What the store counts by itself, read when somebody looks."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def collect(self) -> Iterable[Metric]:
        figures = self._store.figures
        for name, value, meaning in (
            ("batches", figures.batches, "Durable commits."),
            ("entries", figures.entries, "Entries appended; by batches it is the batch size."),
            ("rows_projected", figures.rows_projected, "Rows brought up behind the entries."),
            ("decided_again", figures.decided_again, "Decisions repeated since another writer was first."),
            ("loads", figures.loads, "Pages read from the database."),
        ):
            yield CounterMetricFamily(f"qanat_store_{name}", meaning, value=value)
        yield CounterMetricFamily("qanat_octets_used", "Octets posted as usage.", value=figures.octets_used)
        commits = HistogramMetricFamily("qanat_store_commit_seconds", "Time a durable commit took.")
        commits.add_metric([], figures.commits.cumulative(), figures.commits.total_s)
        yield commits
        yield GaugeMetricFamily(
            "qanat_store_lag", "Records whose rows are behind their entries.", value=self._store.lag
        )


class _GyFigures(Collector):
    def __init__(self, gateways: Gateways) -> None:
        self._gateways = gateways

    def collect(self) -> Iterable[Metric]:
        answers = CounterMetricFamily(
            "qanat_gy_answers", "Answers by Result-Code; 3004 is overload.", labels=["result_code"]
        )
        for code, times in sorted(self._gateways.results.items()):
            answers.add_metric([str(int(code))], times)
        yield answers
        yield GaugeMetricFamily("qanat_gy_requests_in_flight", "Requests under way.", value=self._gateways.under_way)
        connections = len(self._gateways.connections)
        yield GaugeMetricFamily("qanat_gy_connections", "Connections of gateways.", value=connections)
