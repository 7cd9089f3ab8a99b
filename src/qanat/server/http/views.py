"""What people are shown: records without what is nobody's business."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel

from qanat.charging.session import Answer, Grant, Session
from qanat.ledger.book import Account
from qanat.refusals import Refusal, Refused
from qanat.registry.access import Caller, Staff
from qanat.registry.changes import Change
from qanat.registry.names import name_of
from qanat.registry.operators import Operator
from qanat.registry.plans import Plan
from qanat.registry.refused import RefusedRequest
from qanat.registry.sims import Pool, SimProfile
from qanat.registry.subscribers import Subscriber
from qanat.registry.terminals import Terminal
from qanat.registry.unmatched import UnmatchedReport
from qanat.registry.vouchers import Redeemed, Voucher, VoucherBatch
from qanat.registry.wallets import Balance
from qanat.units import Instant, Unit, format_instant


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

    @classmethod
    def of(cls, staff: Staff) -> StaffView:
        return cls(name=staff.id, role=staff.role, operator=staff.operator)


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


class PlanView(BaseModel):
    """``size`` is in ``unit``; ``octets`` is the size of a plan of octets, and 0 for others."""

    name: str
    operator: str
    octets: int
    size: int
    unit: Unit
    valid_days: int
    price: int
    currency: str
    priority: int
    quota: int
    all_or_nothing: bool
    stock: int | None
    sold: int | None
    withdrawn: bool

    @classmethod
    def of(cls, plan: Plan) -> PlanView:
        return cls(
            name=plan.id,
            operator=plan.operator,
            octets=plan.octets if plan.unit == "octets" else 0,
            size=plan.octets,
            unit=plan.unit,
            valid_days=plan.valid_days,
            price=plan.price,
            currency=plan.currency,
            priority=plan.priority,
            quota=plan.quota_octets,
            all_or_nothing=plan.all_or_nothing,
            stock=plan.stock,
            sold=plan.sold if plan.stock is not None else None,
            withdrawn=plan.withdrawn,
        )


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


class WalletView(BaseModel):
    currency: str
    balance: int

    @classmethod
    def of(cls, wallet: Account) -> WalletView:
        return cls(currency=wallet.unit, balance=wallet.balance)


class BucketView(BaseModel):
    bucket: str
    plan: str
    unit: str
    size: int
    available: int
    reserved: int
    priority: int
    opened_at: str
    expires_at: str | None

    @classmethod
    def of(cls, bucket: Account) -> BucketView:
        return cls(
            bucket=bucket.id,
            plan=bucket.plan,
            unit=bucket.unit,
            size=bucket.size,
            available=bucket.available,
            reserved=bucket.reserved,
            priority=bucket.priority,
            opened_at=format_instant(bucket.opened_at),
            expires_at=format_instant(bucket.expires_at) if bucket.expires_at is not None else None,
        )


class BalanceView(BaseModel):
    """Octets, exactly; buckets in order of use, those of other units last; money in minor units."""

    subscriber: str
    available: int
    reserved: int
    used: int
    debt: int
    buckets: list[BucketView]
    wallets: list[WalletView]

    @classmethod
    def of(cls, subscriber: str, balance: Balance) -> BalanceView:
        return cls(
            subscriber=subscriber,
            available=balance.available,
            reserved=balance.reserved,
            used=balance.used,
            debt=balance.debt,
            buckets=[BucketView.of(bucket) for bucket in balance.buckets],
            wallets=[WalletView.of(wallet) for wallet in balance.wallets],
        )


class SpanView(BaseModel):
    """Octets whose use was booked in the hour or day that begins at ``at`` (UTC)."""

    at: str
    octets: int


class UsageView(BaseModel):
    """The last hours and days up to now, the oldest first. What was lent to others is in it."""

    subscriber: str
    hours: list[SpanView]
    days: list[SpanView]


class TerminalView(BaseModel):
    terminal: str
    state: str
    subscriber: str
    operator: str
    hardware: str
    serial: str
    version: str
    iccid: str
    imsi: str
    enrolled_at: str

    @classmethod
    def of(cls, terminal: Terminal) -> TerminalView:
        return cls(
            terminal=terminal.id,
            state=terminal.state,
            subscriber=terminal.subscriber,
            operator=terminal.operator,
            hardware=terminal.hardware,
            serial=terminal.serial,
            version=terminal.version,
            iccid=terminal.iccid,
            imsi=terminal.imsi,
            enrolled_at=format_instant(terminal.enrolled_at),
        )


class CodeView(BaseModel):
    """An enrolment code, shown this once."""

    code: str
    operator: str
    subscriber: str
    expires_at: str


class SimView(BaseModel):
    iccid: str
    imsi: str
    operator: str
    state: str
    terminal: str
    subscriber: str

    @classmethod
    def of(cls, profile: SimProfile) -> SimView:
        return cls(
            iccid=profile.id,
            imsi=profile.imsi,
            operator=profile.operator,
            state=profile.state,
            terminal=profile.terminal,
            subscriber=profile.subscriber,
        )


class PoolView(BaseModel):
    """How a pool stands, and what a request added to it."""

    operator: str
    free: int
    profiles: int
    added: int = 0
    existing: int = 0

    @classmethod
    def of(cls, pool: Pool) -> PoolView:
        return cls(operator=pool.id, free=pool.free, profiles=pool.profiles)


class PeerView(BaseModel):
    """An accepted peer, a gateway heard through one, or a stranger who was turned away (``state``)."""

    protocol: str
    """Over which it speaks: gy."""
    origin_host: str
    state: str
    profile: str
    connections: int
    last_at: str
    told: int
    followed: int
    ignored: int
    turned_away: int = 0
    """How often, for a stranger."""


class QuotaView(BaseModel):
    quota: str
    octets: int
    used: int
    valid_until: str


class SessionView(BaseModel):
    session: str
    subscriber: str
    state: str
    front: str
    holder: str
    used: int
    octets_per_s: int
    opened_at: str
    last_at: str
    quotas: list[QuotaView]

    @classmethod
    def of(cls, session: Session) -> SessionView:
        return cls(
            session=session.id,
            subscriber=name_of(session.owner),
            state=session.state,
            front=session.front,
            holder=session.holder,
            used=session.used,
            octets_per_s=session.rate,
            opened_at=format_instant(session.opened_at),
            last_at=format_instant(session.last_at),
            quotas=[
                QuotaView(
                    quota=quota.id,
                    octets=quota.octets,
                    used=quota.used,
                    valid_until=format_instant(quota.valid_until),
                )
                for quota in session.quotas
            ],
        )


class RefusalView(BaseModel):
    who: str
    session: str
    reason: str
    sentence: str
    cure: str
    sentence_zh: str
    cure_zh: str
    facts: dict[str, int | str]
    first_at: str
    at: str
    times: int

    @classmethod
    def of(cls, refused: RefusedRequest) -> RefusalView:
        again = Refused(Refusal(refused.reason), refused.facts)
        return cls(
            who=refused.who,
            session=refused.session,
            reason=refused.reason,
            sentence=refused.sentence,
            cure=refused.cure,
            sentence_zh=again.sentence_zh,
            cure_zh=again.cure_zh,
            facts=refused.facts,
            first_at=format_instant(refused.first_at),
            at=format_instant(refused.at),
            times=refused.times,
        )


class StepView(BaseModel):
    """One answer to an interrogation: for each request for units what was granted, or the rule that refused it."""

    at: str
    number: int
    subscriber: str
    quota: str = ""
    octets: int = 0
    valid_until: str = ""
    final: bool = False
    reason: str = ""
    sentence: str = ""
    cure: str = ""
    sentence_zh: str = ""
    cure_zh: str = ""
    facts: dict[str, int | str] = {}

    @classmethod
    def refused(cls, answer: Answer, subscriber: str, refused: Refused) -> StepView:
        return cls(
            at=format_instant(answer.at),
            number=answer.number,
            subscriber=subscriber,
            reason=refused.reason,
            sentence=refused.sentence,
            cure=refused.cure,
            sentence_zh=refused.sentence_zh,
            cure_zh=refused.cure_zh,
            facts=refused.facts,
        )

    @classmethod
    def granted(cls, answer: Answer, subscriber: str, grant: Grant) -> StepView:
        return cls(
            at=format_instant(answer.at),
            number=answer.number,
            subscriber=subscriber,
            quota=grant.quota,
            octets=grant.octets,
            valid_until=format_instant(grant.valid_until),
            final=grant.final,
        )

    @classmethod
    def of(cls, session: Session) -> list[StepView]:
        """Return the last answers of a session, oldest first, each with what it was told for each request for units."""
        who = name_of(session.owner)
        steps = []
        for answer in sorted(session.answers, key=lambda one: one.number):
            if answer.refusal is not None:
                steps.append(cls.refused(answer, who, Refused(answer.refusal, answer.facts)))
            for grant in answer.grants:
                if grant.refusal is not None:
                    steps.append(cls.refused(answer, who, Refused(grant.refusal, grant.facts)))
                else:
                    steps.append(cls.granted(answer, who, grant))
        return steps


class Why(BaseModel):
    """Everything known of a session that explains an answer: whose it is, what was answered last, what there is now."""

    session: str
    sessions: list[SessionView]
    steps: list[StepView]
    refusals: list[RefusalView]
    balances: list[BalanceView]
    """As they stand now, of the subscribers whose session it is."""


class Verdict(BaseModel):
    balanced: bool
    accounts: int
    entries: int
    problems: list[str]


class Listed(BaseModel):
    next: str = ""
    """Go on with this in ``after``; empty at the end."""


class OperatorList(Listed):
    operators: list[OperatorView]


class PlanList(Listed):
    plans: list[PlanView]


class SubscriberList(Listed):
    subscribers: list[SubscriberView]


class TerminalList(Listed):
    terminals: list[TerminalView]


class SimList(Listed):
    sims: list[SimView]
    pools: list[PoolView]


class SessionList(Listed):
    sessions: list[SessionView]


class RefusalList(BaseModel):
    refusals: list[RefusalView]


class UnmatchedView(BaseModel):
    session: str
    number: int
    holder: str
    identity: str
    octets: int
    at: str

    @classmethod
    def of(cls, report: UnmatchedReport) -> UnmatchedView:
        return cls(
            session=report.session,
            number=int(report.id),
            holder=report.holder,
            identity=report.identity,
            octets=report.octets,
            at=format_instant(report.at),
        )


class UnmatchedList(BaseModel):
    reports: list[UnmatchedView]


class PeerList(BaseModel):
    peers: list[PeerView]


class VoucherBatchView(BaseModel):
    """A batch of vouchers. ``codes`` are shown when it is made and never again."""

    batch: str
    operator: str
    state: str
    count: int
    redeemed: int
    octets: int
    valid_days: int
    amount: int
    currency: str
    created_at: str
    expires_at: str
    codes: list[str] = []

    @classmethod
    def of(cls, batch: VoucherBatch, *, now: Instant, codes: Sequence[str] = ()) -> VoucherBatchView:
        ended = "withdrawn" if batch.withdrawn_at is not None else "expired"
        return cls(
            batch=batch.id,
            operator=batch.operator,
            state="good" if now < batch.ended_at else ended,
            count=batch.count,
            redeemed=batch.redeemed,
            octets=batch.octets,
            valid_days=batch.valid_days,
            amount=batch.amount,
            currency=batch.currency,
            created_at=format_instant(batch.created_at),
            expires_at=format_instant(batch.expires_at),
            codes=list(codes),
        )


class VoucherBatchList(Listed):
    batches: list[VoucherBatchView]


class VoucherView(BaseModel):
    number: int
    redeemed_by: str
    redeemed_at: str | None

    @classmethod
    def of(cls, voucher: Voucher) -> VoucherView:
        at = voucher.redeemed_at
        return cls(
            number=voucher.number,
            redeemed_by=voucher.redeemed_by,
            redeemed_at=None if at is None else format_instant(at),
        )


class VoucherList(Listed):
    vouchers: list[VoucherView]


class RedeemedView(BaseModel):
    """What a voucher brought: ``octets`` in a bucket, or ``amount`` into the wallet."""

    batch: str
    number: int
    bucket: str
    octets: int
    expires_at: str | None
    amount: int
    currency: str

    @classmethod
    def of(cls, redeemed: Redeemed) -> RedeemedView:
        batch, account = redeemed.batch, redeemed.account
        return cls(
            batch=batch.id,
            number=redeemed.voucher.number,
            bucket=account.id if batch.octets else "",
            octets=batch.octets,
            expires_at=format_instant(account.expires_at) if account.expires_at is not None else None,
            amount=batch.amount,
            currency=batch.currency,
        )


class ChangeView(BaseModel):
    """A command of the staff: who did what to what, and what it said."""

    change: str
    at: str
    who: str
    role: str
    operator: str
    act: str
    target: str
    said: dict[str, str]

    @classmethod
    def of(cls, change: Change) -> ChangeView:
        return cls(
            change=change.id,
            at=format_instant(change.at),
            who=change.who,
            role=change.role,
            operator=change.operator,
            act=change.act,
            target=change.target,
            said=change.said,
        )


class ChangeList(Listed):
    changes: list[ChangeView]


class Done(BaseModel):
    done: bool = True
