"""Where namespaces are not permitted: the job on loopback, with the real server, agent and CLI, but no gate."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from rich.console import Console
from tests.namespaces import Namespace, can_make_namespaces

from qanat.lab.loopback import Loopback
from qanat.lab.report import adds_up, differences
from qanat.lab.screen import Screen
from qanat.lab.show import say_goodbye
from qanat.lab.stage import Stage


@contextmanager
def own_loopback() -> Iterator[None]:
    """The machine's carries what others send, whom the agent would charge, and perhaps another agent."""
    if not can_make_namespaces():
        yield
        return
    with closing(Namespace()) as own, own.inside():
        yield


def test_what_the_journal_charged_on_loopback_is_what_the_server_booked(tmp_path: Path) -> None:
    printed = io.StringIO()
    with own_loopback(), Stage(None, tmp_path, interface="lo") as stage:
        show = Loopback(stage, Screen(Console(file=printed)))
        for step in show.steps().values():
            step()
        counts = show.counts()
        sign_ins = stage.sign_ins()
        say_goodbye(Screen(Console(file=printed)), stage, sign_ins, is_right=True)
    assert "but nothing stops it" in printed.getvalue()
    assert list(sign_ins) == ["operator", "subscriber"]
    for name, password in sign_ins.values():
        assert f"{name}  {password}" in printed.getvalue()
    assert ("$ PATH=" in printed.getvalue()) is (shutil.which("qanat") is None), "what is shown can be typed"
    assert "in a browser at http://127.0.0.1:8080" in printed.getvalue()
    assert counts.used == counts.journal.total > 2 * 6_000_000
    assert adds_up(counts), list(differences(counts))
