"""What an agent tells of the device it runs on when it enrols."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Final

VERSION: Final = "qanat 0.1.0"


def serial_of(public_key: str) -> str:
    """Return a serial number for a device that has none of its own."""
    return f"key-{hashlib.sha256(public_key.encode()).hexdigest()[:16]}"


def hardware() -> str:
    """Return make and model as the firmware tells them, or the kind of machine."""
    parts = []
    for name in ("sys_vendor", "product_name"):
        try:
            parts.append(Path(f"/sys/class/dmi/id/{name}").read_text(errors="replace").strip())
        except OSError:
            continue
    told = "".join(filter(str.isprintable, " ".join(filter(None, parts))))
    return told[:256] or os.uname().machine
