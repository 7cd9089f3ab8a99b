from __future__ import annotations

from functools import partial

from tests.registry.world import World, done, reason

from qanat.charging.sweep import sweep
from qanat.ids import Owner
from qanat.ledger.work import Work
from qanat.refusals import Refusal, Refused
from qanat.registry.access import (
    Caller,
    caller_of,
    dismiss,
    give_token,
    hire,
    password_hash_of,
    replace_password,
    set_password,
    sign_in,
    sign_out,
)
from qanat.registry.answers import Answer, Repeatable, earlier_answer, store_answer
from qanat.registry.names import secret_owner
from qanat.registry.operators import HOME
from qanat.registry.refused import KEPT, RefusedRequest, refused_owner, remember
from qanat.registry.subscribers import create_subscriber, reach, subscriber_by_imsi, subscriber_by_msisdn
from qanat.store.records import KINDS, encode
from qanat.units import DAY, HOUR, later


def test_a_token_stands_for_who_signed_in_until_it_runs_out(world: World) -> None:
    alice = world.subscriber("alice")
    world.do(lambda work: set_password(work, alice.owner, "hash"))
    assert world.do(lambda work: password_hash_of(work, "alice")) == "hash"
    world.do(lambda work: sign_in(work, name="alice", checked="hash", token="secret", until=later(work.now, HOUR)))
    assert done(world.do(lambda work: caller_of(work, "secret"))) == Caller(who="alice", role="subscriber")
    world.clock.advance(HOUR)
    assert reason(world.do(lambda work: caller_of(work, "secret"))) is Refusal.SIGNED_OUT


def test_a_password_that_was_changed_while_it_was_checked_opens_nothing(world: World) -> None:
    alice = world.subscriber("alice")
    world.do(lambda work: set_password(work, alice.owner, "the stolen one's hash"))
    checked = world.do(lambda work: password_hash_of(work, "alice")) or ""
    world.do(lambda work: set_password(work, alice.owner, "another hash"))
    barred = world.do(lambda work: sign_in(work, name="alice", checked=checked, token="secret", until=None))
    assert reason(barred) is Refusal.WRONG_SIGN_IN
    assert reason(world.do(lambda work: caller_of(work, "secret"))) is Refusal.SIGNED_OUT


def test_a_password_that_was_changed_or_taken_while_it_was_checked_is_not_changed_once_more(world: World) -> None:
    """Else a thief would have the last word, and who is dismissed at that very moment would be back."""
    sue = done(world.do(lambda work: hire(work, name="sue", role="operator", operator=HOME, password_hash="hash")))
    change = partial(replace_password, owner=sue.owner, checked="hash", here="")
    assert world.do(partial(change, password_hash="another hash")) is None
    assert reason(world.do(partial(change, password_hash="the thief's"))) is Refusal.WRONG_SIGN_IN
    assert world.do(lambda work: password_hash_of(work, "sue")) == "another hash"
    world.do(lambda work: dismiss(work, name="sue", operator=HOME))
    barred = world.do(partial(change, checked="another hash", password_hash="a third hash"))
    assert reason(barred) is Refusal.WRONG_SIGN_IN
    assert world.do(lambda work: password_hash_of(work, "sue")) is None


def test_a_new_password_ends_every_sign_in_but_the_one_it_was_changed_from_in_the_decision_that_sets_it(
    world: World,
) -> None:
    alice = world.subscriber("alice")
    world.do(lambda work: set_password(work, alice.owner, "hash"))
    for token in ("here", "elsewhere"):
        until = later(world.clock.now(), HOUR)
        world.do(partial(sign_in, name="alice", checked="hash", token=token, until=until))
    world.do(lambda work: set_password(work, alice.owner, "another hash", here="here"))
    assert reason(world.do(partial(caller_of, token="elsewhere"))) is Refusal.SIGNED_OUT
    assert done(world.do(partial(caller_of, token="here"))).who == "alice"
    world.do(lambda work: set_password(work, alice.owner, "a third hash", here="of somebody else"))
    assert reason(world.do(partial(caller_of, token="here"))) is Refusal.SIGNED_OUT


def test_who_is_dismissed_is_signed_out_in_the_same_decision_and_stays_so_when_hired_again(world: World) -> None:
    engaged = partial(hire, name="sam", role="operator", operator="home")
    done(world.do(partial(engaged, password_hash="hash")))
    until = later(world.clock.now(), HOUR)
    world.do(partial(sign_in, name="sam", checked="hash", token="secret", until=until))
    done(world.do(partial(dismiss, name="sam", operator="home")))
    assert reason(world.do(partial(caller_of, token="secret"))) is Refusal.SIGNED_OUT
    done(world.do(partial(engaged, password_hash="another hash")))
    assert reason(world.do(partial(caller_of, token="secret"))) is Refusal.SIGNED_OUT


