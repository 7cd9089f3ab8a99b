from __future__ import annotations

import json
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPResponse
from pathlib import Path

import httpx2
import pytest
from tests.console.running import Serving, Shell, serving
from tests.console.terminal import at_terminal
from tests.patience import PATIENCE_S
from tests.store.logs import auditors, held


def test_one_line_says_where_it_listens_and_sigterm_loses_nothing(shell: Shell) -> None:
    with serving(shell, "--data", "d") as server:
        shell.environment["QANAT_TOKEN"] = (shell.directory / "d" / "admin.token").read_text()
        shell.qanat("subscriber", "create", "alice")
        shell.qanat("top-up", "--subscriber", "alice", "--octets", "1000")
        status, out, err = server.stop()
        assert (status, out) == (0, "")
        assert "stopped" in err
    with serving(shell, "--data", "d") as server:
        assert json.loads(shell.qanat("balance", "--subscriber", "alice", "--json"))["available"] == 1000
        _, _, err = server.stop()
    assert "First start" not in err
    assert "is still in d/admin.password" in err
    assert (shell.directory / "d/admin.password").read_text().strip() not in err


def test_a_clock_that_is_behind_the_books_at_the_start_is_told_with_the_cure(shell: Shell) -> None:
    """The entries are put ahead by an hour and a day, as if the clock had been set back by so much meanwhile."""
    with serving(shell, "--data", "d") as server:
        assert "behind the books" not in server.stop()[2]
    with serving(shell, "--data", "d") as server:
        assert "behind the books" not in server.stop()[2]
    with closing(sqlite3.connect(shell.directory / "d" / "qanat.db", isolation_level=None)) as books:
        books.execute("UPDATE entry SET at = at + 90000000")
    with serving(shell, "--data", "d") as server:
        said = server.stop()[2]
    assert "the clock is behind the books" in said
    assert "timedatectl" in said


def test_what_was_acknowledged_survives_kill_9(shell: Shell) -> None:
    with serving(shell, "--data", "data") as server:
        shell.qanat("subscriber", "create", "alice")
        shell.qanat("top-up", "--subscriber", "alice", "--octets", "1000")
        server.stop(signal.SIGKILL)
    with serving(shell, "--data", "data"):
        assert json.loads(shell.qanat("balance", "--subscriber", "alice", "--json"))["available"] == 1000
        assert json.loads(shell.qanat("audit", "--json"))["balanced"] is True


def test_a_request_under_way_is_finished_before_the_server_stops(shell: Shell) -> None:
    body = b'{"name": "alice"}'
    with serving(shell) as server, under_way(shell, server, _MADE, body[:5], of=len(body)) as peer:
        server.process.send_signal(signal.SIGTERM)
        peer.sendall(body[5:])
        answer = peer.recv(4096)
        assert answer.startswith(b"HTTP/1.1 201"), answer
        assert server.process.wait(PATIENCE_S) == 0


def test_a_request_that_a_stop_waits_for_in_vain_is_told_so_and_how_to_repeat_it(shell: Shell) -> None:
    shell.environment["QANAT_HTTP_STOP_TIMEOUT_S"] = "1"
    with serving(shell) as server, under_way(shell, server, _MADE, b"{", of=17) as peer:
        status, _, err = server.stop()
        answer = HTTPResponse(peer)
        answer.begin()
        problem = json.loads(answer.read())
    assert (answer.status, problem["status"], problem["reason"]) == (503, 503, "stopping")
    assert answer.headers["content-type"] == "application/problem+json"
    assert "with the same Idempotency-Key it takes effect once" in problem["cure"]
    assert (answer.headers["retry-after"], answer.headers["connection"]) == ("1", "close")
    assert (status, "Traceback" in err) == (0, False)


def test_a_stop_ends_an_audit_at_once_and_tells_whoever_asked_for_it(shell: Shell) -> None:
    """The process that audits is held, as if there were no end of entries."""
    shell.environment["QANAT_HTTP_STOP_TIMEOUT_S"] = str(2 * PATIENCE_S)
    with serving(shell) as server, under_way(shell, server, _AUDIT, of=1) as peer:
        peer.sendall(b" ")
        while not (audits := auditors(server.process.pid)):
            pass
        with held(audits[0]):
            assert server.stop()[0] == 0
        assert peer.recv(4096).startswith(b"HTTP/1.1 503 ")
    while Path(f"/proc/{audits[0]}").exists():
        pass


