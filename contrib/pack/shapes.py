"""Set the shapes of a module apart, for mypyc: it hands the keywords of a class statement to no metaclass.

``class Quota(Struct, frozen=True)`` is such a statement. The shapes of ``book.py``, and what they need of it, go into
``book_shapes.py``, which stays interpreted; ``book.py`` takes them from there, so that everybody finds them where they were.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path

_Named = ast.ClassDef | ast.FunctionDef | ast.Assign | ast.AnnAssign


def set_apart(source: str, module: str) -> tuple[str, str] | None:
    """Return the text of a module and of its shapes; None where it has none."""
    tree = ast.parse(source)
    named = {name: node for node in tree.body if isinstance(node, _Named) for name in _names_of(node)}
    shapes = [name for name, node in named.items() if isinstance(node, ast.ClassDef) and node.keywords]
    if not shapes:
        return None
    moved = _with_what_they_need(shapes, named)
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    lines = source.splitlines()
    gone = {number for name in moved for number in _lines_of(named[name])}
    last = max(number for node in imports for number in _lines_of(node))
    back = f"from {module}_shapes import {', '.join(moved)}"
    rest = [line for number, line in enumerate(lines) if number not in gone]
    rest.insert(last + 1, back)
    pieces = sorted(imports + [named[name] for name in moved], key=lambda node: node.lineno)
    return "\n".join(rest) + "\n", "\n".join(lines[number] for node in pieces for number in _lines_of(node)) + "\n"


def _with_what_they_need(shapes: Iterable[str], named: dict[str, _Named]) -> list[str]:
    """Return the shapes and all that their text names and this module gives a name, but for other classes: those stay."""
    moved: dict[str, None] = {}
    waiting = list(shapes)
    while waiting:
        name = waiting.pop()
        if name in moved:
            continue
        moved[name] = None
        used = {node.id for node in ast.walk(named[name]) if isinstance(node, ast.Name)} & named.keys()
        waiting += [other for other in used if _may_move(named[other])]
    return list(moved)


def _may_move(node: _Named) -> bool:
    return not isinstance(node, ast.ClassDef) or bool(node.keywords) or _is_tuple_or_enumeration(node)


def _is_tuple_or_enumeration(node: ast.ClassDef) -> bool:
    return any(isinstance(base, ast.Name) and (base.id == "NamedTuple" or "Enum" in base.id) for base in node.bases)


def _names_of(node: _Named) -> list[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _lines_of(node: ast.stmt) -> range:
    first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", []))])
    return range(first - 1, node.end_lineno or first)


def write_apart(path: Path, module: str) -> None:
    """Set the shapes of one file apart, in place."""
    texts = set_apart(path.read_text(encoding="utf-8"), module)
    if texts is not None:
        path.write_text(texts[0], encoding="utf-8")
        path.with_name(f"{path.stem}_shapes.py").write_text(texts[1], encoding="utf-8")
