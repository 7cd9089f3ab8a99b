from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from qanat.clock import ManualClock
from qanat.registry.access import password_hash_of
from qanat.server.first_start import ADMINISTRATOR, SIGN_IN_FILE, prepare
from qanat.server.passwords import Passwords
from qanat.store.store import open_store


def test_no_administrator_is_made_whose_password_could_not_be_kept(tmp_path: Path) -> None:
    """The folder is missing at first, as one might that belongs to somebody else."""
    data = tmp_path / "data"

    async def story() -> None:
        hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        passwords = Passwords(at_once=1, hasher=hasher)
        store = await open_store("memory:", ManualClock())
        with pytest.raises(FileNotFoundError):
            await prepare(store, passwords, data)
        data.mkdir()
        await prepare(store, passwords, data)
        hashed = await store.decide(lambda work: password_hash_of(work, ADMINISTRATOR))
        assert await passwords.fits((data / SIGN_IN_FILE).read_text().strip(), hashed)
        assert {file.name for file in data.iterdir()} == {SIGN_IN_FILE, "admin.token"}
        await store.close()

    asyncio.run(story())
