from __future__ import annotations

import json

from tests.console.running import Serving, Shell


def test_a_device_enrols_with_a_code_and_is_bound_listed_and_revoked(shell: Shell, server: Serving) -> None:
    """The real agent's enrolment against the real server, both as commands."""
    shell.qanat("sim", "make", "--count", "2")
    shell.qanat("subscriber", "create", "alice")
    code = json.loads(shell.qanat("terminal", "code", "--operator", "home", "--json"))["code"]
    device = ("--state", "device", "--json")
    enrol = ("terminal", "enrol", "--server", server.url, "--code", code, "--interface", "lo", "--serial", "imei-1")
    enrolled = json.loads(shell.qanat(*enrol, *device))
    assert json.loads(shell.qanat(*enrol, *device))["terminal"] == enrolled["terminal"]
    shell.qanat("terminal", "bind", enrolled["binding_code"], "--subscriber", "alice")
    listed = json.loads(shell.qanat("terminal", "list", "--subscriber", "alice", "--json"))["terminals"]
    assert [one["serial"] for one in listed] == ["imei-1"]
    shell.qanat("terminal", "revoke", enrolled["terminal"])
    assert json.loads(shell.qanat("sim", "list", "--json"))["pools"][0]["free"] == 2
    refused = shell.qanat(*enrol[:-1], "imei-2", "--state", "other", status=1)
    assert "each is good once" in refused
