"""Offloads: whether one packet that the kernel counts stands for one packet on the wire.

With segmentation or receive offload a packet of up to 64 KiB stands for dozens, whose headers nobody counted: up to
3.4 % of the octets. Where they cannot be switched off the count is still honest when it says so.
Source: linux/ethtool.h, legacy flag commands of the SIOCETHTOOL ioctl.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import socket
import struct
from enum import Enum
from typing import Final

_SIOCETHTOOL: Final = 0x8946


class Offload(Enum):
    """Features by which packets are merged or split out of the counters' sight: (read, write, bit)."""

    TSO = (0x1E, 0x1F, 1)
    GRO = (0x2B, 0x2C, 1)
    LRO = (0x25, 0x26, 1 << 15)


def is_on(interface: str, offload: Offload) -> bool:
    """Tell whether it is on; an interface that does not know it has it off. Raises OSError (no such interface)."""
    read, _, bit = offload.value
    try:
        return bool(_call(interface, read, 0) & bit)
    except OSError as error:
        if error.errno == errno.EOPNOTSUPP:
            return False
        raise


def switch(interface: str, offload: Offload, *, on: bool) -> bool:
    """Switch it on or off; return whether it is so now. Nothing is raised where driver or permissions say no."""
    read, write, bit = offload.value
    try:
        if is_on(interface, offload) != on:
            others = _call(interface, read, 0) & ~bit
            _call(interface, write, others | bit if on else others)
        return is_on(interface, offload) == on
    except OSError:
        return False


def _call(interface: str, command: int, data: int) -> int:
    value = ctypes.create_string_buffer(struct.pack("=II", command, data), 8)
    request = struct.pack("16sP", interface.encode(), ctypes.addressof(value)).ljust(40, b"\0")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        fcntl.ioctl(handle, _SIOCETHTOOL, request)
    return int(struct.unpack_from("=I", value.raw, 4)[0])
