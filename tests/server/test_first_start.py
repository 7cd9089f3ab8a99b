from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from qanat.clock import ManualClock
from qanat.registry.access import password_hash_of, set_password
from qanat.registry.names import staff_owner
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


def test_a_password_that_an_interrupted_first_start_did_not_say_is_announced_by_the_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Killed before the draft got its name, or after; another draft is of a start that was killed before it held."""
    file = tmp_path / SIGN_IN_FILE

    async def story() -> None:
        passwords = Passwords(at_once=1, hasher=PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        store = await open_store("memory:", ManualClock())
        await prepare(store, passwords, tmp_path)
        password = file.read_text()
        capsys.readouterr()
        for left in (file, file.with_name(file.name + "-killed")):
            file.rename(left)
            file.with_name(file.name + "-other").write_text("never good\n")
            await prepare(store, passwords, tmp_path)
            assert f"The password of administrator 'admin' is still in {file}: sign in" in capsys.readouterr().err
            assert file.read_text() == password
            assert {*os.listdir(tmp_path)} == {SIGN_IN_FILE, "admin.token"}
        changed = await passwords.hash("another one")
        await store.decide(lambda work: set_password(work, staff_owner(ADMINISTRATOR), changed))
        await prepare(store, passwords, tmp_path)
        assert capsys.readouterr().err == ""
        await store.close()

    asyncio.run(story())
