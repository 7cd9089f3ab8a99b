"""The first start: the home operator, one administrator with a random password, and files for its owner only."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from qanat.ledger.work import Work
from qanat.registry.access import Caller, Staff, give_token, hire, password_hash_of
from qanat.registry.names import staff_owner
from qanat.registry.operators import HOME, create_operator, find_operator
from qanat.server.passwords import Passwords
from qanat.store.store import Store
from qanat.system import fresh_id, fresh_token

ADMINISTRATOR: Final = "admin"
SIGN_IN_FILE: Final = "admin.password"
_CURE: Final = "sign in with it, change it, then delete the file"


async def prepare(store: Store, passwords: Passwords, data: Path) -> None:
    """Make what must exist. Repeating makes nothing; a token file that was lost is made anew.

    A password that is still in its file is announced again: a start that was killed may not have come to say it.
    """
    if await store.decide(_known):
        await _remind(store, passwords, data / SIGN_IN_FILE)
    else:
        await _first(store, passwords, data / SIGN_IN_FILE)
    await _keep_token_file(store, data / "admin.token")


async def _first(store: Store, passwords: Passwords, file: Path) -> None:
    """Hire the administrator. The password is kept before it holds: whatever fails later, it can be found."""
    password, draft = fresh_token(), file.with_name(fresh_id(file.name))
    _write(draft, password)
    hashed = await passwords.hash(password)
    if not await store.decide(lambda work: _begin(work, hashed)):
        draft.unlink()
        return
    draft.replace(file)
    with suppress(OSError):  # the file is there, whether or not a log can be written
        _tell(password, file)


async def _remind(store: Store, passwords: Passwords, file: Path) -> None:
    """Say where the password is, as long as it is good; of drafts that were left only that can be the one."""
    hashed = await store.decide(lambda work: password_hash_of(work, ADMINISTRATOR))
    for left in (file, *file.parent.glob(f"{file.name}-*")):
        if left.is_file() and await passwords.fits(left.read_text().strip(), hashed):
            left.replace(file)
            with suppress(OSError):
                _say(f"The password of administrator {ADMINISTRATOR!r} is still in {file}: {_CURE}")
        elif left != file:
            left.unlink()


def _tell(password: str, file: Path) -> None:
    """Say the password to a person at a terminal. A journal is read by others: there only its file is named."""
    if sys.stderr.isatty():
        _say(f"First start: administrator {ADMINISTRATOR!r} has the password {password} (shown this once)")
        file.unlink()
    else:
        _say(f"First start: the password of administrator {ADMINISTRATOR!r} is in {file}; {_CURE}")


def _say(sentence: str) -> None:
    print(f"{sentence}.", file=sys.stderr, flush=True)


def _known(work: Work) -> bool:
    return work.get(Staff, staff_owner(ADMINISTRATOR), ADMINISTRATOR) is not None


def _begin(work: Work, password_hash: str) -> bool:
    """Make what must exist; False if another server did at the same moment."""
    if _known(work):
        return False
    if find_operator(work, HOME) is None:
        create_operator(work, name=HOME)
    hire(work, name=ADMINISTRATOR, role="administrator", password_hash=password_hash)
    work.act = "first start"
    return True


async def _keep_token_file(store: Store, file: Path) -> None:
    token = _new_token_file(file)
    if token is not None:
        caller = Caller(who=ADMINISTRATOR, role="administrator")
        await store.decide(lambda work: give_token(work, caller, token=token, until=None))


def _new_token_file(file: Path) -> str | None:
    """Write a fresh token that only its owner may read; None if the file is there."""
    token = fresh_token()
    try:
        _write(file, token)
    except FileExistsError:
        return None
    return token


def _write(file: Path, secret: str) -> None:
    """Make a file for its owner only. Raises FileExistsError."""
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        opened.write(secret + "\n")
