"""Lays a static ruleset through the ``nft`` command: once, in one transaction. Everything that moves is ``nft``'s."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess

from qanat.agents.kernel.netlink import KernelFault
from qanat.errors import Fault


class NftMissing(Fault):
    """The ``nft`` command is not installed."""


class ForeignTable(Fault):
    """A table of our name is there that this program did not lay."""


def run_nft(ruleset: str) -> None:
    """Lay a ruleset in one transaction. Raises NftMissing or KernelFault with what nft said."""
    command = shutil.which("nft", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
    if command is None:
        raise NftMissing("the nft command is not installed: `apt install nftables`")
    done = subprocess.run([command, "-f", "-"], input=ruleset, capture_output=True, text=True, check=False)
    if done.returncode:
        raise KernelFault(f"nft did not lay the gate: {done.stderr.strip()}", code=errno.EINVAL)
