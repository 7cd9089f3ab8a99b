from __future__ import annotations

import pytest
from tests.registry.world import World, done, reason

from qanat.errors import BadInput
from qanat.ids import is_iccid
from qanat.refusals import Refusal
from qanat.registry.operators import create_operator
from qanat.registry.sims import (
    Added,
    NewProfile,
    SimProfile,
    add_profiles,
    give_back,
    lend,
    pool_of,
    profile_range,
    read_profiles,
)


def _lend(world: World, terminal: str) -> SimProfile:
    return done(world.do(lambda work: lend(work, operator="home", terminal=terminal, subscriber="")))


def test_a_made_range_has_right_check_digits_and_full_lengths() -> None:
    profiles = profile_range(issuer="89001", imsi_prefix="00101", first=9, count=3)
    assert all(is_iccid(one.iccid) and len(one.iccid) == 19 and len(one.imsi) == 15 for one in profiles)
    assert [one.imsi[-2:] for one in profiles] == ["09", "10", "11"]


@pytest.mark.parametrize(
    ("issuer", "imsi_prefix", "first", "field"),
    [
        ("88001", "00101", 1, "issuer"),
        ("89x", "00101", 1, "issuer"),
        ("89001", "001", 1, "imsi_prefix"),
        ("89001", "00101000000000", 10, "imsi_prefix"),
        ("89001000000000000", "00101", 10, "issuer"),
    ],
)
def test_a_range_that_does_not_fit_its_prefixes_is_named(issuer: str, imsi_prefix: str, first: int, field: str) -> None:
    with pytest.raises(BadInput) as bad:
        profile_range(issuer=issuer, imsi_prefix=imsi_prefix, first=first, count=1)
    assert bad.value.field == field


def test_csv_names_the_line_that_is_wrong() -> None:
    good = profile_range(issuer="89001", imsi_prefix="00101", first=1, count=1)[0]
    assert read_profiles(f"imsi,iccid,note\r\n{good.imsi}, {good.iccid} ,x\r\n") == [good]
    for text, line in (
        ("iccid;imsi\n", "csv line 1"),
        ("", "csv line 1"),
        (f"iccid,imsi\n{good.iccid},{good.imsi}\n{good.iccid}0,{good.imsi}\n", "csv line 3"),
        (f"iccid,imsi\n{good.iccid}\n", "csv line 2"),
    ):
        with pytest.raises(BadInput) as bad:
            read_profiles(text)
        assert bad.value.field == line


def test_adding_the_same_profiles_again_adds_nothing(world: World) -> None:
    profiles = profile_range(issuer="89001", imsi_prefix="00101", first=1, count=4)
    first = done(world.do(lambda work: add_profiles(work, operator="home", profiles=profiles)))
    again = done(world.do(lambda work: add_profiles(work, operator="home", profiles=profiles)))
    assert (first, again) == (Added(4, 0), Added(0, 4))
    assert world.do(lambda work: pool_of(work, "home")).free == 4


def test_an_iccid_or_imsi_that_is_somebody_elses_is_refused_and_nothing_is_added(world: World) -> None:
    done(world.do(lambda work: create_operator(work, name="far")))
    world.sims(1)
    new, other = profile_range(issuer="89001", imsi_prefix="00101", first=1, count=2)
    for profile in (new, NewProfile(other.iccid, new.imsi)):
        outcome = world.do(
            lambda work, profile=profile: add_profiles(work, operator="far", profiles=[other, profile])  # type: ignore[misc]
        )
        assert reason(outcome) is Refusal.NAME_TAKEN
    assert world.do(lambda work: pool_of(work, "far")).profiles == 0


def test_a_profile_that_came_back_is_lent_again_last(world: World) -> None:
    world.sims(3)
    first = _lend(world, "a")
    world.do(lambda work: give_back(work, first.id))
    lent = [_lend(world, name).id for name in "bcd"]
    assert lent[-1] == first.id
    assert len(set(lent)) == 3
