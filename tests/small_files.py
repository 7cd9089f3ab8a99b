"""Limits to files, for a while: how long one may become, which is what a full disk does, and how many may be open."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def biggest_file(*, octets: int) -> Iterator[None]:
    """RLIMIT_FSIZE makes every write past the limit fail, as a full disk does."""
    with _limit(resource.RLIMIT_FSIZE, octets):
        yield


@contextmanager
def files_allowed(number: int) -> Iterator[None]:
    """RLIMIT_NOFILE leaves descriptors below that number; what is open already stays."""
    with _limit(resource.RLIMIT_NOFILE, number):
        yield


@contextmanager
def _limit(what: int, to: int) -> Iterator[None]:
    before, most = resource.getrlimit(what)
    resource.setrlimit(what, (to, most))
    try:
        yield
    finally:
        resource.setrlimit(what, (before, most))
