from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.console.running import Serving, Shell
from tests.console.terminal import on_a_terminal


def _json(shell: Shell, *arguments: str) -> Any:
    return json.loads(shell.qanat(*arguments, "--json"))


def _problem(shell: Shell, *arguments: str, status: int) -> Any:
    return json.loads(shell.qanat(*arguments, "--json", status=status))


@pytest.mark.usefixtures("live")
def test_a_plan_is_made_bought_and_seen_in_the_balance(shell: Shell) -> None:
    shell.qanat("plan", "create", "day", "--octets", "1.5GB", "--valid-days", "1", "--price", "9.90")
    shell.qanat("subscriber", "create", "alice", "--imsi", "001010000000001")
    refused = shell.qanat("buy", "--subscriber", "alice", "--plan", "day", status=1)
    assert "The wallet holds 0.00 EUR, 9.90 EUR are needed." in refused
    assert "qanat pay-in" in refused
    shell.qanat("pay-in", "--subscriber", "alice", "--amount", "10")
    shell.qanat("buy", "--subscriber", "alice", "--plan", "day")
    shell.qanat("top-up", "--subscriber", "alice", "--octets", "1GiB")
    balance = _json(shell, "balance", "--subscriber", "alice")
    assert {"subscriber", "available", "reserved", "used", "debt", "buckets"} <= balance.keys()
    assert (balance["available"], balance["used"], len(balance["buckets"])) == (1_500_000_000 + 2**30, 0, 2)
    assert balance["wallets"] == [{"currency": "EUR", "balance": 10}]
    assert "2.57 GB (2,573,741,824)" in shell.qanat("balance", "--subscriber", "alice")
    assert "wallet_too_small" in shell.qanat("refusals")
    assert _json(shell, "audit") == {"balanced": True, "accounts": 6, "entries": 9, "archived": 0, "problems": []} | {
        key: value for key, value in _json(shell, "audit").items() if key in {"accounts", "entries"}
    }


@pytest.mark.usefixtures("live")
def test_a_currency_has_its_own_decimals_wherever_the_option_stands(shell: Shell) -> None:
    size = ("--octets", "1GB", "--valid-days", "1")
    assert "at 0.750 KWD" in shell.qanat("plan", "create", "gulf", *size, "--price", "0.75", "--currency", "KWD")
    assert "at 990 JPY" in shell.qanat("plan", "create", "japan", *size, "--currency", "jpy", "--price", "990")
    shell.qanat("subscriber", "create", "alice")
    pay_in = ("pay-in", "--subscriber", "alice", "--currency", "JPY", "--amount")
    assert "500 JPY paid in; the wallet holds 500 JPY." in shell.qanat(*pay_in, "500")
    refused = shell.qanat("buy", "--subscriber", "alice", "--plan", "japan", status=1)
    assert "The wallet holds 500 JPY, 990 JPY are needed." in refused
    shell.qanat(*pay_in, "490")
    assert _json(shell, "balance", "--subscriber", "alice")["wallets"] == [{"currency": "JPY", "balance": 990}]
    shell.qanat("buy", "--subscriber", "alice", "--plan", "japan")


@pytest.mark.usefixtures("live")
def test_who_asked_for_json_is_told_as_json_why_there_is_none(shell: Shell) -> None:
    unknown = _problem(shell, "balance", "--subscriber", "nobody", status=1)
    told = (unknown["title"], unknown["status"], unknown["reason"])
    assert told == ("Not Found", 404, "unknown_subscriber"), "the body that the interface answers (RFC 9457)"
    assert "nobody" in unknown["detail"]
    assert unknown["cure"]
    assert _problem(shell, "changes", "--after", "nonsense", status=2)["reason"] == "bad_input"
    assert _problem(shell, "sessions", "--mine", "--limit", "5", status=2) == {
        "detail": "the list of one subscriber always comes whole: leave --limit out."
    }
    shell.environment["QANAT_URL"] = "nowhere"
    away = _problem(shell, "audit", status=1)
    assert away["detail"].startswith("No server answers at nowhere")
    assert "qanat serve" in away["cure"]


