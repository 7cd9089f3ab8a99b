"""Who this terminal is: its key, and what the server said when it enrolled. Both live in the state folder."""

from __future__ import annotations

from pathlib import Path

import msgspec

from qanat.agents.state_folder import folder_of, keep
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
    return folder_of("terminal")


def load(state: Path) -> Identity:
    """Read the identity. Raises NotEnrolled."""
    try:
        return msgspec.json.decode((state / "identity.json").read_bytes(), type=Identity)
    except (OSError, msgspec.DecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise NotEnrolled(
            f"{state} holds no enrolled terminal (identity.json: {why}); run `qanat terminal enrol` first"
        ) from error


def store(state: Path, identity: Identity) -> None:
    keep(state / "identity.json", identity)
