"""The wheel and the source distribution, built from a clone in which somebody has worked."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]
WHOLE = (".ci", "contrib", "docs", "src", "tests")
FILES = (
    ".gitignore",
    "CHANGELOG.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "pyproject.toml",
    "requirements-dev.txt",
    "setup.sh",
)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clone with what the guides leave in it beside ours: tokens, keys, books."""
    copy = tmp_path_factory.mktemp("clone")
    for folder in WHOLE:
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copyfile(ROOT / name, copy / name)
    for stranger in ("books/admin.token", "device/identity.json", "profiles.csv"):
        (copy / stranger).parent.mkdir(exist_ok=True)
        (copy / stranger).write_text("secret")
    subprocess.run([sys.executable, "-m", "hatchling", "build"], cwd=copy, check=True, capture_output=True)
    return copy


def files_in(clone: Path, *folders: str) -> set[str]:
    return {str(path.relative_to(clone)) for each in folders for path in (clone / each).rglob("*") if path.is_file()}


def test_the_source_distribution_is_the_clone_without_what_others_put_there(clone: Path) -> None:
    (made,) = (clone / "dist").glob("qanat-*.tar.gz")
    with tarfile.open(made) as archive:
        inside = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}
    assert inside == files_in(clone, *WHOLE) | {*FILES, "PKG-INFO"}


def test_the_wheel_holds_every_file_of_the_programs_and_the_licences(clone: Path) -> None:
    (made,) = (clone / "dist").glob("qanat-*.whl")
    inside = set(ZipFile(made).namelist())
    ours = {name.removeprefix("src/") for name in files_in(clone, "src/qanat")}
    assert {name for name in inside if name.startswith("qanat/")} == ours
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in inside)
