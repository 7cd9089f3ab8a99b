"""Faults: what a peer or the disk did to us. A class per cure.

A fault is raised, and what it interrupted was not committed. A refusal (``refusals.py``) is an ordinary answer.
"""

from __future__ import annotations


class Fault(Exception):
    """Something outside failed. The message names the value and the cure."""


class StoreFault(Fault):
    """The database could not take the write; nothing of it was acknowledged. Repeating is safe."""


class Outdated(StoreFault):
    """A later version of Qanat has taken the database over: nothing is written until this one is updated."""


class Unwritten(Fault):
    """A file could not be written; the message names it, and why. When that is mended repeating goes on with it."""


class Unreachable(Fault):
    """A peer could not be reached over any channel. Repeating is safe."""


class BadInput(Fault):
    """Bytes or values from outside that break the grammar. ``field`` names where."""

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field
