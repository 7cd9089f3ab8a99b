"""The agents as one file, as a device without our environment runs it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from zipfile import ZipFile

import pytest
from tests.agents.conftest import World
from tests.agents.fake_server import FakeServer
from tests.agents.processes import Agent
from tests.agents.running import download, passed

ROOT = Path(__file__).parents[3]
BARE = ("env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", str(getattr(sys, "_base_executable", sys.executable)))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("built") / "qanat.pyz"
    build(made)
    return made


def build(out: Path, *words: str) -> None:
    subprocess.run([sys.executable, ROOT / "contrib/pack/agent.py", out, *words], check=True, capture_output=True)


def test_it_holds_the_agents_rooms_and_nothing_of_the_server(file: Path) -> None:
    names = ZipFile(file).namelist()
    rooms = {name.split("/")[1] for name in names if name.startswith("qanat/") and name.count("/") > 1}
    assert rooms == {"agents", "console", "wire"}
    assert {name.split("/")[0] for name in names} == {
        "__main__.py",
        "qanat",
        "qanat-0.dist-info",
        "click",
        "libraries",
    } | {name.split("/")[0] for name in names if name.startswith("click-")}
    assert "qanat-0.dist-info/licenses/LICENSE" in names
    assert file.stat().st_size < 8_000_000


def test_the_same_input_gives_the_same_file(file: Path, tmp_path: Path) -> None:
    build(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == file.read_bytes()


def test_it_says_its_version(file: Path) -> None:
    said = subprocess.run([*BARE, file, "--version"], capture_output=True, text=True, check=True)
    assert said.stdout == f"qanat, version {version('qanat')}\n"


def test_without_its_libraries_it_is_small_and_says_what_it_needs(tmp_path: Path) -> None:
    build(tmp_path / "slim", "--slim")
    assert (tmp_path / "slim").stat().st_size < 400_000
    done = subprocess.run([*BARE, "-S", tmp_path / "slim", "terminal"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Install python3-msgspec and python3-cryptography" in done.stderr


def test_another_python_is_told_what_it_was_built_for_before_anything_is_unpacked(file: Path, tmp_path: Path) -> None:
    """The Python says that it is another one."""
    copy = Path(shutil.copy(file, tmp_path))
    started = (
        "import runpy, sys; sys.implementation.cache_tag = 'other-3'; runpy.run_path(sys.argv[1], run_name='__main__')"
    )
    done = subprocess.run([*BARE, "-c", started, copy], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"built for {sys.implementation.cache_tag} on {os.uname().machine}, this is other-3 on" in done.stderr
    assert "--slim" in done.stderr
    assert list(tmp_path.iterdir()) == [copy]


@pytest.mark.namespaces
def test_it_meters_within_quotas_and_stays_small(world: World, server: FakeServer, state: Path, file: Path) -> None:
    arguments = ("terminal", "run", "--state", str(state))
    agent = Agent(world.terminal, "", *arguments, program=(*BARE, str(file)))
    agent.wait_for("quota granted")
    download(world, 12_000_000)
    resident = (Path("/proc") / str(agent.process.pid) / "status").read_text()
    highest_kb = int(resident.partition("VmHWM:")[2].split()[0])
    agent.stop()
    assert server.operator.used == passed(world) >= 12_000_000
    assert highest_kb < 40_000
