"""A lab that stands while another folder's is laid and taken down, in a place of its own for ``test_standing``; prints JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from qanat.lab import private, standing
from qanat.lab.namespaces import LabFault
from qanat.lab.private import Place
from qanat.lab.topology import Lab


def main() -> None:
    assert private.is_inside()
    folder, host = Path(sys.argv[1]), Lab()["core"]
    host.add()
    with standing.claimed():
        said = {
            "up": _told(lambda: standing.up(folder, Place.ROOT)),
            "down": _told(lambda: standing.down(folder)),
            "stands": host.exists,
        }
    print(json.dumps({**said, "swept": standing.down(folder), "left": host.exists}))


def _told(act: Callable[[], object]) -> str:
    try:
        return f"done: {act()}"
    except LabFault as fault:
        return str(fault)


if __name__ == "__main__":
    main()
