"""Identity codes: spelt, misspelt, revoked, of the wrong kind."""

from __future__ import annotations

from functools import partial

from hypothesis import given
from hypothesis import strategies as st
from tests.exchange.world import World, refused

from qanat.exchange import identity
from qanat.exchange.identity import IdentityCode, is_well_spelt, look_up, make_code, spell
from qanat.ids import Owner
from qanat.refusals import Refusal
from qanat.registry.names import subscriber_owner, terminal_owner

_SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_subjects = st.builds(
    lambda kind, name: Owner(f"{kind}/{name}"), st.sampled_from(["subscriber", "terminal", "base-station"]), st.text()
)


@given(subject=_subjects, generation=st.integers(0, 9), place=st.integers(1, 10), symbol=st.sampled_from(_SYMBOLS))
def test_every_single_wrong_symbol_is_seen(subject: Owner, generation: int, place: int, symbol: str) -> None:
    plain = make_code(subject, generation).replace("-", "")
    wrong = plain[:place] + symbol + plain[place + 1 :]
    assert is_well_spelt(spell(wrong)) == (wrong == plain)


@given(subject=_subjects, one=st.integers(1, 10), other=st.integers(1, 10))
def test_every_two_symbols_that_changed_places_are_seen(subject: Owner, one: int, other: int) -> None:
    plain = list(make_code(subject, 0).replace("-", ""))
    swapped = plain.copy()
    swapped[one], swapped[other] = plain[other], plain[one]
    assert is_well_spelt(spell("".join(swapped))) == (swapped == plain)


@given(text=st.text(max_size=20))
def test_no_text_upsets_the_spelling(text: str) -> None:
    assert not is_well_spelt(spell(text)) or len(spell(text)) == 13


def test_a_code_is_found_however_a_person_writes_it(world: World) -> None:
    code = world.code("alice")
    for written in (code, code.lower(), code.replace("-", ""), f" {code[:4]} {code[4:]} ", code.replace("0", "o")):
        assert world.decide(partial(look_up, text=written, kinds=("subscriber",))) == subscriber_owner("alice")


def test_issuing_again_gives_the_same_code(world: World) -> None:
    assert world.code("alice") == world.code("alice")


def test_a_misspelt_an_unknown_and_a_code_of_another_kind_are_told_apart(world: World) -> None:
    code = world.code("alice")
    typo = IdentityCode(code[:-1] + ("0" if code[-1] != "0" else "1"))
    unknown = make_code(subscriber_owner("nobody"), 0)
    of_terminal = world.code("trm-alice")
    for text, reason in (
        (typo, Refusal.MISSPELT_IDENTITY),
        (unknown, Refusal.UNKNOWN_IDENTITY),
        (of_terminal, Refusal.WRONG_KIND_OF_IDENTITY),
    ):
        assert refused(world.decide(partial(look_up, text=text, kinds=("subscriber",)))) is reason


def test_a_revoked_code_is_refused_and_its_holder_has_a_new_one(world: World) -> None:
    old = world.code("trm-bob")
    new = world.decide(partial(identity.revoke, subject=terminal_owner("trm-bob")))
    assert new != old
    assert world.code("trm-bob") == new
    assert refused(world.decide(partial(look_up, text=old, kinds=("terminal",)))) is Refusal.IDENTITY_REVOKED
    assert world.decide(partial(look_up, text=new, kinds=("terminal",))) == terminal_owner("trm-bob")
