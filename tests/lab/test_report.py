"""The reckoning's arithmetic."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qanat.agents.kernel.link import UpDown
from qanat.agents.terminal.gate import Reading
from qanat.lab.report import Counts, Row, adds_up, differences, on_the_wire, rows
from qanat.units import Octets


def both(up: int, down: int) -> UpDown:
    return UpDown(Octets(up), Octets(down))


GATE = Reading(passed=both(100, 1000), signalling=both(30, 20), upkeep=both(2, 3), refused=both(7, 50))
RIGHT = Counts(
    kernel=both(132, 1073),
    lost_packets=0,
    gate=GATE,
    journal=both(100, 1000),
    unreported=Octets(0),
    bought=Octets(5000),
    used=Octets(1100),
    available=Octets(3900),
    reserved=Octets(0),
    debt=Octets(0),
)


def test_refused_octets_were_on_the_wire_only_when_they_arrived() -> None:
    assert on_the_wire(GATE) == both(132, 1073)


def test_when_all_counters_agree_every_difference_is_0() -> None:
    assert adds_up(RIGHT)
    assert [difference.octets for difference in differences(RIGHT)] == [0] * 5


@pytest.mark.parametrize(
    "wrong",
    [
        replace(RIGHT, kernel=both(133, 1073)),
        replace(RIGHT, kernel=both(132, 1072), lost_packets=3),
        replace(RIGHT, kernel=both(131, 1073)),
        replace(RIGHT, journal=both(100, 999), used=Octets(1099), available=Octets(3901)),
        replace(RIGHT, used=Octets(1101), available=Octets(3899)),
        replace(RIGHT, unreported=Octets(1)),
        replace(RIGHT, available=Octets(3899)),
        replace(RIGHT, debt=Octets(1)),
    ],
    ids=[
        "around the gate",
        "down never gets lost",
        "no packet lost",
        "journal",
        "ledger",
        "unreported",
        "vanished",
        "owed",
    ],
)
def test_one_octet_too_many_or_too_few_anywhere_does_not_add_up(wrong: Counts) -> None:
    assert not adds_up(wrong)


def test_what_a_cut_wire_lost_is_explained_by_the_interfaces_own_count_of_lost_packets() -> None:
    cut = replace(RIGHT, kernel=both(132 - 104, 1073), lost_packets=2)
    assert adds_up(cut)
    (told,) = [difference for difference in differences(cut) if difference.octets]
    assert (told.octets, told.because.startswith("2 packets")) == (104, True)
    assert not adds_up(replace(cut, kernel=both(-3000, 1073)))


def test_debt_is_use_that_no_purchase_covers() -> None:
    assert adds_up(replace(RIGHT, bought=Octets(1000), available=Octets(0), debt=Octets(100)))


def test_the_table_states_each_difference_beside_what_it_is_measured_against() -> None:
    compared = [(row.counter.strip(), row.difference, row.against) for row in rows(RIGHT) if row.against]
    assert compared == [
        ("gate: all of it", 0, "kernel"),
        ("journal: charged", 0, "service"),
        ("ledger: used", 0, "journal"),
        ("still available", 0, "bought"),
    ]


def test_without_a_gate_the_journal_is_held_against_the_interface_and_nothing_is_promised_about_it() -> None:
    open_gate = replace(RIGHT, gate=None, kernel=both(5000, 5000))
    assert adds_up(open_gate)
    journal = next(row for row in rows(open_gate) if row.against == "kernel")
    assert journal == Row(
        counter="journal: charged",
        up=Octets(100),
        down=Octets(1000),
        total=Octets(1100),
        difference=-8900,
        against="kernel",
    )
