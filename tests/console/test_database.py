"""Backing up a server under load, restoring, and moving to another database, by the real commands."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys

import pytest
from tests.console.running import Shell, serving
from tests.store.logs import fresh_database

from qanat.bench.ledger import bench_ledger
from qanat.bench.postgres import OwnPostgres


def fill(shell: Shell, file: str = "data/qanat.db") -> None:
    """Make a database with a few thousand entries, by the benchmark."""

    measured = asyncio.run(
        bench_ledger(f"sqlite:///{shell.directory / file}", seconds=1, in_flight=32, subscribers=100)
    )
    assert measured.conserved


def test_a_served_database_is_backed_up_restored_and_served_again(shell: Shell) -> None:
    with serving(shell, "--data", "data") as server:
        shell.qanat("subscriber", "create", "alice")
        shell.qanat("top-up", "--subscriber", "alice", "--octets", "1000")
        made = json.loads(shell.qanat("backup", "--to", "b/backup.db", "--json"))
        assert made["balanced"] is True
        assert "exists" in shell.qanat("backup", "--to", "b/backup.db", status=1)
        shell.qanat("top-up", "--subscriber", "alice", "--octets", "500")
        assert "a server holds" in shell.qanat("restore", "--from", "b/backup.db", status=1)
        server.stop()
    restored = json.loads(shell.qanat("restore", "--from", "b/backup.db", "--json"))
    assert restored["entries"] == made["entries"]
    assert restored["replaced"] == "data/qanat.db.before-restore"
    with serving(shell, "--data", "data"):
        assert json.loads(shell.qanat("balance", "--subscriber", "alice", "--json"))["available"] == 1000
        assert json.loads(shell.qanat("audit", "--json"))["balanced"] is True


def test_what_can_not_be_backed_up_is_named_with_the_cure(shell: Shell) -> None:
    assert "there is no database at data/qanat.db" in shell.qanat("backup", "--to", "b.db", status=1)
    said = shell.qanat("backup", "--database", "postgresql://h/d", "--to", "b.db", status=1)
    assert "pg_dump --format=custom --file=FILE postgresql://h/d" in said
    assert "pg_restore" in shell.qanat("restore", "--database", "postgresql://h/d", "--from", "b.db", status=1)
    assert "sqlite:///path" in shell.qanat("backup", "--database", "memory:", "--to", "b.db", status=1)


def test_entries_go_into_archives_while_the_database_is_served_and_the_books_go_on(shell: Shell) -> None:
    fill(shell)
    with serving(shell, "--data", "data"):
        shell.qanat("subscriber", "create", "alice")
        shell.qanat("top-up", "--subscriber", "alice", "--octets", "1000")
        before = json.loads(shell.qanat("audit", "--json"))
        assert "No entry older than 90 days can go" in shell.qanat("archive", "make", "--to", "old/1.jsonl.gz")
        made = json.loads(shell.qanat("archive", "make", "--to", "old/1.jsonl.gz", "--keep-days", "0", "--json"))
        shell.qanat("top-up", "--subscriber", "alice", "--octets", "500")
        after = json.loads(shell.qanat("audit", "--json"))
        assert (after["balanced"], after["archived"]) == (True, made["entries"])
        assert after["entries"] + after["archived"] == before["entries"] + 1
        assert f"({made['entries']:,} before them are in archives)" in shell.qanat("audit")
        assert "exists" in shell.qanat("archive", "make", "--to", "old/1.jsonl.gz", status=1)
        second = shell.qanat("archive", "make", "--to", "old/2.jsonl.gz", "--keep-days", "0")
        assert "balanced" in second
        assert json.loads(shell.qanat("balance", "--subscriber", "alice", "--json"))["available"] == 1500
    both = json.loads(shell.qanat("archive", "audit", "old/1.jsonl.gz", "old/2.jsonl.gz", "--json"))
    assert [one["balanced"] for one in both] == [True, True]
    assert both[0]["entries"] == made["entries"]
    said = shell.qanat("archive", "audit", "old/2.jsonl.gz", "old/1.jsonl.gz", status=1)
    assert "NOT balanced" in said
    assert "does not begin with what the archive before it left behind" in said
    assert "is no archive, or damaged" in shell.qanat("archive", "audit", "data/admin.token", status=1)
    copied = json.loads(shell.qanat("database", "copy", *between("data/qanat.db", "small/qanat.db"), "--json"))
    assert copied["balanced"] is True
    assert json.loads(shell.qanat("backup", "--to", "backup.db", "--json"))["balanced"] is True


def test_a_database_is_copied_served_from_the_copy_and_the_copy_is_the_same(shell: Shell) -> None:
    fill(shell)
    first = json.loads(shell.qanat("database", "copy", *between("data/qanat.db", "new/qanat.db"), "--json"))
    assert first["balanced"] is True
    assert first["appended"] == first["entries"] > 100
    again = json.loads(shell.qanat("database", "copy", *between("data/qanat.db", "new/qanat.db"), "--json"))
    assert (again["entries"], again["appended"]) == (first["entries"], 0)
    with serving(shell, "--data", "new"):
        shell.environment["QANAT_TOKEN"] = (shell.directory / "new" / "admin.token").read_text()
        assert json.loads(shell.qanat("audit", "--json"))["balanced"] is True
        shell.qanat("subscriber", "create", "alice")
        said = shell.qanat("database", "copy", *between("new/qanat.db", "third/qanat.db"), status=1)
        assert "a server holds" in said
    assert "something else" in shell.qanat("database", "copy", *between("data/qanat.db", "new/qanat.db"), status=1)


def test_a_database_is_copied_to_postgresql_and_back(shell: Shell, postgres: OwnPostgres) -> None:
    fill(shell)
    there = fresh_database(postgres)
    first = json.loads(shell.qanat("database", "copy", "--from", "sqlite:///data/qanat.db", "--to", there, "--json"))
    assert first["balanced"] is True
    with serving(shell, "--data", "pg", "--database", there, "--workers", "2") as server:
        shell.environment["QANAT_TOKEN"] = (shell.directory / "pg" / "admin.token").read_text()
        shell.qanat("subscriber", "create", "alice")
        shell.qanat("top-up", "--subscriber", "alice", "--octets", "1000")
        assert json.loads(shell.qanat("audit", "--json"))["balanced"] is True
        back = ["database", "copy", "--from", there, "--to", "sqlite:///back/qanat.db"]
        assert "a server holds postgresql://" in shell.qanat(*back, status=1)
        server.stop()
    moved = json.loads(shell.qanat(*back, "--json"))
    assert moved["accounts"] > first["accounts"]
    with serving(shell, "--data", "back"):
        shell.environment["QANAT_TOKEN"] = (shell.directory / "back" / "admin.token").read_text()
        assert json.loads(shell.qanat("balance", "--subscriber", "alice", "--json"))["available"] == 1000


@pytest.mark.parametrize("killed_at", ["records: ", "entries: "])
def test_a_copy_that_was_killed_is_gone_on_with(shell: Shell, killed_at: str) -> None:
    fill(shell)
    command = [sys.executable, "-c", _COPY_AND_TELL_ALL, *between("data/qanat.db", "new/qanat.db")[1::2]]
    for wait_for in range(1, 4):
        process = subprocess.Popen(
            command, cwd=shell.directory, env=shell.environment, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        seen = 0
        for line in process.stdout:
            seen += line.startswith(killed_at)
            if seen == wait_for:
                process.kill()
        process.wait()
    ended = json.loads(shell.qanat("database", "copy", *between("data/qanat.db", "new/qanat.db"), "--json"))
    assert ended["balanced"] is True
    assert ended["appended"] < ended["entries"]


_COPY_AND_TELL_ALL = """
import asyncio, sys
from qanat.store import copying, moving
asyncio.run(moving.move(*sys.argv[1:], tell=lambda what, done, total: print(f"{what}: {done}", flush=True)))
"""


@pytest.mark.parametrize(
    ("one", "two", "said"),
    [
        ("sqlite:///none.db", "sqlite:///x.db", "there is no database at none.db"),
        ("memory:", "sqlite:///x.db", "forgets everything"),
        ("sqlite:///x.db", "memory:", "forgets everything"),
        ("sqlite:///x.db", "sqlite:///x.db", "into itself"),
        ("oracle:x", "sqlite:///x.db", "oracle:x"),
    ],
)
def test_what_can_not_be_copied_is_named(shell: Shell, one: str, two: str, said: str) -> None:
    assert said in shell.qanat("database", "copy", "--from", one, "--to", two, status=1)


def between(one: str, two: str) -> list[str]:
    return ["--from", f"sqlite:///{one}", "--to", f"sqlite:///{two}"]
