"""``make run``: the whole job on real traffic, in a lab of its own: two chapters, each ending by itself with the reckoning.

Exit 0 only when every step came out and everything adds up.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from qanat.errors import BadInput, Fault, StoreFault
from qanat.lab import exchange_report, private
from qanat.lab.exchange_scenario import ExchangeScenario
from qanat.lab.loopback import Loopback
from qanat.lab.private import Place
from qanat.lab.report import Difference, adds_up, differences, rows
from qanat.lab.scenario import CELL, Scenario
from qanat.lab.screen import Screen
from qanat.lab.stage import SUBSCRIBER, Stage
from qanat.lab.topology import Lab
from qanat.store.sole import sole_server
from qanat.units import number_of

_INTERRUPTED: Final = 130
_PREFIX: Final = "show-"
_KEPT: Final = 3
"""Earlier shows that are kept beside the one that begins."""


def main() -> None:
    if private.is_inside():
        raise SystemExit(show(Place[sys.argv[1]]))
    place = private.find_place()
    if place is Place.NOWHERE:
        raise SystemExit(show(place))
    command = private.command_inside(place, "qanat.lab.show", [place.name])
    os.execvp(command[0], command)  # noqa: S606  # there is no shell in it


def show(place: Place) -> int:
    screen = Screen()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        return _play(screen, place)
    except KeyboardInterrupt:
        screen.plain("\nInterrupted; everything was taken down.", style="bold")
        return _INTERRUPTED


def _play(screen: Screen, place: Place) -> int:
    try:
        folder = _folder()
    except OSError as error:
        screen.plain(f"There is nowhere to write ({error}): go to a folder that is yours, or name one in TMPDIR.")
        return 1
    screen.plain(f"Qanat, the whole job on real traffic, {place.value}.", style="bold")
    if place is Place.NOWHERE:
        screen.plain(f"The attempt ended with: {private.why_nowhere()}", style="dim")
    screen.plain(f"Everything it makes is in {folder}", style="dim")
    screen.plain(
        "`qanat lab up` leaves such a world standing, with the console's address and two sign-ins.", style="dim"
    )
    stage = (
        Stage(None, folder, interface="lo") if place is Place.NOWHERE else Stage(Lab("show"), folder, interface=CELL)
    )
    try:
        with stage:
            verdicts = [_cloud_sim(stage, screen), _exchange(stage, screen)]
            sign_ins = stage.sign_ins()
    except (Fault, OSError) as fault:
        _tell(screen, stage, fault)
        return 1
    say_goodbye(screen, stage, sign_ins, is_right=all(verdicts))
    return 0 if all(verdicts) else 1


def _cloud_sim(stage: Stage, screen: Screen) -> bool:
    screen.chapter("A. A cloud SIM and its traffic")
    scenario = Loopback(stage, screen) if stage.lab is None else Scenario(stage, stage.lab, screen)
    for title, step in scenario.steps().items():
        with screen.step(title):
            step()
    with screen.step("Reckon: four counters, one truth"):
        counts = scenario.counts()
        screen.table(rows(counts))
        _say_differences(screen, differences(counts))
        return _audit(screen, stage) and adds_up(counts)


def _exchange(stage: Stage, screen: Screen) -> bool:
    screen.chapter("B. Going online on somebody else's traffic")
    if stage.lab is None:
        screen.say("A base station is a gateway: without network namespaces it can't be shown.")
        return True
    scenario = ExchangeScenario(stage, screen)
    for title, step in scenario.steps().items():
        with screen.step(title):
            step()
    with screen.step("Reckon: three meters, and what the operators owe each other"):
        counts = scenario.counts()
        screen.table(exchange_report.rows(counts))
        _say_differences(screen, exchange_report.differences(counts))
        settlements = scenario.settlements()
        for settlement in settlements:
            for position in exchange_report.positions(settlement):
                screen.say(position)
        is_right = all(trade.adds_up for trade in counts) and all(map(exchange_report.is_settled, settlements))
        return _audit(screen, stage) and is_right


def _say_differences(screen: Screen, found: Iterable[Difference]) -> None:
    screen.plain()
    for difference in found:
        if difference.octets:
            screen.say(f"{difference.octets:+,} octets: {difference.because}.")


def _audit(screen: Screen, stage: Stage) -> bool:
    screen.typed("audit")
    audit = stage.qanat("audit")
    screen.say(
        f"{'Balanced' if audit['balanced'] else 'NOT balanced'}: {number_of(audit['accounts'], 'account')}, "
        f"{number_of(audit['entries'], 'entry', 'entries')}."
    )
    for problem in audit["problems"]:
        screen.say(problem)
    return bool(audit["balanced"])


def say_goodbye(screen: Screen, stage: Stage, sign_ins: dict[str, tuple[str, str]], *, is_right: bool) -> None:
    verdict = "Every octet is accounted for" if is_right else "The counters do NOT agree"
    screen.plain(f"\n{verdict} ({screen.elapsed_s} s).", style="bold green" if is_right else "bold red")
    screen.plain("\nLook at the same books:")
    if shutil.which("qanat") is None:
        screen.plain(f"    $ PATH={Path(sys.executable).parent}:$PATH", style="cyan")
    screen.typed("serve", "--data", str(stage.data))
    screen.plain("in a browser at http://127.0.0.1:8080, where these sign in:")
    for role, (name, password) in sign_ins.items():
        screen.say(f"{role:<10}  {name:<5}  {password}")
    screen.plain("or in another shell, in the same folder and with the same PATH:")
    token = f"--token-file {stage.data}/admin.token"
    for command in (f"balance --subscriber {SUBSCRIBER}", "sessions", "trades", "refusals", "audit"):
        screen.typed(command, token)


def _tell(screen: Screen, stage: Stage, fault: Exception) -> None:
    screen.lines(f"\nFailed at {screen.title}", [str(fault)])
    for program in stage.programs.values():
        screen.lines(f"The last of {program.log}:", program.tail())


def _interrupt(_number: int, _frame: object) -> None:
    """Leave by taking everything down, which a second Ctrl-C does not cut short."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _folder() -> Path:
    """Make a folder below ./run, or where that can't be, in the system's temporary folder."""
    home = Path("run")
    try:
        home.mkdir(exist_ok=True)
        prune(home)
        return Path(tempfile.mkdtemp(prefix=_PREFIX, dir=home))
    except OSError:
        return Path(tempfile.mkdtemp(prefix=f"qanat-{_PREFIX}"))


def prune(home: Path) -> None:
    """Keep the folders of the last few shows, and of those whose books a server serves, as somebody was told to do."""
    shows = sorted(home.glob(f"{_PREFIX}*"), key=lambda folder: folder.stat().st_mtime, reverse=True)
    for folder in shows[_KEPT:]:
        with suppress(BadInput, StoreFault), sole_server(f"sqlite:///{folder.resolve() / 'data' / 'qanat.db'}"):
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
