"""Open files: every connection is one, and many systems allow 1,024 to a process that does not ask for more."""

from __future__ import annotations

import resource
from typing import Final

_OTHERS: Final = 256
"""Kept free for the database, for HTTP and for logs, however many gateways come."""


def raise_limit() -> None:
    """Ask for as many open files as this process may have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def connections_within(wanted: int) -> int:
    """Return how many connections a front may hold so that everything else finds files to open."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return wanted if allowed == resource.RLIM_INFINITY else max(min(wanted, allowed - _OTHERS), 1)
