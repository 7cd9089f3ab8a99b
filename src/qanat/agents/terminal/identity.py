"""Who this terminal is: its key, and what the server said when it enrolled. Both live in the state folder."""

from __future__ import annotations

from pathlib import Path

import msgspec

from qanat.agents.state_folder import IDENTITY, folder_of, identity_in, keep
from qanat.wire.agent import CloudSim


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
    return identity_in(state, Identity, who="terminal", enrol="qanat terminal enrol")


def store(state: Path, identity: Identity) -> None:
    keep(state / IDENTITY, identity)
