"""A moment within a pass of SQLite's log, between reading where the log ends and how much of it was brought in.

In between a pass unmaps the file, if its connection has mapped it. SQLite lets its calls to the system be replaced, for
tests (https://sqlite.org/c3ref/vfs.html, xSetSystemCall).
"""

from __future__ import annotations

import _sqlite3
import ctypes
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

from qanat.store.sqlite_link import connect

_Unmap = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t)
_SetSystemCall = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)


class _Vfs(ctypes.Structure):
    """SQLite's ``sqlite3_vfs``, up to what we call."""

    _fields_ = (
        ("sizes", ctypes.c_int * 3),
        ("names_and_calls", ctypes.c_void_p * 16),
        ("set_system_call", _SetSystemCall),
    )


def mapped(path: Path) -> sqlite3.Connection:
    """Open a database of ours that has no log to be read, and map it."""
    connection = connect(path, 1000)
    connection.execute("PRAGMA mmap_size=1000000")
    connection.execute("SELECT count(*) FROM entry").fetchone()
    return connection


@contextmanager
def at_the_next_unmapping(do: Callable[[], Any]) -> Iterator[Event]:
    """Have something done once; yield what is set then."""
    left, done = [do], Event()

    def unmap(start: int, length: int) -> int:
        while left:
            left.pop()()
            done.set()
        return int(system.munmap(ctypes.c_void_p(start), ctypes.c_size_t(length)))

    call = _Unmap(unmap)
    system, library = ctypes.CDLL(None), ctypes.CDLL(_sqlite3.__file__)
    library.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
    vfs = library.sqlite3_vfs_find(None)
    assert vfs.contents.set_system_call(vfs, b"munmap", ctypes.cast(call, ctypes.c_void_p)) == sqlite3.SQLITE_OK
    try:
        yield done
    finally:
        vfs.contents.set_system_call(vfs, b"munmap", None)