@pytest.mark.usefixtures("live")
def test_a_plan_of_time_is_sold_and_stands_beside_octets_in_the_balance(shell: Shell) -> None:
    terms = ("--valid-days", "30", "--price", "0")
    assert "3,600 s" in shell.qanat("plan", "create", "talk", "--seconds", "3600", *terms)
    assert "one of --octets, --seconds and --units" in shell.qanat(
        "plan", "create", "odd", "--seconds", "5", "--octets", "5", *terms, status=2
    )
    shell.qanat("subscriber", "create", "alice")
    assert "Bought talk: 3,600 s" in shell.qanat("buy", "--subscriber", "alice", "--plan", "talk")
    shown = _json(shell, "balance", "--subscriber", "alice")
    assert (shown["available"], [(one["unit"], one["available"]) for one in shown["buckets"]]) == (
        0,
        [("seconds", 3_600)],
    )
    assert _json(shell, "plan", "list")["plans"][0]["unit"] == "seconds"


@pytest.mark.usefixtures("live")
def test_staff_is_hired_listed_dismissed_and_hired_again(shell: Shell) -> None:
    hire = ("operator", "staff", "home", "nora", "--password", "correct horse")
    shell.qanat(*hire)
    assert "home no more" in shell.qanat("operator", "dismiss", "home", "nora")
    (nora,) = _json(shell, "operator", "list", "--staff", "home")["staff"]
    assert nora["dismissed_at"]
    assert shell.qanat("operator", "list", "--staff", "home").splitlines()[0].split("  ")[0] == "name"
    assert "wrong_sign_in" in shell.qanat("sign-in", "nora", "--password", "correct horse", status=1)
    shell.qanat(*hire)
    assert "Signed in" in shell.qanat("sign-in", "nora", "--password", "correct horse")


@pytest.mark.usefixtures("live")
def test_what_staff_makes_is_its_operators_without_a_word(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "sims.csv").write_text("iccid,imsi\n8900100000000000010,001010000000001\n")
    shell.qanat("operator", "create", "north")
    shell.qanat("operator", "staff", "north", "nora", "--password", "correct horse")
    shell.qanat("sign-in", "nora", "--password", "correct horse", "--save", "nora.token")
    for words in (
        ("plan", "create", "day", "--octets", "1GB", "--valid-days", "1", "--price", "0"),
        ("subscriber", "create", "zoe"),
        ("sim", "import", "sims.csv"),
        ("sim", "make", "--count", "1", "--first", "2"),
        ("voucher", "create", "spring", "--count", "1", "--amount", "1"),
    ):
        assert _json(shell, *words, "--token-file", "nora.token")["operator"] == "north", words
    assert _json(shell, "subscriber", "create", "yan")["operator"] == "home", "the administrator's"
    assert _json(shell, "subscriber", "create", "xi", "--operator", "north")["operator"] == "north"


@pytest.mark.usefixtures("live")
def test_a_table_in_a_pipe_keeps_every_row_on_one_line(shell: Shell) -> None:
    del shell.environment["COLUMNS"]
    shell.qanat("sim", "make", "--count", "1")
    assert "8900100000000000010  001010000000001  home" in shell.qanat("sim", "list")


@pytest.mark.usefixtures("live")
def test_every_list_prints_json_and_something_for_people(shell: Shell) -> None:
    shell.qanat("operator", "create", "far")
    shell.qanat("sim", "make", "--count", "30")
    for words, key in (
        (("operator", "list"), "operators"),
        (("plan", "list"), "plans"),
        (("subscriber", "list"), "subscribers"),
        (("sim", "list"), "sims"),
        (("terminal", "list"), "terminals"),
        (("sessions",), "sessions"),
        (("refusals",), "refusals"),
    ):
        assert isinstance(_json(shell, *words)[key], list)
        assert shell.qanat(*words).strip(), words


@pytest.mark.usefixtures("live")
def test_a_subscriber_signs_up_and_in_and_gets_a_code_for_its_terminal(shell: Shell) -> None:
    shell.qanat("sign-up", "alice", "--password", "correct horse")
    shell.qanat("sign-in", "alice", "--password", "correct horse", "--save", "alice.token")
    assert (shell.directory / "alice.token").stat().st_mode & 0o777 == 0o600
    code = _json(shell, "terminal", "code", "--token-file", "alice.token")
    assert code["subscriber"] == "alice"
    assert len(code["code"]) == 14
    assert _json(shell, "balance", "--token-file", "alice.token")["subscriber"] == "alice"
    assert "not_allowed" in shell.qanat("audit", "--token-file", "alice.token", status=1)


