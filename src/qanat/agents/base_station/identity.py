"""Who this base station is: its key, and what the server said when it enrolled. Both live in the state folder."""

from __future__ import annotations

from pathlib import Path

import msgspec

from qanat.agents.state_folder import folder_of, keep
from qanat.errors import Fault


class NotEnrolled(Fault):
    """There is no identity in the state folder."""


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    server: str
    base_station: str
    identity: str
    """Its identity code, for demanders to see."""
    subscriber: str
    operator: str
    place: str
    access: str
    uplink: str


def state_folder() -> Path:
    return folder_of("base_station")


def load(state: Path) -> Identity:
    """Read the identity. Raises NotEnrolled."""
    try:
        return msgspec.json.decode((state / "identity.json").read_bytes(), type=Identity)
    except (OSError, msgspec.DecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise NotEnrolled(
            f"{state} holds no enrolled base station (identity.json: {why}); run `qanat station enrol` first"
        ) from error


def store(state: Path, identity: Identity) -> None:
    keep(state / "identity.json", identity)
