from __future__ import annotations

from tests.registry.world import World, done, reason

from qanat.ledger.book import Account, open_bucket, post
from qanat.ledger.work import Work
from qanat.refusals import Refusal, Refused
from qanat.registry.names import plan_owner
from qanat.registry.operators import create_operator
from qanat.registry.plans import Plan, create_plan, find_plan, withdraw_plan
from qanat.registry.subscribers import Subscriber, set_status
from qanat.registry.vouchers import Worth, code_of, create_batch, find_batch, redeem
from qanat.registry.wallets import BUCKETS_MOST, Balance, balance_of, buy, pay_into_wallet, top_up, wallet_of
from qanat.units import DAY, Instant, Millis, MinorUnits, Octets


def _plan(world: World, name: str, *, price: int = 500, stock: int | None = None, operator: str = "home") -> None:
    plan = Plan(
        owner=plan_owner(name),
        id=name,
        operator=operator,
        octets=Octets(1000),
        valid_days=30,
        price=MinorUnits(price),
        currency="EUR",
        quota_octets=Octets(10),
        priority=7,
        stock=stock,
        created_at=Instant(0),
    )
    done(world.do(lambda work: create_plan(work, plan)))


def _pay(world: World, who: Subscriber, amount: int) -> None:
    world.do(lambda work: pay_into_wallet(work, who, amount=MinorUnits(amount), currency="EUR"))


def _buy(world: World, who: Subscriber, plan: str, bucket: str = "b1") -> Account | Refused:
    return world.do(lambda work: buy(work, who, plan=plan, bucket=bucket))


def _balance(world: World, who: Subscriber) -> Balance:
    return world.do(lambda work: balance_of(work, who))


def test_a_plan_is_paid_from_the_wallet_and_becomes_a_bucket_with_its_terms(world: World) -> None:
    alice = world.subscriber("alice")
    _plan(world, "month")
    _pay(world, alice, 700)
    bucket = done(_buy(world, alice, "month"))
    assert (bucket.size, bucket.available, bucket.priority, bucket.quota_octets) == (1000, 1000, 7, 10)
    assert bucket.expires_at == world.clock.now() + 30 * DAY
    assert world.do(lambda work: wallet_of(work, alice, "EUR")).balance == 200
    assert _balance(world, alice).available == 1000


def test_a_wallet_that_is_too_small_buys_nothing(world: World) -> None:
    alice = world.subscriber("alice")
    _plan(world, "month")
    _pay(world, alice, 499)
    assert reason(_buy(world, alice, "month")) is Refusal.WALLET_TOO_SMALL
    assert _balance(world, alice).buckets == []
    assert world.do(lambda work: wallet_of(work, alice, "EUR")).balance == 499


def test_a_stock_is_sold_to_its_last_piece_and_no_further(world: World) -> None:
    alice = world.subscriber("alice")
    _plan(world, "rare", price=0, stock=1)
    done(_buy(world, alice, "rare"))
    assert reason(_buy(world, alice, "rare", "b2")) is Refusal.PLAN_SOLD_OUT


def test_unknown_withdrawn_and_foreign_plans_are_not_on_sale(world: World) -> None:
    alice = world.subscriber("alice")
    done(world.do(lambda work: create_operator(work, name="far")))
    _plan(world, "old", price=0)
    _plan(world, "foreign", price=0, operator="far")
    done(world.do(lambda work: withdraw_plan(work, name="old")))
    for plan in ("old", "foreign", "never"):
        assert reason(_buy(world, alice, plan)) is Refusal.UNKNOWN_PLAN, plan


def test_a_suspended_subscriber_buys_nothing(world: World) -> None:
    alice = world.subscriber("alice")
    _plan(world, "free", price=0)
    suspended = world.do(lambda work: set_status(work, alice, "suspended"))
    assert reason(_buy(world, suspended, "free")) is Refusal.SUBSCRIBER_SUSPENDED


def test_what_is_owed_is_paid_from_the_next_bucket_first(world: World) -> None:
    alice = world.subscriber("alice")
    world.do(lambda work: post(work, alice.owner, (), Octets(300)))
    assert _balance(world, alice).debt == 300
    world.do(lambda work: top_up(work, alice, octets=Octets(1000), valid_days=1, bucket="b1"))
    after = _balance(world, alice)
    assert (after.available, after.debt, after.used) == (700, 0, 300)


def test_an_expired_bucket_is_not_available(world: World) -> None:
    alice = world.subscriber("alice")
    world.do(lambda work: top_up(work, alice, octets=Octets(1000), valid_days=1, bucket="b1"))
    world.clock.advance(DAY)
    assert _balance(world, alice).available == 0


def test_a_plan_of_no_operator_or_a_taken_name_is_refused(world: World) -> None:
    _plan(world, "month")
    plan = world.do(lambda work: find_plan(work, "month"))
    assert plan
    assert reason(world.do(lambda work: create_plan(work, plan))) is Refusal.NAME_TAKEN


def test_who_has_as_many_buckets_as_there_may_be_gets_no_other_and_pays_nothing(world: World) -> None:
    """Each decision about a subscriber puts all its buckets in order."""
    alice, code = world.subscriber("alice"), code_of("7K2M9QXDV4TH3WZ")
    _plan(world, "month")
    _pay(world, alice, 500)
    worth = Worth(octets=Octets(10), valid_days=30)
    made = world.do(
        lambda work: create_batch(work, name="v", operator="home", worth=worth, codes=[code], good_for=Millis(DAY))
    )
    done(made)

    def fill(work: Work) -> None:
        for number in range(BUCKETS_MOST):
            bucket = Account(owner=alice.owner, id=f"full-{number}", role="bucket", operator="home", size=10)
            open_bucket(work, bucket)

    world.do(fill)
    for give in (
        lambda work: buy(work, alice, plan="month", bucket="b"),
        lambda work: top_up(work, alice, octets=Octets(10), valid_days=1, bucket="b"),
        lambda work: redeem(work, alice, code=code, bucket="b"),
    ):
        assert reason(world.do(give)) is Refusal.TOO_MANY_BUCKETS
    assert world.do(lambda work: wallet_of(work, alice, "EUR")).balance == 500
    batch = world.do(lambda work: find_batch(work, "v"))
    assert batch is not None
    assert batch.redeemed == 0
    world.do(lambda work: post(work, alice.owner, (), Octets(10)))
    done(world.do(lambda work: redeem(work, alice, code=code, bucket="b")))
