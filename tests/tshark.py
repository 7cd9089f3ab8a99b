"""tshark as the judge of bytes: it sees what is malformed or unknown, not what is meant."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path
from typing import Final

from tests.patience import PATIENCE_S

_WRONG: Final = "diameter && (_ws.malformed || _ws.expert.severity >= error || diameter.avp.unknown)"


def capture(path: Path, messages: list[bytes]) -> None:
    """Write the messages as one TCP connection to port 3868 (pcap, link type 101: raw IP)."""
    packets, sequence = [struct.pack("!IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 101)], 1
    for message in messages:
        tcp = struct.pack("!HHIIHHHH", 40_000, 3868, sequence, 1, 0x5018, 65_535, 0, 0) + message
        ip = struct.pack("!BBHIBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 64, 6, 0, b"\x7f\0\0\x01", b"\x7f\0\0\x01") + tcp
        packets.append(struct.pack("!IIII", 0, 0, len(ip), len(ip)) + ip)
        sequence += len(message)
    path.write_bytes(b"".join(packets))


def tshark(path: Path, *arguments: str) -> list[str]:
    done = subprocess.run(
        ["tshark", "-r", path, *arguments], capture_output=True, text=True, check=True, timeout=PATIENCE_S
    )
    return done.stdout.splitlines()


def complaints(path: Path) -> list[str]:
    """Return what tshark finds malformed or unknown in a capture."""
    return tshark(path, "-Y", _WRONG, "-V")
