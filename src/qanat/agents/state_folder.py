"""An agent's state folder: where it is, and how a file in it is written whole, so that nobody ever reads half of one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from qanat.errors import Fault
from qanat.system import sync_directory

IDENTITY: Final = "identity.json"
"""Who the agent is, as the server said when it enrolled."""

T = TypeVar("T", bound=msgspec.Struct)


class NotEnrolled(Fault):
    """There is no identity in the state folder."""


def folder_of(agent: str) -> Path:
    """Return where an agent's files belong (FHS 3.0 §5.8 for root, XDG Base Directory for others)."""
    if os.geteuid() == 0:
        return Path("/var/lib/qanat") / agent
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "qanat" / agent


def write_whole(path: Path, content: bytes) -> None:
    """Put a file in place whole and durable, readable by its owner only."""
    draft = _draft(path)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    draft.replace(path)
    sync_directory(path.parent)


def keep(path: Path, image: msgspec.Struct) -> None:
    """Write durably what the agent goes on from, as JSON that a person can read."""
    write_whole(path, msgspec.json.format(msgspec.json.encode(image)))


def identity_in(state: Path, kind: type[T], *, who: str, enrol: str) -> T:
    """Read the identity that lies in a state folder. Raises NotEnrolled."""
    try:
        return msgspec.json.decode((state / IDENTITY).read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise NotEnrolled(f"{state} holds no enrolled {who} ({IDENTITY}: {why}); run `{enrol}` first") from error


def show(path: Path, image: msgspec.Struct) -> None:
    """Write what is only for looking at, without waiting for the disk. Raises OSError."""
    draft = _draft(path)
    draft.write_bytes(msgspec.json.encode(image))
    draft.replace(path)


def shown(path: Path, kind: type[T]) -> T | None:
    """Return what was last shown; None when there is nothing to read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError):
        return None


def _draft(path: Path) -> Path:
    return path.with_name(path.name + ".new")
