"""Lays a static ruleset through the ``nft`` command: once, in one transaction, and again where somebody deletes it.

Everything that moves is ``nft``'s.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from typing import Final, TypeVar

from qanat.agents.kernel.netlink import KernelFault
from qanat.agents.kernel.nft import Nft, Table, TableGone
from qanat.errors import BadInput, Fault

LAYINGS_MAX: Final = 100
"""Who deletes a table faster than it is laid, for seconds, is not lived with."""

_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,15}")

T = TypeVar("T")


class NftMissing(Fault):
    """The ``nft`` command is not installed."""


class ForeignTable(Fault):
    """A table of our name is there that this program did not lay."""


def plain_name(interface: str) -> str:
    """Return the name as it stands in a ruleset. Raises BadInput for one that nft could read as more than a name."""
    if not _NAME.fullmatch(interface):
        raise BadInput(
            f"{interface!r} can't be metered under that name: rename it to letters, digits, '.', '_' or '-'",
            field="interface",
        )
    return interface


def comment_on(nft: Nft, table: Table) -> str | None:
    """Return the comment a standing table was laid with, None when none stands. Raises KernelFault."""
    try:
        return nft.comment(table)
    except KernelFault as fault:
        if fault.code == errno.ENOENT:
            return None
        raise


def run_nft(ruleset: str) -> None:
    """Lay a ruleset in one transaction. Raises NftMissing or KernelFault with what nft said."""
    command = shutil.which("nft", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
    if command is None:
        raise NftMissing("the nft command is not installed: `apt install nftables`")
    done = subprocess.run([command, "-f", "-"], input=ruleset, capture_output=True, text=True, check=False)
    if done.returncode:
        raise KernelFault(f"nft did not lay the gate: {done.stderr.strip()}", code=errno.EINVAL)


def says_gone(fault: Fault) -> bool:
    """Tell whether a table of ours, or what was in it, is no more."""
    return isinstance(fault, TableGone) or (isinstance(fault, KernelFault) and fault.code == errno.ENOENT)


def until_it_stands(attempt: Callable[[Fault | None], T]) -> T:
    """Do what lays or needs a table, again while somebody deletes it meanwhile; each time it is told what came before.

    Raises what came last when there is no end of it.
    """
    gone: Fault | None = None
    for _ in range(LAYINGS_MAX):
        try:
            return attempt(gone)
        except Fault as fault:
            if not says_gone(fault):
                raise
            gone = fault
    assert gone is not None, "only what is gone is tried again"
    raise gone
