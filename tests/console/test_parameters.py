"""Numbers on the command line."""

from __future__ import annotations

import click
import pytest

from qanat.console.parameters import Number


@pytest.mark.parametrize("typed", ["nan", "NaN", "-nan", "inf", "-inf", "11", "-1", "ten", ""])
def test_what_is_no_number_in_the_range_is_refused(typed: str) -> None:
    with pytest.raises(click.BadParameter):
        Number(0, 10).convert(typed, None, None)


def test_a_number_in_the_range_is_taken() -> None:
    assert Number(0, 10).convert("2.5", None, None) == 2.5
