from __future__ import annotations

import csv
import json

from tests.console.running import Serving, Shell


def test_an_operator_makes_vouchers_into_a_private_file_and_a_code_is_redeemed(shell: Shell, server: Serving) -> None:
    shell.qanat("subscriber", "create", "alice")
    said = shell.qanat("voucher", "create", "may", "--count", "2", "--octets", "1GB", "--csv", "may.csv")
    assert "2 vouchers of 1.00 GB (1,000,000,000) were made" in said
    file = shell.directory / "may.csv"
    assert file.stat().st_mode & 0o777 == 0o600
    first, second = csv.DictReader(file.read_text().splitlines())
    assert (first["batch"], first["number"], second["octets"]) == ("may", "1", "1000000000")
    assert "Redeemed: 1.00 GB" in shell.qanat("voucher", "redeem", first["code"], "--subscriber", "alice")
    assert "(voucher_used)" in shell.qanat("voucher", "redeem", first["code"], "--subscriber", "alice", status=1)
    assert "1 of 2" in shell.qanat("voucher", "list")
    assert "alice" in shell.qanat("voucher", "list", "may")
    assert "1 voucher of batch may can't" in shell.qanat("voucher", "withdraw", "may")
    assert "(voucher_expired)" in shell.qanat("voucher", "redeem", second["code"], "--subscriber", "alice", status=1)
    acts = [one["act"] for one in json.loads(shell.qanat("changes", "--json"))["changes"]]
    assert acts == ["vouchers withdrawn", "voucher redeemed", "vouchers made", "subscriber created"]
    assert first["code"] not in shell.qanat("changes")


def test_a_file_that_cannot_be_written_is_said_before_anything_is_made(shell: Shell, server: Serving) -> None:
    said = shell.qanat(
        "voucher", "create", "may", "--count", "1", "--octets", "1", "--csv", "no/such/dir.csv", status=1
    )
    assert "Nothing was made" in said
    assert "No batch of vouchers yet." in shell.qanat("voucher", "list")


def test_codes_that_are_written_nowhere_else_are_not_written_over(shell: Shell, server: Serving) -> None:
    words = ("voucher", "create", "may", "--count", "1", "--octets", "1GB", "--csv", "may.csv")
    shell.qanat(*words)
    codes = (shell.directory / "may.csv").read_text()
    assert "name another file" in shell.qanat(*words, status=1)
    assert (shell.directory / "may.csv").read_text() == codes
