"""Requests under way: how many there are, which a stop breaks off, and what is counted of each once it was answered."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from prometheus_client import Counter, Histogram

from qanat.server.metrics import Metrics
from qanat.system import fresh_id


class UnderWay:
    """One for all ways into the server, so that a bound on them is a bound."""

    def __init__(self, metrics: Metrics, *, at_once: int) -> None:
        self._metrics = metrics
        self._at_once = at_once
        self._count = 0
        self._until_stop: set[asyncio.Task[Any]] = set()
        self._stopping = False
        self._server = fresh_id("req")
        self._numbers = count(1)
        self._of_route: dict[tuple[str, int], tuple[Counter, Histogram]] = {}
        metrics.in_flight.set_function(lambda: self._count)

    @property
    def is_full(self) -> bool:
        """Whether no more may begin."""
        return self._count >= self._at_once

    def begin(self) -> str:
        """Count a request in, and return its id: the server's of this start, and its number there."""
        self._count += 1
        return f"{self._server}-{next(self._numbers)}"

    def end(self) -> None:
        self._count -= 1

    @contextmanager
    def until_stop(self) -> Iterator[None]:
        """Have a stop break the current request off while it is in here, where it only looks and would hold the stop up."""
        request = asyncio.current_task()
        assert request is not None, "a request has its task"
        self._until_stop.add(request)
        if self._stopping:
            request.cancel()
        try:
            yield
        finally:
            self._until_stop.discard(request)

    def stop(self) -> None:
        """Break off what a stop does not wait for; the shield answers it."""
        self._stopping = True
        for request in self._until_stop:
            request.cancel()

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count an answer. A route is a pattern: names in paths never become labels."""
        counted = self._of_route.get((route, status))
        if counted is None:
            counted = self._metrics.requests.labels(route, status), self._metrics.seconds.labels(route)
            self._of_route[route, status] = counted
        counted[0].inc()
        counted[1].observe(seconds)