def written_on(work: Work, page: Owner) -> str:
    """Return all that a page holds, of whichever kind, as it is written."""
    return "".join(encode(record) for kind in KINDS.values() for record in work.all(kind, page))


def test_a_token_is_kept_only_as_its_digest_and_forgotten_at_sign_out(world: World) -> None:
    caller = Caller(who="admin", role="administrator")
    world.do(lambda work: give_token(work, caller, token="secret", until=None))
    page = secret_owner("token", "secret")
    assert "secret" not in world.do(lambda work: written_on(work, page))
    assert world.do(lambda work: written_on(work, page))
    for _ in range(2):
        world.do(lambda work: sign_out(work, "secret"))
    assert reason(world.do(lambda work: caller_of(work, "secret"))) is Refusal.SIGNED_OUT


def test_a_name_is_either_a_subscribers_or_somebodys_of_the_staff(world: World) -> None:
    done(world.do(lambda work: hire(work, name="sam", role="operator", operator="home", password_hash="h")))
    assert reason(world.do(lambda work: create_subscriber(work, name="sam", operator="home"))) is Refusal.NAME_TAKEN
    world.subscriber("alice")
    hired = world.do(lambda work: hire(work, name="alice", role="operator", operator="home", password_hash="h"))
    assert reason(hired) is Refusal.NAME_TAKEN


def test_imsi_and_number_belong_to_one_subscriber_and_lead_to_it(world: World) -> None:
    made = done(
        world.do(
            lambda work: create_subscriber(work, name="a", operator="home", imsi="001010000000001", msisdn="4912345")
        )
    )
    assert world.do(lambda work: subscriber_by_imsi(work, "001010000000001")) == made
    assert world.do(lambda work: subscriber_by_msisdn(work, "4912345")) == made
    assert reason(world.do(lambda work: subscriber_by_imsi(work, "999"))) is Refusal.UNKNOWN_SUBSCRIBER
    for taken in ({"imsi": "001010000000001"}, {"msisdn": "4912345", "imsi": "001010000000002"}):
        outcome = world.do(
            lambda work, taken=taken: create_subscriber(work, name="b", operator="home", **taken)  # type: ignore[misc]
        )
        assert reason(outcome) is Refusal.NAME_TAKEN
    assert reason(world.do(lambda work: subscriber_by_imsi(work, "001010000000002"))) is Refusal.UNKNOWN_SUBSCRIBER


def test_nobody_learns_of_subscribers_that_are_not_theirs(world: World) -> None:
    world.subscriber("alice")
    alice = Caller(who="alice", role="subscriber")
    far = Caller(who="s", role="operator", operator="far")
    assert done(world.do(lambda work: reach(work, alice, "alice"))).id == "alice"
    for name in ("bob", "nobody"):
        outcome = world.do(lambda work, name=name: reach(work, alice, name))  # type: ignore[misc]
        assert reason(outcome) is Refusal.NOT_ALLOWED
    assert reason(world.do(lambda work: reach(work, far, "alice"))) is Refusal.UNKNOWN_SUBSCRIBER


def test_a_stored_answer_is_given_again_sealed_on_disk_and_forgotten_after_a_day(world: World) -> None:
    asked = Repeatable(caller="subscriber/alice", key="key-1", request="digest")
    answer = Answer(201, b'{"code":"SHOWN-ONCE"}')
    world.do(lambda work: store_answer(work, asked, answer))
    assert world.do(lambda work: earlier_answer(work, asked)) == answer
    other = Repeatable(caller="subscriber/alice", key="key-1", request="other")
    assert reason(world.do(lambda work: earlier_answer(work, other))) is Refusal.KEY_REUSED
    stranger = Repeatable(caller="subscriber/bob", key="key-1", request="digest")
    assert world.do(lambda work: earlier_answer(work, stranger)) is None
    page = secret_owner("answer", "subscriber/alice\nkey-1")
    assert "SHOWN-ONCE" not in world.do(lambda work: written_on(work, page))
    assert world.do(lambda work: written_on(work, page))
    world.clock.advance(DAY)
    assert world.do(lambda work: earlier_answer(work, asked)) is None
    world.do(lambda work: sweep(work, page))
    assert world.do(lambda work: written_on(work, page)) == ""


def test_refusals_are_counted_by_session_and_bounded(world: World) -> None:
    page = refused_owner("terminal/t")

    def refuse(work: Work, session: str) -> None:
        remember(work, Refused(Refusal.UNKNOWN_SESSION, {"session": session}), who="terminal/t", session=session)

    for number in range(KEPT + 20):
        world.clock.advance(1)
        world.do(lambda work, number=number: refuse(work, f"s{number}"))  # type: ignore[misc]
    for _ in range(3):
        world.do(lambda work: refuse(work, "s119"))
    kept = {one.session: one.times for one in world.do(lambda work: work.all(RefusedRequest, page))}
    assert len(kept) == KEPT
    assert "s0" not in kept
    assert kept["s119"] == 4
