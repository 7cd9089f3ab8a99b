"""Who this terminal is: its key, and what the server said when it enrolled. Both live in the state folder."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from qanat.agents.device_key import write_whole
from qanat.errors import Fault
from qanat.wire.agent import CloudSim


class NotEnrolled(Fault):
    """There is no identity in the state folder."""


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    server: str
    terminal: str
    interface: str
    channels: list[str]
    sim: CloudSim
    subscriber: str | None
    binding_code: str | None


def state_folder() -> Path:
    """Return where a terminal's files belong (FHS 3.0 §5.8 for root, XDG Base Directory for others)."""
    if os.geteuid() == 0:
        return Path("/var/lib/qanat/terminal")
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "qanat/terminal"


def load(state: Path) -> Identity:
    """Read the identity. Raises NotEnrolled."""
    try:
        return msgspec.json.decode((state / "identity.json").read_bytes(), type=Identity)
    except (OSError, msgspec.DecodeError) as error:
        raise NotEnrolled(f"{state} holds no enrolled terminal ({error}); run `qanat terminal enrol` first") from error


def store(state: Path, identity: Identity) -> None:
    write_whole(state / "identity.json", msgspec.json.format(msgspec.json.encode(identity)))
