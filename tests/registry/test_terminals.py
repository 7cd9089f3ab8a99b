from __future__ import annotations

from functools import partial

from tests.registry.world import World, done, reason

from qanat.charging.sweep import sweep
from qanat.ids import is_iccid
from qanat.ledger.work import Work
from qanat.refusals import Refusal, Refused
from qanat.registry.access import Caller
from qanat.registry.codes import CODES_MOST, WaitingCodes, issue_code
from qanat.registry.operators import HOME, create_operator
from qanat.registry.sims import pool_of
from qanat.registry.subscribers import Subscriber, find_subscriber, set_status, subscriber_by_imsi
from qanat.registry.terminals import (
    Terminal,
    bind,
    find_terminal,
    reach_terminal,
    revoke,
    terminal_or_refused,
    terminals_of,
)
from qanat.units import HOUR


def _free(world: World) -> int:
    return world.do(lambda work: pool_of(work, "home")).free


def _bind(world: World, name: str, code: str) -> object:
    def decision(work: Work) -> object:
        subscriber = find_subscriber(work, name)
        assert subscriber
        return bind(work, subscriber=subscriber, binding_code=code)

    return world.do(decision)


def test_a_terminal_enrolled_with_a_subscribers_code_is_bound_and_lent_a_cloud_sim(world: World) -> None:
    world.subscriber("alice")
    world.sims(3)
    world.code("CODE-1", subscriber="alice")
    terminal = done(world.enrol("code-1", key=1))
    assert (terminal.subscriber, terminal.imsi) == ("alice", "001010000000001")
    assert (terminal.hardware, terminal.serial) == ("lab", "serial-1")
    assert is_iccid(terminal.iccid)
    assert _free(world) == 2
    assert [one.id for one in world.do(lambda work: terminals_of(work, "alice"))] == [terminal.id]


def test_enrolling_again_with_the_same_key_and_code_gives_the_same_terminal_and_takes_no_second_sim(
    world: World,
) -> None:
    world.subscriber("alice")
    world.sims(3)
    world.code("CODE-1", subscriber="alice")
    first = done(world.enrol("CODE-1", key=1))
    world.clock.advance(2 * HOUR)
    again = done(world.enrol("CODE-1", key=1, id="trm-other"))
    assert again == first
    assert _free(world) == 2


def test_a_code_is_good_for_one_key_only(world: World) -> None:
    world.subscriber("alice")
    world.sims(3)
    world.code("CODE-1", subscriber="alice")
    done(world.enrol("CODE-1", key=1))
    assert reason(world.enrol("CODE-1", key=2)) is Refusal.CODE_USED
    assert world.do(lambda work: find_terminal(work, "trm-2")) is None


def test_a_subscriber_has_so_many_codes_that_wait_and_one_more_when_one_is_used_or_runs_out(world: World) -> None:
    alice = world.subscriber("alice")
    world.sims(1)
    issue = partial(issue_code, operator=HOME, subscriber=alice.id, valid=HOUR)
    for number in range(CODES_MOST):
        done(world.do(partial(issue, code=f"CODE-{number}")))
    assert reason(world.do(partial(issue, code="ONE-MORE"))) is Refusal.TOO_MANY_CODES
    done(world.enrol("CODE-0", key=1))
    done(world.do(partial(issue, code="ONE-MORE")))
    assert reason(world.do(partial(issue, code="AND-ANOTHER"))) is Refusal.TOO_MANY_CODES
    world.clock.advance(HOUR)
    done(world.do(partial(issue, code="AND-ANOTHER")))
    world.clock.advance(HOUR)
    world.do(lambda work: sweep(work, alice.owner))
    assert world.do(lambda work: work.all(WaitingCodes, alice.owner)) == []


def test_an_operator_has_so_many_codes_for_nobody_yet_that_wait(world: World) -> None:
    world.sims(1)
    world.subscriber("alice")
    for number in range(CODES_MOST):
        world.code(f"CODE-{number}")
    issue = partial(issue_code, operator=HOME, subscriber="", valid=HOUR)
    barred = world.do(partial(issue, code="ONE-MORE"))
    assert reason(barred) is Refusal.TOO_MANY_CODES
    assert isinstance(barred, Refused)
    assert barred.sentence == "Operator home has 256 codes that wait to be used, the most there may be."
    assert "运营商 home" in barred.sentence_zh
    world.code("HERS", subscriber="alice")
    done(world.enrol("CODE-0", key=1))
    done(world.do(partial(issue, code="ONE-MORE")))


def test_a_forged_or_expired_code_enrols_nothing(world: World) -> None:
    world.sims(3)
    world.code("CODE-1")
    forged = world.enrol("FORGED", key=1)
    assert reason(forged) is Refusal.UNKNOWN_CODE
    assert isinstance(forged, Refused)
    assert "`qanat terminal code`" in forged.cure
    world.clock.advance(HOUR)
    assert reason(world.enrol("CODE-1", key=1)) is Refusal.CODE_EXPIRED
    assert _free(world) == 3


def test_an_empty_pool_is_named_and_leaves_the_code_unused(world: World) -> None:
    world.code("CODE-1")
    assert reason(world.enrol("CODE-1", key=1)) is Refusal.POOL_EMPTY
    world.sims(1)
    done(world.enrol("CODE-1", key=1))


