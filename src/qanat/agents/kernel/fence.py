"""The fence: waits until every processor has finished the packet it was handling when the fence was called.

Deleting a map element stops new packets; one that another processor took before may still be on its way from the quota
to the counter. Netfilter runs under RCU, and membarrier(GLOBAL) returns after an RCU grace period, so afterwards the
counters are exact. Takes 10 to 20 ms. Source: membarrier(2).
"""

from __future__ import annotations

import ctypes
import os
import platform
from typing import Final

from qanat.agents.kernel.netlink import KernelFault

_GLOBAL: Final = 1
_NUMBER: Final = {"x86_64": 324, "aarch64": 283, "riscv64": 283, "armv7l": 389, "armv6l": 389, "i686": 375}
_OTHERS: Final = 283  # the number every architecture added since 2012 shares


def wait_for_packets_in_flight() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    number = _NUMBER.get(platform.machine(), _OTHERS)
    if libc.syscall(ctypes.c_long(number), ctypes.c_int(_GLOBAL), ctypes.c_int(0), ctypes.c_int(0)):
        code = ctypes.get_errno()
        raise KernelFault(f"membarrier refused, so no count is exact: {os.strerror(code)}", code=code)
