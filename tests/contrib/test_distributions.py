"""The wheel and the source distribution, built from a clone in which somebody has worked."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement

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


def test_whatever_our_programs_import_is_declared_and_has_its_reason() -> None:
    """And not only brought along by something else, which may do without it one day."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {Requirement(text).name for text in project["dependencies"]}
    given = {
        name: {each.lower().replace("_", "-") for each in wholes} for name, wholes in packages_distributions().items()
    }
    imported = {name for path in (ROOT / "src/qanat").rglob("*.py") for name in _imports(path)}
    others = imported - sys.stdlib_module_names - {"qanat"}
    assert {name for name in others if not given[name] & declared} == set()
    reasons = (ROOT / "docs/dependencies.md").read_text()
    assert {name for name in declared if name not in reasons} == set()


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]
        elif isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)


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
