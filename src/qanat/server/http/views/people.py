"""Operators, their staff, subscribers, and who is calling."""

from __future__ import annotations

from pydantic import BaseModel

from qanat.registry.access import Caller, Staff
from qanat.registry.operators import Operator
from qanat.registry.subscribers import Subscriber
from qanat.server.http.views.common import Listed, when
from qanat.units import format_instant


class OperatorView(BaseModel):
    name: str
    display_name: str
    created_at: str

    @classmethod
    def of(cls, operator: Operator) -> OperatorView:
        return cls(name=operator.id, display_name=operator.display_name, created_at=format_instant(operator.created_at))


class StaffView(BaseModel):
    name: str
    role: str
    operator: str
    created_at: str
    dismissed_at: str | None

    @classmethod
    def of(cls, staff: Staff) -> StaffView:
        return cls(
            name=staff.id,
            role=staff.role,
            operator=staff.operator,
            created_at=format_instant(staff.created_at),
            dismissed_at=when(staff.dismissed_at),
        )


class CallerView(BaseModel):
    name: str
    role: str
    operator: str

    @classmethod
    def of(cls, caller: Caller) -> CallerView:
        return cls(name=caller.who, role=caller.role, operator=caller.operator)


class SignedIn(BaseModel):
    token: str
    name: str
    role: str
    expires_at: str


class SubscriberView(BaseModel):
    name: str
    operator: str
    status: str
    imsi: str
    msisdn: str
    display_name: str
    created_at: str

    @classmethod
    def of(cls, subscriber: Subscriber) -> SubscriberView:
        return cls(
            name=subscriber.id,
            operator=subscriber.operator,
            status=subscriber.status,
            imsi=subscriber.imsi,
            msisdn=subscriber.msisdn,
            display_name=subscriber.display_name,
            created_at=format_instant(subscriber.created_at),
        )


class OperatorList(Listed):
    operators: list[OperatorView]


class StaffList(Listed):
    staff: list[StaffView]


class SubscriberList(Listed):
    subscribers: list[SubscriberView]