def test_a_key_that_has_a_terminal_enrols_no_second_one(world: World) -> None:
    world.sims(3)
    world.code("CODE-1")
    world.code("CODE-2")
    done(world.enrol("CODE-1", key=1))
    refused = world.enrol("CODE-2", key=1, serial="another")
    assert reason(refused) is Refusal.KEY_ENROLLED
    assert isinstance(refused, Refused)
    assert "enrolled already, as trm-1" in refused.sentence
    assert "`qanat terminal run`" in refused.cure


def test_a_serial_number_enrolled_by_somebody_else_is_refused(world: World) -> None:
    world.subscriber("alice")
    world.subscriber("bob")
    world.sims(3)
    world.code("CODE-A", subscriber="alice")
    world.code("CODE-B", subscriber="bob")
    done(world.enrol("CODE-A", key=1, serial="imei-1"))
    assert reason(world.enrol("CODE-B", key=2, serial="imei-1")) is Refusal.BOUND_TO_ANOTHER
    assert _free(world) == 2


def test_a_device_that_lost_its_key_takes_over_its_own_serial_number_and_sim(world: World) -> None:
    world.subscriber("alice")
    world.sims(3)
    world.code("CODE-1", subscriber="alice")
    world.code("CODE-2", subscriber="alice")
    before = done(world.enrol("CODE-1", key=1, serial="imei-1"))
    after = done(world.enrol("CODE-2", key=2, serial="imei-1"))
    assert after.iccid == before.iccid
    assert _free(world) == 2
    old = done(world.do(lambda work: terminal_or_refused(work, before.id)))
    assert old.state == "revoked"
    assert [one.id for one in world.do(lambda work: terminals_of(work, "alice"))] == [after.id]


def test_a_suspended_subscriber_enrols_no_terminal(world: World) -> None:
    alice = world.subscriber("alice")
    world.sims(1)
    world.code("CODE-1", subscriber="alice")
    world.do(lambda work: set_status(work, alice, "suspended"))
    assert reason(world.enrol("CODE-1", key=1)) is Refusal.SUBSCRIBER_SUSPENDED


def test_a_subscriber_binds_an_unbound_terminal_with_the_code_it_shows_however_often(world: World) -> None:
    world.subscriber("alice")
    world.sims(1)
    world.code("CODE-1")
    terminal = done(world.enrol("CODE-1", key=1))
    assert terminal.subscriber == ""
    for _ in range(2):
        bound = _bind(world, "alice", "bind-1")
        assert isinstance(bound, Terminal)
        assert bound.subscriber == "alice"
    charged = done(world.do(lambda work: subscriber_by_imsi(work, terminal.imsi)))
    assert isinstance(charged, Subscriber)
    assert charged.id == "alice"


def test_a_terminal_bound_to_somebody_else_is_refused(world: World) -> None:
    world.subscriber("alice")
    world.subscriber("bob")
    world.sims(1)
    world.code("CODE-1")
    done(world.enrol("CODE-1", key=1))
    _bind(world, "alice", "BIND-1")
    assert reason(_bind(world, "bob", "BIND-1")) is Refusal.BOUND_TO_ANOTHER
    assert reason(_bind(world, "bob", "BIND-9")) is Refusal.UNKNOWN_BINDING_CODE


def test_a_subscriber_of_another_operator_does_not_get_the_terminal(world: World) -> None:
    done(world.do(lambda work: create_operator(work, name="far")))
    world.subscriber("bob", operator="far")
    world.sims(1)
    world.code("CODE-1")
    done(world.enrol("CODE-1", key=1))
    assert reason(_bind(world, "bob", "BIND-1")) is Refusal.NOT_ALLOWED


def test_a_revoked_terminal_gives_its_sim_back_once(world: World) -> None:
    world.subscriber("alice")
    world.sims(1)
    world.code("CODE-1", subscriber="alice")
    terminal = done(world.enrol("CODE-1", key=1))
    for _ in range(2):
        current = done(world.do(lambda work: terminal_or_refused(work, terminal.id)))
        world.do(lambda work, current=current: revoke(work, current))  # type: ignore[misc]
        assert _free(world) == 1
    assert world.do(lambda work: terminals_of(work, "alice")) == []
    world.code("CODE-2")
    again = done(world.enrol("CODE-2", key=2, serial=terminal.serial))
    assert again.iccid == terminal.iccid


def test_a_terminal_does_not_exist_for_whoever_may_not_act_for_it(world: World) -> None:
    world.subscriber("alice")
    world.sims(1)
    world.code("CODE-1", subscriber="alice")
    terminal = done(world.enrol("CODE-1", key=1))
    for who, seen in (
        (Caller(who="alice", role="subscriber"), True),
        (Caller(who="bob", role="subscriber"), False),
        (Caller(who="s", role="operator", operator="home"), True),
        (Caller(who="s", role="operator", operator="far"), False),
        (Caller(who="admin", role="administrator"), True),
    ):
        found = world.do(lambda work, who=who: reach_terminal(work, who, terminal.id))  # type: ignore[misc]
        assert isinstance(found, Terminal) is seen, who
