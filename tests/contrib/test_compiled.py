"""The compiled build: shapes stand apart for the compiler, and everything is found where it was.

That the build itself does what the sources do is for CI's last step, which compiles it and runs these rooms' own tests on it.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACK = ROOT / "contrib/pack"

MODULE = '''"""Cups."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from msgspec import Struct

Names = tuple[str, ...]
_MOST: Final = 3


class Colour(StrEnum):
    RED = "red"


class Sip(NamedTuple):
    octets: int


class Cup(Struct, frozen=True, kw_only=True):
    sips: tuple[Sip, ...] = ()
    names: Names = ("mug",)
    colour: Colour = Colour.RED

    @property
    def full(self) -> bool:
        return _full(self)


class Shelf:
    def __init__(self) -> None:
        self.cups: list[Cup] = []


def _full(cup: Cup) -> bool:
    return len(cup.sips) >= _MOST


def fill(shelf: Shelf) -> bool:
    """Put a full cup on a shelf."""
    shelf.cups.append(Cup(sips=(Sip(1), Sip(2), Sip(3))))
    return shelf.cups[-1].full
'''


def _python(program: str, *paths: Path) -> str:
    run = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, paths)), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


def test_shapes_and_what_they_need_go_into_a_module_beside(tmp_path: Path) -> None:
    (tmp_path / "cups.py").write_text(MODULE)
    _python(
        f"from pathlib import Path; from shapes import write_apart; write_apart(Path({str(tmp_path / 'cups.py')!r}), 'cups')",
        PACK,
    )
    stays, shapes = (tmp_path / "cups.py").read_text(), (tmp_path / "cups_shapes.py").read_text()
    assert "class Shelf" in stays
    assert "def fill" in stays
    assert "class Cup" not in stays
    assert all(text in shapes for text in ("class Cup", "class Sip", "class Colour", "Names =", "_MOST", "def _full"))
    assert "class Shelf" not in shapes
    said = _python("import cups; print(cups.fill(cups.Shelf()), cups.Cup.__module__, cups.Names, cups._MOST)", tmp_path)
    assert said == "True cups_shapes tuple[str, ...] 3"


def test_a_module_without_shapes_stays_as_it_is(tmp_path: Path) -> None:
    text = "from typing import Final\n\nONE: Final = 1\n\n\nclass Plain:\n    pass\n"
    (tmp_path / "plain.py").write_text(text)
    _python(
        f"from pathlib import Path; from shapes import write_apart; write_apart(Path({str(tmp_path / 'plain.py')!r}), 'plain')",
        PACK,
    )
    assert [path.name for path in tmp_path.iterdir()] == ["plain.py"]
    assert (tmp_path / "plain.py").read_text() == text


def test_the_whole_package_runs_with_its_shapes_apart(tmp_path: Path) -> None:
    """As the compiler gets it, and as it is in the build: every hot module is imported, and a bucket is used."""
    _python(f"from pathlib import Path; from compiled import lay_out; lay_out(Path({str(tmp_path / 'out')!r}))", PACK)
    program = """
import importlib, sys
sys.path.insert(0, PACK)
from compiled import HOT
for name in HOT:
    importlib.import_module("qanat." + name.replace("/", "."))
from qanat.bench.ledger import bench_ledger
import asyncio
from qanat.ledger.book import Account
figures = asyncio.run(bench_ledger("memory:", seconds=0.1, in_flight=4, subscribers=4))
print(Account.__module__, figures.conserved, figures.requests > 0)
"""
    said = _python(program.replace("PACK", repr(str(PACK))), tmp_path / "out")
    assert said == "qanat.ledger.book_shapes True True"


def test_no_compiled_coroutine_sleeps_while_it_handles_an_exception() -> None:
    """It would stay the current one for whoever runs meanwhile: each exception then drags all that wait along."""
    sleeping = [
        f"{name}:{sleep.lineno}"
        for name, module in _hot_modules()
        for handler in ast.walk(module)
        if isinstance(handler, ast.ExceptHandler)
        for sleep in ast.walk(handler)
        if isinstance(sleep, ast.Await | ast.AsyncFor | ast.AsyncWith | ast.Yield | ast.YieldFrom)
    ]
    assert not sleeping


def test_no_compiled_module_counts_on_a_generator_expression_to_be_lazy() -> None:
    """The compiler makes a list of it: who wants the first one waits for all. ``any`` and ``all`` it knows."""
    stopping = {"islice", "next", "iter", "zip", "map", "filter", "takewhile"}
    counting = [
        f"{name}: {ast.unparse(user)}"
        for name, module in _hot_modules()
        for user in ast.walk(module)
        if any(isinstance(part, ast.GeneratorExp) for part in ast.iter_child_nodes(user))
        and not isinstance(user, ast.Starred)
        and not (isinstance(user, ast.Call) and ast.unparse(user.func) not in stopping)
    ]
    assert not counting


def _hot_modules() -> list[tuple[str, ast.Module]]:
    names = _python("from compiled import HOT; print(*HOT)", PACK).split()
    assert names
    return [(name, ast.parse((ROOT / f"src/qanat/{name}.py").read_text())) for name in names]


def test_a_debian_package_may_hold_the_compiled_build(tmp_path: Path) -> None:
    (tmp_path / "qanat/ledger").mkdir(parents=True)
    for name in (
        "qanat__mypyc.so",
        "mypy.ini",
        "qanat/ledger/book.py",
        "qanat/ledger/book.so",
        "qanat/ledger/book_shapes.py",
    ):
        (tmp_path / name).touch()
    said = _python(
        f"""from contents import whole_project
from pathlib import Path
build = Path({str(tmp_path)!r})
packed = whole_project(build)
print(sorted(name for name, path in packed.items() if path.is_relative_to(build)), "msgspec/__init__.py" in packed)""",
        PACK,
    )
    ours = ["qanat/ledger/book.py", "qanat/ledger/book.so", "qanat/ledger/book_shapes.py", "qanat__mypyc.so"]
    assert said == f"{ours} True"


def test_no_debian_package_is_made_of_a_build_that_is_not_there(tmp_path: Path) -> None:
    command: list[str | Path] = [sys.executable, PACK / "deb.py", tmp_path, "--compiled", tmp_path / "build"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "make fast" in run.stderr


def test_a_missing_compiler_is_named_with_the_cure(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, PACK / "compiled.py", tmp_path / "out"],
        env={"PATH": "/nowhere", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert "apt-get install gcc libc6-dev" in run.stderr
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "books").write_text("mine")
    run = subprocess.run([sys.executable, PACK / "compiled.py", tmp_path], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "no build of ours" in run.stderr
    assert (tmp_path / "books").read_text() == "mine"