@pytest.mark.usefixtures("live")
def test_a_subscriber_lists_what_is_its_own(shell: Shell) -> None:
    shell.qanat("sign-up", "alice", "--password", "correct horse")
    shell.qanat("sign-in", "alice", "--password", "correct horse", "--save", "alice.token")
    hers = ("--mine", "--token-file", "alice.token")
    assert "No terminal yet" in shell.qanat("terminal", "list", *hers)
    assert "No session." in shell.qanat("sessions", *hers)
    assert "Nothing was refused." in shell.qanat("refusals", *hers)
    shell.qanat("buy", "--plan", "none", "--token-file", "alice.token", status=1)
    told = shell.qanat("refusals", *hers)
    assert "There is no plan none on sale." in told
    assert "qanat plan list" in told, "with its cure"
    assert told == shell.qanat("refusals", "--reason", "unknown_plan")
    assert _json(shell, "refusals", "--subscriber", "alice")["refusals"][0]["reason"] == "unknown_plan"
    shell.qanat("balance", "--subscriber", "bob", "--token-file", "alice.token", status=1)
    assert "More was refused" in shell.qanat("refusals", "--limit", "1")
    assert "More was refused" not in shell.qanat("refusals")
    for words in (
        ("refusals", "--mine", "--limit", "3"),
        ("refusals", "--mine", "--by-reason"),
        ("sessions", "--mine", "--watch"),
    ):
        assert "leave" in shell.qanat(*words, status=2)


@pytest.mark.usefixtures("live")
def test_a_token_stays_where_it_was_saved_until_there_is_another(shell: Shell) -> None:
    shell.qanat("sign-up", "alice", "--password", "correct horse")
    saved = shell.directory / "alice.token"
    saved.touch(mode=0o644)
    saved.write_text("the one before")
    shell.qanat("sign-in", "alice", "--password", "no such horse", "--save", saved.name, status=1)
    assert saved.read_text() == "the one before"
    shell.qanat("sign-in", "alice", "--password", "correct horse", "--save", saved.name)
    assert saved.stat().st_mode & 0o777 == 0o600
    assert _json(shell, "balance", "--token-file", saved.name)["subscriber"] == "alice"
    said = shell.qanat("sign-in", "alice", "--password", "correct horse", "--save", "no/such/place", status=1)
    assert "no/such/place can't be written: No such file or directory" in said


@pytest.mark.usefixtures("live")
def test_a_list_that_is_cut_says_so_and_goes_on(shell: Shell) -> None:
    for number in (1, 2, 3):
        shell.qanat("voucher", "create", f"batch-{number}", "--count", "2", "--amount", "1")
        shell.qanat("subscriber", "create", f"sub-{number}")
    shell.qanat("sim", "make", "--count", "3")
    for words, key in (
        (("subscriber", "list"), "subscribers"),
        (("sim", "list"), "sims"),
        (("voucher", "list"), "batches"),
        (("voucher", "list", "batch-1"), "vouchers"),
        (("changes",), "changes"),
    ):
        everything = _json(shell, *words)[key]
        begun = shell.qanat(*words, "--limit", "1")
        where = re.search(r"There is more: the same again with --after (.+)\.$", begun, re.MULTILINE)
        assert where, begun
        assert _json(shell, *words, "--after", *shlex.split(where[1]))[key] == everything[1:]
        assert "There is more" not in shell.qanat(*words)


@pytest.mark.usefixtures("live")
def test_what_would_be_passed_over_or_fit_nothing_is_a_usage_error(shell: Shell) -> None:
    for words, said in (
        (("refusals", "--reason", "unknown_sesion"), "'unknown_sesion' is no reason; the nearest are unknown_session,"),
        (("refusals", "--reason", "nosuch"), "'nosuch' is no reason; the nearest are"),
        (("changes", "--after", "nonsense"), "'nonsense' is no place in the log"),
        (("sessions", "--subscriber", "alice", "--limit", "5"), "leave --limit out"),
        (("terminal", "list", "--subscriber", "alice", "--after", "x"), "leave --after out"),
        (("station", "list", "--mine", "--after", "x"), "leave --after out"),
        (("trades", "--mine", "--limit", "5"), "leave --limit out"),
        (("disputes", "--mine", "--after", "x"), "leave --after out"),
    ):
        assert said in shell.qanat(*words, status=2), words


