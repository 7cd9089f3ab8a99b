"""What the server counts about itself, for Prometheus. Each server has its own registry, so tests can run many."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class Metrics:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
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
            "qanat_audit_balanced", "1 when the last audit found the books balanced.", registry=self.registry
        )

    def render(self) -> bytes:
        return generate_latest(self.registry)
