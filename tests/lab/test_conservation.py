"""Octets are conserved end to end: kernel, gate, journal and ledger agree after a crash and a late report."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from tests.lab.place import any_place, processes_that_know, run_inside

from qanat.lab.report import Counts, adds_up, differences

pytestmark = pytest.mark.namespaces


class Said(msgspec.Struct):
    counts: Counts
    audit: dict[str, object]


@pytest.mark.parametrize("cut", ["at any moment", "with an answer on its way"])
def test_every_octet_is_counted_once_by_all_four_counters_though_the_agent_was_killed_and_reported_late(
    tmp_path: Path, cut: str
) -> None:
    """The real server, agent and CLI in namespaces; what the wire lost in the cut is bounded by the interface's own count."""
    done = run_inside(any_place(), "tests.lab.shorter", str(tmp_path), cut)
    assert done.returncode == 0, done.stderr
    said = msgspec.json.decode(done.stdout, type=Said)
    counts = said.counts
    assert counts.gate is not None
    assert counts.journal == counts.gate.passed
    assert counts.used == counts.journal.total > 30_000_000
    assert (counts.unreported, counts.debt, counts.reserved) == (0, 0, 0)
    assert adds_up(counts), (list(differences(counts)), counts)
    assert said.audit["balanced"] is True
    assert processes_that_know(str(tmp_path)) == []