def test_what_the_machine_does_to_a_command_is_said_in_a_sentence(shell: Shell) -> None:
    (shell.directory / "taken").touch()
    said = shell.qanat("bench", "http", "--data", "taken/data", status=1)
    assert said == "Error: taken/data can't be used: Not a directory. Make it accessible, or name another.\n"
    assert "'nonsense' is no database address" in shell.qanat("bench", "ledger", "--database", "nonsense", status=1)


def test_what_is_no_token_is_refused_without_being_shown(shell: Shell) -> None:
    for token in ("töken", "two words", "two\nlines"):
        shell.environment["QANAT_TOKEN"] = token
        assert shell.qanat("audit", status=1) == (
            "Error: QANAT_TOKEN holds no token: one line without spaces, as in DIR/admin.token.\n"
        )


def test_output_that_finds_no_room_is_a_failure_in_one_sentence(shell: Shell) -> None:
    for words in (("--help",), ("check-config",)):
        with Path("/dev/full").open("w") as full:
            command = [sys.executable, "-m", "qanat", *words]
            ended = subprocess.run(
                command, env=shell.environment, stdout=full, stderr=subprocess.PIPE, text=True, check=False
            )
        assert (ended.returncode, ended.stderr) == (
            1,
            "Error: What is printed can't be written: No space left on device.\n",
        )


def test_the_help_cuts_no_sentence_short(shell: Shell) -> None:
    for group in ((), ("terminal",), ("sim",), ("bench",)):
        assert "..." not in shell.qanat(*group, "--help").partition("\n")[2]


def test_whoever_misspells_a_command_is_told_what_may_have_been_meant(shell: Shell) -> None:
    assert "Did you mean 'subscriber'?" in shell.qanat("subscirber", status=2)
    assert "Did you mean 'status'?" in shell.qanat("terminal", "stats", status=2)


def test_what_a_library_says_stands_in_our_sentence_without_a_full_stop_of_its_own(shell: Shell) -> None:
    shell.environment["QANAT_URL"] = "nowhere"
    assert "protocol)." in shell.qanat("balance", status=1)
    cure = "`qanat sign-in NAME --save none.token` writes one"
    assert f"none.token can't be read: No such file or directory. {cure}" in shell.qanat(
        "balance", "--token-file", "none.token", status=1
    )


@pytest.mark.usefixtures("live")
def test_csv_of_cloud_sims_is_imported_twice_without_harm(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "sims.csv").write_text("iccid,imsi\n8900100000000000010,001010000000001\n")
    assert "1 added" in shell.qanat("sim", "import", "sims.csv")
    assert "1 were in it already" in shell.qanat("sim", "import", "sims.csv")
    (tmp_path / "bad.csv").write_text("iccid,imsi\n8900100000000000011,001010000000001\n")
    assert "csv line 2" in shell.qanat("sim", "import", "bad.csv", status=2)


def test_what_can_not_be_meant_is_a_usage_error_with_its_cure(shell: Shell) -> None:
    for words, cure in (
        (("top-up", "--subscriber", "a", "--octets", "1XB"), "500MB"),
        (("top-up", "--subscriber", "a", "--octets", "-1"), "no size"),
        (("pay-in", "--subscriber", "a", "--amount", "1.234"), "9.90"),
        (("balance", "--subscriber", "a/b"), "no name"),
        (("plan", "create", "x", "--valid-days", "1", "--price", "0"), "--octets"),
        (("plan", "create", "x", "--octets", "0", "--valid-days", "1", "--price", "0"), "at least one octet"),
        (("plan", "create", "a b", "--octets", "1", "--valid-days", "1", "--price", "0"), "no name"),
        (("subscriber", "create", "../x"), "no name"),
        (("subscriber", "create", "王小明"), "letters (a to z)"),
        (("search", " "), "the beginning of a name"),
        (("peer", "accept", "gw.test", "--profile", "open6gs"), "'open5gs'"),
        (("operator", "create", ""), "no name"),
        (("pay-in", "--subscriber", "a", "--amount", "0"), "'0' is nothing: at least 0.01"),
        (("pay-in", "--subscriber", "a", "--amount", "1", "--currency", "euro"), "'euro' is no currency"),
        (("pay-in", "--subscriber", "a", "--amount", "9.90", "--currency", "jpy"), "'9.90' is no amount of JPY"),
        (("pay-in", "--subscriber", "a", "--amount", "0", "--currency", "KWD"), "'0' is nothing: at least 0.001"),
        (("terminal", "join", "--station", "http://x", "--most-per-gb", "9.90", "--currency", "KRW"), "as in 990"),
        (("sign-up", "a", "--password", "secret"), "8 to 256 characters, not 6"),
        (("bench", "gy", "--workers", "2"), "--postgres"),
        (("bench", "gy", "--kill-worker"), "--workers 2"),
        (("bench", "gy", "--postgres", "--away", "5"), "it needs --kill-database"),
        (("bench", "gy", "--kill-database", "--database", "memory:"), "--database names a database of yours"),
        (("bench", "gy", "--kill-database", "--promote-standby"), "leave --kill-database out"),
        (("settle", "--period", "nov"), "2026-11"),
        (("settle", "--period", "2026-13"), "2026-11"),
        (("serve", "--http", "nonsense"), "http.listen"),
        (("serve", "--gy", "nonsense"), "gy.listen"),
        (("nonsense",), "nonsense"),
    ):
        assert cure in shell.qanat(*words, status=2), words


