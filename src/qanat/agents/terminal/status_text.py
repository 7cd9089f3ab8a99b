"""A terminal's status in words, one line for each thing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from qanat.agents.terminal.status import Status
from qanat.agents.terminal.witness import Testimony
from qanat.units import Instant, format_size, number_of


def lines(status: Status, *, to_run: str) -> Iterator[str]:
    yield f"terminal      {status.terminal} at {status.server}"
    if status.identity is not None:
        yield f"identity code {status.identity}"
    yield f"cloud SIM     ICCID {status.sim.iccid}, IMSI {status.sim.imsi}, on {status.interface}"
    if status.subscriber is not None:
        yield f"subscriber    {status.subscriber}"
    elif status.binding_code is not None:
        unsure = "  (unless it was bound since: the server did not answer)" if status.server_silent else ""
        yield f"binding code  {status.binding_code}{unsure}"
    if status.available is not None:
        yield f"available     {format_size(status.available)} in {number_of(len(status.plans or []), 'plan')}"
    for plan in status.plans or []:
        yield (
            f"plan          {plan.plan or 'top-up'}: {format_size(plan.available)} left of {format_size(plan.octets)},"
            f" until {_moment(plan.expires_at)}"
        )
    if status.server_silent:
        yield f"server        did not answer: {status.server_silent}"
    yield f"agent         {status.state if status.running else f'not running: start it with {to_run}'}"
    yield f"session       {status.session or 'none'}"
    for quota in status.quotas:
        last = ", the last there is" if quota.final else ""
        yield (
            f"quota         {format_size(quota.left)} left of {format_size(quota.octets)},"
            f" until {_moment(quota.valid_until)}{last}"
        )
    yield f"unreported    {format_size(status.unreported)} ({status.unreported:,} octets), {status.journal_rows:,} rows"
    if status.reported_at is not None:
        yield f"last report   {_moment(status.reported_at)} over {status.channel}"
    yield f"gate          {status.gate}"
    if status.witness is not None:
        yield f"witness       {_compared(status.witness)}"
    if status.refusal is not None:
        yield f"refused       {status.refusal.sentence} {status.refusal.cure}"


def _compared(said: Testimony) -> str:
    verdict = "" if said.is_credible else f": more than the {said.tolerance:,} that go unseen"
    return (
        f"the interface counted {format_size(said.interface)}, the gate {format_size(said.gate)}:"
        f" {abs(said.apart):,} octets apart{verdict}"
    )


def _moment(at: Instant) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
