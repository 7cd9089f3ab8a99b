"""Money is written and read with the decimals of its currency."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qanat.units import MAX_PUBLIC_OCTETS, format_amount, format_money, number_of, parse_money


@pytest.mark.parametrize(
    ("minor", "currency", "written"),
    [
        (990, "EUR", "9.90"),
        (-5, "EUR", "-0.05"),
        (990, "JPY", "990"),
        (0, "KRW", "0"),
        (-7, "XOF", "-7"),
        (990, "KWD", "0.990"),
        (12_345, "TND", "12.345"),
        (990, "CLF", "0.0990"),
    ],
)
def test_money_has_as_many_decimals_as_its_currency(minor: int, currency: str, written: str) -> None:
    assert (format_amount(minor, currency), format_money(minor, currency)) == (written, f"{written} {currency}")


@given(minor=st.integers(0, MAX_PUBLIC_OCTETS), currency=st.sampled_from(["EUR", "JPY", "KWD", "CLF"]))
def test_what_was_written_is_read_as_it_was(minor: int, currency: str) -> None:
    assert parse_money(format_amount(minor, currency), currency) == minor


@pytest.mark.parametrize(
    ("written", "currency", "minor"),
    [("9.9", "EUR", 990), ("10", "EUR", 1000), ("1.5", "BHD", 1500), ("10", "JPY", 10)],
)
def test_decimals_may_be_left_out(written: str, currency: str, minor: int) -> None:
    assert parse_money(written, currency) == minor


@pytest.mark.parametrize(
    ("written", "currency", "sample"),
    [
        ("9.900", "EUR", "9.90"),
        ("990.00", "JPY", "990"),
        ("0.9900", "KWD", "0.990"),
        ("1.", "JPY", "990"),
        ("-1", "EUR", "9.90"),
        ("ten", "EUR", "9.90"),
    ],
)
def test_what_is_no_amount_is_refused_with_an_amount_that_would_be_one(
    written: str, currency: str, sample: str
) -> None:
    with pytest.raises(ValueError, match=f"'{written}' is no amount of {currency}: write it as in {sample}$"):
        parse_money(written, currency)


def test_more_than_json_keeps_exact_is_refused_with_the_most() -> None:
    assert int(parse_money("9007199254740991", "JPY")) == int(MAX_PUBLIC_OCTETS)
    with pytest.raises(ValueError, match=r"'9007199254740992' is more than 9007199254740991 JPY, the largest"):
        parse_money("9007199254740992", "JPY")


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 entries"), (1, "1 entry"), (2, "2 entries"), (12_345, "12,345 entries")]
)
def test_how_many_there_are_is_said_in_words(count: int, said: str) -> None:
    assert number_of(count, "entry", "entries") == said
    assert number_of(count, "day").endswith("day" if count == 1 else "days")
