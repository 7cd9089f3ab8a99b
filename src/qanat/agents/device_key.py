"""The key that makes an agent's device itself: an Ed25519 key in the state folder, made at first use."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from qanat.agents.state_folder import write_whole
from qanat.errors import Fault


def key_of(state: Path) -> Ed25519PrivateKey:
    """Return the device's key; at first call it is made. Raises Fault."""
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
