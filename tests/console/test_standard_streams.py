"""What a command does with streams that take nothing, or that were closed before it began."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
from tests.console.running import Shell
from tests.patience import PATIENCE_S

_FULL = "No space left on device"
_CLOSED = "Bad file descriptor"


def _with(shell: Shell, streams: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command with its streams as a shell makes them: ``>/dev/full``, ``<&-``."""
    return shell.run("sh", "-c", f'exec "$@" {streams}', "sh", sys.executable, "-m", "qanat", *words)


@pytest.mark.usefixtures("live")
def test_what_is_shown_once_and_found_no_room_is_told_with_the_cure(shell: Shell) -> None:
    shell.qanat("sign-up", "alice", "--password", "correct horse")
    whose = ("--subscriber", "alice")
    sign_in = ("sign-in", "alice", "--password", "correct horse")
    batch = ("--count", "1", "--octets", "1GB")
    stop = r"`qanat demand stop \1 --subscriber alice`, then open another\."
    code = r"It ends by itself at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC: issue another\."
    token = code.replace("issue another", "sign in again")
    for streams, words, why, what, cure in (
        (">/dev/full", ("demand", "open", "--octets", "1GB", *whose), _FULL, r"The passcode of order (\S+)", stop),
        (">/dev/full", ("terminal", "code", *whose), _FULL, "The code", code),
        (">/dev/full", ("station", "code", *whose, "--json"), _FULL, "The code", code),
        (">&-", ("station", "code", *whose), _CLOSED, "The code", code),
        (">/dev/full", sign_in, _FULL, "The token", token),
        ("", (*sign_in, "--save", "/dev/full"), _FULL, "The token", token),
        (">/dev/full", ("voucher", "create", "b1", *batch), _FULL, "The codes of batch b1", _withdraw("b1")),
        (">/dev/full", ("voucher", "create", "b2", *batch, "--json"), _FULL, "The codes of batch b2", _withdraw("b2")),
        (
            "",
            ("voucher", "create", "b3", *batch, "--csv", "/dev/full"),
            _FULL,
            "The codes of batch b3",
            _withdraw("b3"),
        ),
    ):
        ended = _with(shell, streams, *words)
        said = f"Error: {json.loads(ended.stderr)['detail']}\n" if "--json" in words else ended.stderr
        told = re.fullmatch(f"Error: {what}, shown only once, can't be written: {why}. {cure}\n", said)
        assert told, ended.stderr
        assert ended.returncode == 1


def _withdraw(batch: str) -> str:
    return f"`qanat voucher withdraw {batch}`, then make another batch."


@pytest.mark.usefixtures("live")
def test_closed_streams_are_neither_read_nor_printed_on_nor_anybody_elses(shell: Shell) -> None:
    ended = _with(shell, ">&-", "subscriber", "create", "alice")
    assert (ended.returncode, ended.stderr) == (1, f"Error: What is printed can't be written: {_CLOSED}.\n")
    ended = _with(shell, "2>&-", "balance", "--subscriber", "nobody")
    assert (ended.returncode, ended.stdout) == (1, "")
    ended = _with(shell, "<&- 2>&-", "balance", "--subscriber", "alice", "--json")
    assert (ended.returncode, json.loads(ended.stdout)["subscriber"]) == (0, "alice")


@pytest.mark.usefixtures("live")
def test_without_a_terminal_a_password_is_a_line_of_what_is_piped_in(shell: Shell) -> None:
    for words, typed, status, said in (
        (("sign-up", "alice"), "correct horse\n", 0, ""),
        (("sign-in", "alice", "--save", "token"), "correct horse", 0, ""),
        (("password", "--token-file", "token"), "battery staple\ncorrect horse\n", 0, ""),
        (("sign-up", "bob"), "short\n", 2, "8 to 256 characters, not 5"),
        (("sign-in", "alice"), "", 2, "There is no terminal to ask at: give --password, or pipe it in."),
    ):
        ended = subprocess.run(
            ["setsid", sys.executable, "-m", "qanat", *words],
            cwd=shell.directory,
            env=shell.environment,
            input=typed,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert ended.returncode == status, ended.stderr
        assert said in ended.stderr
        assert said or not ended.stderr
