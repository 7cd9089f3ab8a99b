"""Who this terminal is: its key, and what the server said when it enrolled. Both live in the state folder."""

from __future__ import annotations

import os
from base64 import b64encode
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

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


def key_of(state: Path) -> Ed25519PrivateKey:
    """Return the terminal's key; at first call it is made. Raises Fault."""
    path = state / "key"
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            write_whole(path, Ed25519PrivateKey.generate().private_bytes_raw())
        return Ed25519PrivateKey.from_private_bytes(path.read_bytes())
    except (OSError, ValueError) as error:
        raise Fault(f"{path}: {error}; make the folder writable, or name another with --state") from error


def public_text(key: Ed25519PrivateKey) -> str:
    return b64encode(key.public_key().public_bytes_raw()).decode()


def load(state: Path) -> Identity:
    """Read the identity. Raises NotEnrolled."""
    try:
        return msgspec.json.decode((state / "identity.json").read_bytes(), type=Identity)
    except (OSError, msgspec.DecodeError) as error:
        raise NotEnrolled(f"{state} holds no enrolled terminal ({error}); run `qanat terminal enrol` first") from error


def store(state: Path, identity: Identity) -> None:
    write_whole(state / "identity.json", msgspec.json.format(msgspec.json.encode(identity)))


def write_whole(path: Path, content: bytes) -> None:
    """Put a file in place whole and durable, readable by its owner only."""
    draft = path.with_name(path.name + ".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    draft.replace(path)
