"""Where the lab may be laid: as root, in a user namespace of an ordinary user, or nowhere.

A program that ``enter``s starts itself again in namespaces of its own (mounts, network and, for an ordinary user, users),
so whatever it lays there vanishes with it, however it ends, and is seen by nobody else.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from enum import Enum
from typing import Final

_INSIDE: Final = "QANAT_LAB_PRIVATE"
_TRIAL: Final = "mount -t tmpfs tmpfs /run && ip netns add trial && ip netns exec trial true"


class Place(Enum):
    ROOT = "as root"
    USER = "in a user namespace of an ordinary user"
    NOWHERE = "on loopback: no network namespace can be made here"


# ip, nft and unshare live where an ordinary user's PATH may not lead.
WITH_PATH: Final = ["env", f"PATH={os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"]
_UNSHARE: Final = {
    Place.ROOT: [*WITH_PATH, "unshare", "--mount", "--net"],
    Place.USER: [*WITH_PATH, "unshare", "--user", "--map-root-user", "--mount", "--net"],
}


def find_place() -> Place:
    """Return the best place that this machine allows, by trying."""
    return next((place for place in _candidates() if not complaint(place)), Place.NOWHERE)


def why_nowhere() -> str:
    """Return what the system said when the best place was tried, for whoever is to mend it."""
    return complaint(_candidates()[0])


def complaint(place: Place) -> str:
    """Try to make a host there, and return what the system said against it: nothing if it can be made."""
    try:
        command = [*_UNSHARE[place], "sh", "-c", _TRIAL]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return done.stderr.strip() or f"status {done.returncode}" if done.returncode else ""


def _candidates() -> tuple[Place, ...]:
    return (Place.ROOT, Place.USER) if os.geteuid() == 0 else (Place.USER,)


def is_inside() -> bool:
    """Tell whether this program was started by ``command_inside``; if so, make room for names of its own."""
    if _INSIDE not in os.environ:
        return False
    os.environ.pop(_INSIDE)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    return True


def command_inside(place: Place, module: str, arguments: Sequence[str] = ()) -> list[str]:
    """Return the command line that runs one of our modules in the place."""
    return [*_UNSHARE[place], "env", f"{_INSIDE}=1", sys.executable, "-m", module, *arguments]
