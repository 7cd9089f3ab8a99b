"""Who this base station is: its key, and what the server said when it enrolled. Both live in the state folder."""

from __future__ import annotations

from pathlib import Path

import msgspec

from qanat.agents.state_folder import IDENTITY, folder_of, identity_in, keep


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
    return identity_in(state, Identity, who="base station", enrol="qanat station enrol")


def store(state: Path, identity: Identity) -> None:
    keep(state / IDENTITY, identity)
