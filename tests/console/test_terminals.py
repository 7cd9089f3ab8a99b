from __future__ import annotations

import json

import pytest
from tests.agents.scripted import Said, scripted
from tests.console.running import Serving, Shell


def test_a_device_enrols_with_a_code_and_is_bound_listed_and_revoked(shell: Shell, server: Serving) -> None:
    """The real agent's enrolment against the real server, both as commands."""
    shell.qanat("sim", "make", "--count", "3")
    shell.qanat("subscriber", "create", "alice")
    code = json.loads(shell.qanat("terminal", "code", "--operator", "home", "--json"))["code"]
    second = json.loads(shell.qanat("terminal", "code", "--operator", "home", "--json"))["code"]
    device = ("--state", "device", "--json")
    enrol = ("terminal", "enrol", "--server", server.url, "--code", code, "--interface", "lo", "--serial", "imei-1")
    enrolled = json.loads(shell.qanat(*enrol, *device))
    assert json.loads(shell.qanat(*enrol, *device))["terminal"] == enrolled["terminal"]
    assert "qanat terminal run --state 'my device'" in shell.qanat(
        *enrol[:-1], "imei-9", "--code", second, "--state", "my device"
    )
    shell.qanat("terminal", "bind", enrolled["binding_code"], "--subscriber", "alice")
    listed = json.loads(shell.qanat("terminal", "list", "--subscriber", "alice", "--json"))["terminals"]
    assert [one["serial"] for one in listed] == ["imei-1"]
    shell.qanat("terminal", "revoke", enrolled["terminal"])
    assert json.loads(shell.qanat("sim", "list", "--json"))["pools"][0]["free"] == 2
    refused = shell.qanat(*enrol[:-1], "imei-2", "--state", "other", status=1)
    assert "each is good once" in refused


@pytest.mark.usefixtures("live")
def test_staff_that_asks_for_a_code_and_says_not_for_whom_is_told_both_options(shell: Shell) -> None:
    said = shell.qanat("terminal", "code", status=1)
    assert "`--subscriber NAME`" in said
    assert "`--operator NAME`" in said


def test_the_devices_own_status_shows_what_was_bound_and_bought_later_and_what_it_knows_offline(
    shell: Shell, server: Serving
) -> None:
    shell.qanat("sim", "make", "--count", "1")
    shell.qanat("subscriber", "create", "alice")
    shell.qanat("plan", "create", "day", "--octets", "1GB", "--valid-days", "1", "--price", "0")
    code = json.loads(shell.qanat("terminal", "code", "--operator", "home", "--json"))["code"]
    device = ("--state", "device", "--json")
    enrol = ("terminal", "enrol", "--server", server.url, "--code", code, "--interface", "lo")
    enrolled = json.loads(shell.qanat(*enrol, *device))
    unbound = json.loads(shell.qanat("terminal", "status", *device))
    assert (unbound["subscriber"], unbound["binding_code"]) == (None, enrolled["binding_code"])
    shell.qanat("terminal", "bind", enrolled["binding_code"], "--subscriber", "alice")
    shell.qanat("buy", "--subscriber", "alice", "--plan", "day")
    bound = json.loads(shell.qanat("terminal", "status", *device))
    assert (bound["subscriber"], bound["available"], bound["server_silent"]) == ("alice", 10**9, "")
    assert [plan["plan"] for plan in bound["plans"]] == ["day"]
    (found,) = json.loads(shell.qanat("search", bound["identity"], "--json"))["hits"]
    assert found["name"] == enrolled["terminal"]
    assert "day: 1.00 GB left of 1.00 GB, until" in shell.qanat("terminal", "status", "--state", "device")
    server.stop()
    offline = json.loads(shell.qanat("terminal", "status", *device))
    assert offline["available"] is None
    assert "refused" in offline["server_silent"]
    assert offline["sim"] == enrolled["sim"]


def test_what_is_no_server_or_no_interface_is_told_by_the_exit_status(shell: Shell) -> None:
    for server, interface, status in (("ftp://x", "lo", 2), ("http://127.0.0.1:9", "nope0", 1)):
        words = ("terminal", "enrol", "--server", server, "--code", "C", "--interface", interface, "--state", "s")
        assert "qanat terminal: " in shell.qanat(*words, status=status)


def test_who_enrols_at_a_server_that_is_not_there_is_told_what_to_do(shell: Shell, server: Serving) -> None:
    server.stop()
    code = ("--server", server.url, "--code", "AAAA-BBBB-CCCC", "--state", "device")
    for words in (("terminal", "enrol", "--interface", "lo"), ("station", "enrol", "--access", "lo", "--uplink", "lo")):
        said = shell.qanat(*words, *code, status=1)
        assert f"no server answers at {server.url}" in said
        assert "Connection refused" in said
        assert "Start the server, or correct --server." in said


def test_what_a_server_says_steers_no_terminal_of_a_device(shell: Shell) -> None:
    refused = b'{"detail": "\\u001b[2Jgone", "reason": "code_unknown"}'
    with scripted(Said(403, refused, {"content-type": "application/problem+json"})) as elsewhere:
        words = ("--server", elsewhere.url, "--code", "AAAA-BBBB-CCCC", "--interface", "lo", "--state", "device")
        assert r"\x1b[2Jgone" in shell.qanat("terminal", "enrol", *words, status=1)