@pytest.mark.usefixtures("live")
def test_what_only_the_server_sees_to_be_wrong_is_a_usage_error_too(shell: Shell) -> None:
    assert "6 to 15 digits" in shell.qanat("subscriber", "create", "alice", "--imsi", "12", status=2)
    assert "unknown_operator" in shell.qanat("subscriber", "create", "alice", "--operator", "nobody", status=1)


@pytest.mark.usefixtures("live")
def test_an_identifier_is_never_folded_however_narrow_the_terminal(shell: Shell) -> None:
    for name in ("alice", "bob"):
        shell.qanat("subscriber", "create", name)
    order = _json(shell, "supply", "offer", "--octets", "1GB", "--to", "bob", "--subscriber", "alice")["order"]
    wide = on_a_terminal(shell, "supply", "list", "--subscriber", "alice", columns=120)
    assert wide[0].startswith("order")
    assert wide[1].startswith(order)
    narrow = on_a_terminal(shell, "supply", "list", "--subscriber", "alice", columns=40)
    assert [line.split()[-1] for line in narrow[:2]] == [order, "open"]
    assert len(narrow) == 8


@pytest.mark.usefixtures("live")
def test_operators_share_the_numbers_of_made_up_cloud_sims(shell: Shell) -> None:
    shell.qanat("operator", "create", "far")
    for operator, count, free in (("home", "30", 30), ("far", "2", 2), ("home", "1", 31)):
        assert f"{free} are free now" in shell.qanat("sim", "make", "--count", count, "--operator", operator)
    imsis = [one["imsi"] for one in _json(shell, "sim", "list", "--limit", "100")["sims"]]
    assert sorted(imsis) == [f"00101{number:010}" for number in range(1, 34)]


def test_without_a_server_the_command_says_how_to_start_one(shell: Shell) -> None:
    said = shell.qanat("balance", "--subscriber", "a", "--url", "http://127.0.0.1:9", status=1)
    assert "qanat serve" in said
    assert "--url" in said


@pytest.mark.usefixtures("live")
def test_without_a_token_the_command_says_where_one_is(shell: Shell, tmp_path: Path) -> None:
    os.rename(tmp_path / "data" / "admin.token", tmp_path / "kept")
    assert "QANAT_TOKEN" in shell.qanat("sessions", status=1)
    shell.qanat("sessions", "--token-file", "kept")
    shell.environment["QANAT_TOKEN"] = (tmp_path / "kept").read_text()
    shell.qanat("sessions")
    assert "admin.token" in shell.qanat("sessions", "--token-file", "missing", status=1)


def test_help_tells_a_newcomer_what_to_type_first(shell: Shell) -> None:
    said = shell.qanat("--help")
    assert "qanat serve --data data" in said
    assert "Look into it:" in said


def test_why_of_a_session_that_nobody_knows(shell: Shell, server: Serving) -> None:
    assert "qanat sessions" in shell.qanat("why", "no-such-session", status=1)
    assert server.process.poll() is None


def test_what_a_command_in_the_lab_is_asked_is_not_asked_of_the_lab(shell: Shell) -> None:
    """Here no lab stands; the question for help must still not be taken for one to ``lab exec``."""
    shell.environment["XDG_STATE_HOME"] = str(shell.directory)
    assert "No lab stands" in shell.qanat("lab", "exec", "server", "qanat", "balance", "--help", status=1)
    assert "Run a command in a host" in shell.qanat("lab", "exec", "--help")