def test_no_audit_begins_while_the_server_stops(shell: Shell) -> None:
    with serving(shell) as server, under_way(shell, server, _AUDIT, of=1) as peer:
        server.process.send_signal(signal.SIGTERM)
        with suppress(httpx2.TransportError):
            while True:  # until nobody is let in
                httpx2.get(server.url + "/livez", trust_env=False)
        peer.sendall(b" ")
        assert peer.recv(4096).startswith(b"HTTP/1.1 503 ")


_MADE = "POST /v1/subscribers"
_AUDIT = "GET /v1/audit"


@contextmanager
def under_way(shell: Shell, server: Serving, asked: str, begun: bytes = b"", *, of: int) -> Iterator[socket.socket]:
    """A connection with a request that the server has but for the end of its body, which is of so many octets."""
    token = (shell.directory / "data" / "admin.token").read_text().strip()
    host, _, port = server.url.removeprefix("http://").partition(":")
    lines = (
        f"{asked} HTTP/1.1",
        "Host: q",
        f"Authorization: Bearer {token}",
        "Idempotency-Key: k1",
        "Content-Type: application/json",
        f"Content-Length: {of}",
    )
    head = "\r\n".join(lines) + "\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as peer:
        peer.sendall(head.encode() + begun)
        while "requests_in_flight 2.0" not in httpx2.get(server.url + "/metrics", trust_env=False).text:
            pass
        yield peer


def test_the_token_file_is_readable_by_its_owner_only(shell: Shell) -> None:
    with serving(shell) as server:
        assert (shell.directory / "data" / "admin.token").stat().st_mode & 0o777 == 0o600
        said = server.stop()[2]
    token = (shell.directory / "data" / "admin.token").read_text().strip()
    assert token not in said
    assert token.encode() not in (shell.directory / "data" / "qanat.db").read_bytes()


def test_the_first_password_is_said_at_a_terminal_and_kept_out_of_a_journal(shell: Shell) -> None:
    kept = shell.directory / "data" / "admin.password"
    with serving(shell) as server:
        password = kept.read_text().strip()
        assert kept.stat().st_mode & 0o777 == 0o600
        body = {"name": "admin", "password": password}
        assert (
            httpx2.post(f"{server.url}/v1/sign-in", json=body, trust_env=False, timeout=PATIENCE_S).status_code == 201
        )
        said = server.stop()[2]
    assert password not in said
    assert said.count("admin.password") == 1
    with at_terminal(shell, "serve", "--http", "127.0.0.1:0") as terminal:
        assert "has the password" not in terminal.until("ready")


def test_a_first_start_that_fails_at_a_terminal_says_no_password_and_the_next_does(shell: Shell) -> None:
    kept = shell.directory / "data" / "admin.password"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with at_terminal(shell, "serve", "--http", address) as terminal:
            assert "has the password" not in terminal.until("Choose another address")
    with at_terminal(shell, "serve", "--http", "127.0.0.1:0") as terminal:
        assert "has the password" in terminal.until("ready http=")
        assert not kept.exists()


def test_a_log_that_finds_no_room_is_lost_and_serving_goes_on(shell: Shell) -> None:
    """From the first start on, until it is asked to stop."""
    with Path("/dev/full").open("w") as full:
        server = subprocess.Popen(
            [sys.executable, "-m", "qanat.console.main", "serve", "--http", "127.0.0.1:0"],
            cwd=shell.directory,
            env=shell.environment,
            stdout=subprocess.PIPE,
            stderr=full,
            text=True,
        )
    assert server.stdout is not None
    shell.environment["QANAT_URL"] = "http://" + server.stdout.readline().strip().partition("http=")[2]
    shell.qanat("subscriber", "create", "alice")
    assert "alice" in shell.qanat("subscriber", "list")
    server.terminate()
    server.communicate(timeout=PATIENCE_S)
    assert (shell.directory / "data" / "admin.password").exists()
    assert not (shell.directory / "data" / "qanat.db-wal").exists(), "it stopped in order"


def test_it_does_not_start_without_its_assertions(shell: Shell) -> None:
    assert "python -O" in shell.qanat("serve", status=1, python=("-O",))


