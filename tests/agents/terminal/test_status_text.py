"""A terminal's status as a person reads it."""

from __future__ import annotations

from qanat.agents.terminal.status import Status
from qanat.agents.terminal.status_text import lines
from qanat.units import Instant
from qanat.wire.agent import CloudSim, PlanView

TOPPED_UP = PlanView(
    plan="", octets=30_000_000, available=28_400_000, priority=100, expires_at=Instant(1_700_000_000_000)
)


def status(*, subscriber: str | None, silent: str = "", plans: list[PlanView] | None = None) -> Status:
    return Status(
        terminal="trm-1",
        identity=None if silent else "T-7K2M9-QXDV4",
        server="http://10.0.0.1:8080",
        interface="wwan0",
        sim=CloudSim(iccid="8900100000000000010", imsi="001010000000001", account="gadget"),
        subscriber=subscriber,
        binding_code=None if subscriber else "2282-5AZB-SJM9",
        running=False,
        state="stopped",
        session=None,
        quotas=[],
        unreported=0,
        journal_rows=0,
        gate="none: nothing meters or stops wwan0",
        channel="",
        reported_at=None,
        refusal=None,
        available=None if silent else 28_400_000,
        plans=plans,
        server_silent=silent,
        witness=None,
    )


def shown(status: Status) -> dict[str, str]:
    said = (line.split(maxsplit=1) for line in lines(status, to_run="qanat terminal run"))
    return {words[0]: words[1] for words in said}


def test_octets_that_came_without_a_plan_are_named_as_the_balance_names_them() -> None:
    assert shown(status(subscriber="walter", plans=[TOPPED_UP]))["plan"].startswith("top-up: 28.4 MB left of 30.0 MB")


def test_the_identity_code_by_which_others_name_it_is_shown_as_the_server_says_it() -> None:
    assert shown(status(subscriber="walter"))["identity"] == "code T-7K2M9-QXDV4"
    assert "identity" not in shown(status(subscriber="walter", silent="no route"))


def test_a_binding_code_that_the_server_could_not_confirm_is_shown_as_what_it_is() -> None:
    assert shown(status(subscriber=None))["binding"] == "code  2282-5AZB-SJM9"
    away = shown(status(subscriber=None, silent="no route"))["binding"]
    assert away == "code  2282-5AZB-SJM9  (unless it was bound since: the server did not answer)"
