"""What the base station says of itself, and its own refusals; those of the server are passed on as they came."""

from __future__ import annotations

from typing import Final

import msgspec

from qanat.refusals import Refusal, Refused
from qanat.units import SECOND, Instant, Millis, format_instant, format_money
from qanat.wire.agent import Problem, RefusalBody
from qanat.wire.base_station import Admitted

SERVER_AWAY: Final = RefusalBody(
    reason="server_away",
    sentence="This base station can't reach the Qanat server now.",
    cure="Try again in a minute; what was granted before can still be used.",
    sentence_zh="本基站现在无法连接 Qanat 服务器。",
    cure_zh="请一分钟后再试；先前已授予的流量仍可使用。",
)
NOT_A_NEIGHBOUR: Final = RefusalBody(
    reason="not_a_neighbour",
    sentence="Only devices on this base station's access side can go online here.",
    cure="Connect to the base station's own network, then try again.",
    sentence_zh="只有接入本基站网络的设备才能在此上网。",
    cure_zh="请连接本基站的网络后再试。",
)
LEFT: Final = RefusalBody(
    reason="left",
    sentence="You went offline here.",
    cure="Present yourself again to go on.",
    sentence_zh="您已在此下线。",
    cure_zh="如需继续，请重新接入。",
)
JUST_ENDED: Final = RefusalBody(
    reason="just_ended",
    sentence="Your last session here ended while you asked.",
    cure="Present yourself again.",
    sentence_zh="您在请求接入时，上一次会话刚刚结束。",
    cure_zh="请重新接入。",
)
REPLACED: Final = RefusalBody(
    reason="replaced",
    sentence="Somebody else went online from this device's address.",
    cure="Present yourself again to go on.",
    sentence_zh="此设备的地址上已有他人上网。",
    cure_zh="如需继续，请重新接入。",
)
OUT_OF_ORDER: Final = RefusalBody(
    reason="base_station_out_of_order",
    sentence="This base station can't open its gate now.",
    cure="Try again in a minute; its log tells the operator why.",
    sentence_zh="本基站现在无法开放通行。",
    cure_zh="请一分钟后再试；原因见基站日志。",
)
STOPPING: Final = RefusalBody(
    reason="base_station_stopping",
    sentence="This base station is being switched off.",
    cure="Present yourself again when it is back, or at another base station.",
    sentence_zh="本基站正在关闭。",
    cure_zh="请待其恢复后重新接入，或到其他基站接入。",
)


class SessionView(msgspec.Struct, frozen=True, kw_only=True):
    """How things stand for whoever asks from a session's address."""

    trade: str
    state: str
    supplier: str
    """Identity code of who serves."""
    price_per_gb: int
    currency: str
    up: int
    down: int
    bound: int
    """Octets the trade may reach, as it was agreed."""
    left: int
    open: bool
    refusal: RefusalBody | None


class Here(msgspec.Struct, frozen=True, kw_only=True):
    """The base station introduces itself to a device that wants to present itself."""

    base_station: str
    identity: str
    place: str
    operator: str
    session: SessionView | None
    refusal: RefusalBody | None
    """Why the last session from this address ended, or was never opened."""


def no_price(written: str, currency: str) -> RefusalBody:
    """What somebody typed as the highest price can't be read in this currency."""
    sample = format_money(250, currency)
    return RefusalBody(
        reason="no_price",
        sentence=f"{written[:40]!r} is no price.",
        cure=f"Write it as in {sample}, or leave it empty.",
        sentence_zh=f"{written[:40]!r} 不是价格。",
        cure_zh=f"请写成 {sample} 的样子，或留空。",
    )


def order_recalled(admitted: Admitted, at: Instant) -> RefusalBody:
    """The supplier, or somebody who may, ended it."""
    facts: dict[str, int | str] = {"order": admitted.order, "holder": admitted.supplier, "at": format_instant(at)}
    return said(Refused(Refusal.ORDER_STOPPED, facts))


def idle(lasted: Millis) -> RefusalBody:
    """Nothing passed for as long as the base station allows."""
    minutes, seconds = divmod(lasted // SECOND, 60)
    span = f"{minutes} min" if minutes else f"{seconds} s"
    return RefusalBody(
        reason="idle",
        sentence=f"Nothing was sent or received here for {span}, so your session was ended and what was left went back.",
        cure="Present yourself again to go on.",
        sentence_zh=f"{span} 内没有任何流量，会话已结束，剩余流量已返还。",
        cure_zh="如需继续，请重新接入。",
        facts={"idle_s": lasted // SECOND},
    )


def said(refused: Refused) -> RefusalBody:
    return RefusalBody(
        reason=refused.reason.value,
        sentence=refused.sentence,
        cure=refused.cure,
        sentence_zh=refused.sentence_zh,
        cure_zh=refused.cure_zh,
        facts=refused.facts,
    )


def passed_on(problem: Problem) -> RefusalBody:
    return RefusalBody(
        reason=problem.reason,
        sentence=problem.detail or problem.title,
        cure=problem.cure,
        sentence_zh=problem.detail_zh,
        cure_zh=problem.cure_zh,
    )