def test_an_address_that_is_taken_is_named_with_the_cure(shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        said = shell.qanat("serve", "--http", address, status=1)
    assert address in said
    assert "--http" in said


def test_a_file_that_another_server_serves_is_left_to_it_until_that_is_gone_however_it_went(shell: Shell) -> None:
    with serving(shell) as server:
        said = shell.qanat("serve", "--http", "127.0.0.1:0", status=1)
        assert "data/qanat.db: stop it first" in said
        shell.qanat("subscriber", "create", "alice")
        server.process.kill()
        server.process.wait()
        with serving(shell) as successor:
            shell.qanat("subscriber", "create", "bob")
            assert successor.stop()[0] == 0


def test_who_writes_to_the_file_is_waited_for_with_a_word_and_not_for_ever(shell: Shell) -> None:
    with serving(shell) as server:
        server.stop()
    with closing(sqlite3.connect(shell.directory / "data" / "qanat.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        said = shell.qanat("serve", "--http", "127.0.0.1:0", status=1)
    word, _, end = said.partition("waiting for another program that writes to the database")
    assert "Error" not in word
    assert "Another program holds the file; close it." in end


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("--config", "none.toml"), 1, "none.toml can't be read"),
        (("--http", "nowhere"), 2, "http.listen"),
        (("--http", "127.0.0.1:99999"), 2, "'127.0.0.1:99999' is no HOST:PORT"),
        (("--gy", "127.0.0.1:99999"), 2, "'127.0.0.1:99999' is no HOST:PORT"),
        (("--database", "oracle:x"), 1, "store.database from the command line: 'oracle:x' is no database address"),
        (("--data", "/proc/none"), 1, "data from the command line: /proc/none"),
        (("--database", "sqlite:////proc/none/q.db"), 1, "/proc/none/q.db"),
    ],
)
def test_what_it_can_not_start_with_is_named(shell: Shell, arguments: tuple[str, ...], status: int, said: str) -> None:
    assert said in shell.qanat("serve", *arguments, status=status)


def test_a_database_that_can_only_be_read_is_told_at_the_start(shell: Shell) -> None:
    """The file, or its whole folder, is mounted read-only where the server alone sees it."""
    with serving(shell) as server:
        assert server.stop()[0] == 0
    serve = f"{sys.executable} -m qanat serve --http 127.0.0.1:0"
    for kept in ("data/qanat.db", "data"):
        remounted = f"mount --bind {kept} {kept}; mount -o remount,bind,ro {kept}; exec {serve}"
        ended = shell.run("unshare", "--mount", "sh", "-ec", remounted)
        assert (ended.returncode, ended.stdout) == (1, "")
        assert "qanat.db: " in ended.stderr
        assert "Look at the disk" in ended.stderr


def test_check_config_names_the_path_and_the_cure(shell: Shell, tmp_path: Path) -> None:
    example = shell.qanat("check-config", "--example")
    (tmp_path / "good.toml").write_text(example)
    assert "good" in shell.qanat("check-config", "good.toml")
    (tmp_path / "bad.toml").write_text("[agents]\nreport_interval_s = 0\n")
    said = shell.qanat("check-config", "bad.toml", status=1)
    assert "agents.report_interval_s" in said
    assert "How often terminals report usage" in said
    (tmp_path / "far.toml").write_text('[gy]\nlisten = "127.0.0.1:99999"\n')
    assert "'127.0.0.1:99999' is no HOST:PORT" in shell.qanat("check-config", "far.toml", status=1)


def test_settings_are_checked_with_the_options_they_would_be_served_with(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "good.toml").write_text('[http]\nlisten = "127.0.0.1:1"\n')
    assert shell.qanat("check-config", "--config", "good.toml") == "good.toml: good\n"
    in_force = json.loads(shell.qanat("check-config", "--config", "good.toml", "--gy", "127.0.0.1:3868", "--json"))
    assert (in_force["http"]["listen"], in_force["gy"]["listen"]) == ("127.0.0.1:1", "127.0.0.1:3868")
    assert "can't share a SQLite file" in shell.qanat("check-config", "--workers", "2", status=2)
    assert "leave FILE or --config out" in shell.qanat("check-config", "good.toml", "--config", "good.toml", status=2)
