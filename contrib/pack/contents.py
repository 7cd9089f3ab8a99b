"""What goes into a package: modules of ours by their imports, and the installed distributions by their requirements.

The distributions are taken from the environment that runs this: `make setup` checked them by hash when it installed them.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Any, Final

from packaging.requirements import Requirement

ROOT: Final = Path(__file__).resolve().parents[2]
SOURCE: Final = ROOT / "src"
PROJECT: Final[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

Files = dict[str, Path]
"""Path in the package → file on this machine."""


def whole_project(source: Path = SOURCE) -> Files:
    """Return every file of ours that runs, and all that we depend on. ``source`` may be what ``compiled.py`` made."""
    found = [*source.glob("*.so"), *(source / "qanat").rglob("*")]
    files = {str(path.relative_to(source)): path for path in found if _is_wanted(path)}
    return files | installed(PROJECT["dependencies"])


def modules_of(*names: str) -> Files:
    """Return the files of these modules of ours and of all that they import, also inside functions."""
    found: Files = {}
    waiting = list(names)
    while waiting:
        path = _file_of(waiting.pop())
        if path is None or str(path.relative_to(SOURCE)) in found:
            continue
        found[str(path.relative_to(SOURCE))] = path
        waiting += _imports(path)
    for package in {parent for name in found for parent in Path(name).parents if parent.name}:
        found[f"{package}/__init__.py"] = SOURCE / package / "__init__.py"
    return found


def installed(requirements: Iterable[str]) -> Files:
    """Return the files of the distributions that these requirements lead to, here and on this platform."""
    found: dict[str, Distribution] = {}
    known: set[str] = set()
    waiting = [one for one in map(Requirement, requirements) if _applies(one, ())]
    while waiting:
        asked = waiting.pop()
        if str(asked) in known:
            continue
        known.add(str(asked))
        each = found.setdefault(asked.name, distribution(asked.name))
        further = [Requirement(text) for text in each.requires or []]
        waiting += [one for one in further if _applies(one, asked.extras)]
    return {name: path for each in found.values() for name, path in _files_of(each)}


def own_metadata() -> str:
    """Return what tells ``importlib.metadata`` our version."""
    return f"Metadata-Version: 2.1\nName: {PROJECT['name']}\nVersion: {PROJECT['version']}\n"


def _file_of(module: str) -> Path | None:
    path = SOURCE.joinpath(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def _imports(path: Path) -> Iterator[str]:
    """Yield the modules of ours that a file names; ``from qanat.a import b`` may mean the module qanat.a.b."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "qanat":
            yield str(node.module)
            yield from (f"{node.module}.{name.name}" for name in node.names)
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.startswith("qanat."))


def _applies(asked: Requirement, extras: Iterable[str]) -> bool:
    return asked.marker is None or any(asked.marker.evaluate({"extra": extra}) for extra in ("", *extras))


def _files_of(each: Distribution) -> Iterator[tuple[str, Path]]:
    for file in each.files or []:
        path = Path(str(file.locate()))
        if ".." not in file.parts and _is_wanted(path):
            yield str(file), path


def _is_wanted(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts and path.name not in ("RECORD", "INSTALLER", "REQUESTED")
